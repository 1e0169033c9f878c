package userpool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"golang.org/x/time/rate"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/names"
)

// A page is one answer of a listing. Without a token for the next page it is
// the last; with one it may still be empty.
type page struct {
	users []types.UserType
	next  *string
}

// A chain is a listing page after page.
type chain struct {
	operation string
	filter    Filter
	fetch     func(ctx context.Context, token *string) (page, error)
}

// sideBySide follows the chains, a few at a time, to the end of each. Pages
// wait for the consumer, so no more of them are in memory than in flight.
func (p *Pool) sideBySide(ctx context.Context, chains []chain) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		ctx, stop := context.WithCancelCause(ctx)
		queue := make(chan chain, len(chains))
		for _, c := range chains {
			queue <- c
		}
		close(queue)
		pages := make(chan []User)
		var followers sync.WaitGroup
		for range min(pagesInFlight, len(chains)) {
			followers.Go(func() {
				for c := range queue {
					if err := p.follow(ctx, c, pages); err != nil {
						stop(err)
						return
					}
				}
			})
		}
		go func() {
			followers.Wait()
			close(pages)
		}()
		defer func() {
			stop(nil)
			for range pages { // until the last follower has left
			}
		}()

		for users := range pages {
			for _, u := range users {
				if !yield(u, nil) {
					return
				}
			}
		}
		if err := context.Cause(ctx); err != nil {
			yield(User{}, err)
		}
	}
}

// follow sends every user of a chain to pages, once. It returns nil only when
// the service has said that there are no more. Where it takes a token no
// longer, the chain begins again, and those already sent are passed over. A user
// whom a filter for one value does not name is left out: the service's index may
// be older than the user.
func (p *Pool) follow(ctx context.Context, c chain, pages chan<- []User) error {
	var (
		sent  names.Set
		token *string
		again int // times begun again since somebody new came
		stale int // users left out
	)
	for {
		found, err := ask(ctx, p.lists, func(ctx context.Context) (page, error) { return c.fetch(ctx, token) })
		if token != nil && again < restarts && refused(err) {
			token = nil
			again++
			continue
		}
		if err != nil {
			return p.listError(ctx, c.operation, err)
		}
		users := make([]User, 0, len(found.users))
		for _, t := range found.users {
			if !c.filter.names(t) && !c.filter.Prefix {
				stale++
				continue
			} else if !c.filter.names(t) {
				return fmt.Errorf("%s on user pool %s gave a user whom the filter on %s does not name: %w",
					c.operation, p.ID, c.filter.Attribute, errUnfiltered)
			}
			if _, added := sent.Add(aws.ToString(t.Username)); added {
				users = append(users, userOf(t))
			}
		}
		if len(users) > 0 {
			again = 0
			select {
			case pages <- users:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		next := aws.ToString(found.next)
		switch {
		case next == "":
			if stale > 0 {
				p.log.Warn("the service listed users who do not have the value that was asked for; they are left out",
					"operation", c.operation, "attribute", c.filter.Attribute, "users", stale)
			}
			return nil
		case next == aws.ToString(token):
			return fmt.Errorf("%s on user pool %s does not come any further: a page names itself as the next one", c.operation, p.ID)
		}
		token = found.next
	}
}

// refused reports whether the service did not take a parameter. Of a page after the
// first, only the token can be meant.
func refused(err error) bool {
	answer, ok := errors.AsType[*batch.Error](err)
	return ok && answer.Code == "InvalidParameterException"
}

// ask makes a call that only reads until it is answered: it waits its turn, and
// tries again after what may pass.
func ask[T any](ctx context.Context, turns *rate.Limiter, call func(context.Context) (T, error)) (out T, err error) {
	backoff := retry.NewExponentialJitterBackoff(maxPause)
	tries := 0
	for attempt := 0; ; attempt++ {
		if err := turns.Wait(ctx); err != nil {
			return out, err
		}
		if out, err = call(ctx); err == nil {
			return out, nil
		}
		answer := classify(err)
		if answer.Class != batch.ClassThrottle {
			tries++
		}
		if answer.Class == batch.ClassUser || answer.Class == batch.ClassRun || tries == pageTries {
			return out, answer
		}
		pause, err := backoff.BackoffDelay(attempt, answer)
		if err != nil {
			return out, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return out, context.Cause(ctx)
		}
	}
}

// listError says what could not be listed, and what to do about it.
func (p *Pool) listError(ctx context.Context, operation string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	advice := ""
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Reason == batch.AccessDenied {
		advice = "; allow cognito-idp:" + operation + " on it in the IAM policy"
	}
	return fmt.Errorf("list user pool %s: %w%s", p.ID, err, advice)
}
