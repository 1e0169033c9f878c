package users

import (
	"context"
	"iter"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// selection says which of the pool's users are meant.
func (f *Finder) selection() userpool.Selection {
	src := f.Record.Spec
	sel := userpool.Selection{
		Again: src.IfResetRequired == "again", Recent: f.recent(),
		Disabled: src.Disabled || src.IfUnresettable[batch.Disabled] != "", External: src.SignOutAlone() || src.IfUnresettable[batch.ExternalProvider] != "", // whose sessions with the pool live on, too
		CreatedAfter: src.CreatedAfter, CreatedBefore: src.CreatedBefore,
		ModifiedAfter: src.ModifiedAfter, ModifiedBefore: src.ModifiedBefore,
	}
	for _, status := range src.Statuses {
		sel.Statuses = append(sel.Statuses, types.UserStatusType(status))
	}
	return sel
}

// listing yields the pool's own users.
func (f *Finder) listing(ctx context.Context) iter.Seq2[batch.Entry, error] {
	r := f.Record.Spec
	users := func(yield func(userpool.User, error) bool) {
		for _, name := range r.Groups {
			for u, err := range f.pool.Group(ctx, name) {
				if !yield(u, err) || err != nil {
					return
				}
			}
		}
	}
	if len(r.Groups) == 0 {
		var filter userpool.Filter // every user
		if r.Filter != "" {
			filter, _ = userpool.ParseFilter(r.Filter) // which was read before
		}
		users = f.pool.Users(ctx, filter)
	}
	entries := f.selection().Entries(users)
	if len(r.ClientMetadata) == 0 {
		return entries
	}
	return func(yield func(batch.Entry, error) bool) {
		for e, err := range entries {
			e.ClientMetadata = r.ClientMetadata
			if !yield(e, err) {
				return
			}
		}
	}
}
