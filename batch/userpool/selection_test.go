package userpool_test

import (
	"errors"
	"iter"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
)

func listing(users ...userpool.User) iter.Seq2[userpool.User, error] {
	return func(yield func(userpool.User, error) bool) {
		for _, u := range users {
			if !yield(u, nil) {
				return
			}
		}
	}
}

func TestASelectionMeansWhomItSays(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2025, 1, n, 0, 0, 0, 0, time.UTC) }
	ann := userpool.User{Username: "ann", Status: "CONFIRMED", Enabled: true, Created: day(1), Modified: day(10)}
	bob := userpool.User{Username: "bob", Status: "RESET_REQUIRED", Enabled: true, Created: day(5), Modified: day(5)}
	cat := userpool.User{Username: "cat", Status: "CONFIRMED", Created: day(10), Modified: day(12)}
	dan := userpool.User{Username: "dan", Status: "EXTERNAL_PROVIDER", Enabled: true, Created: day(10), Modified: day(10)}
	eve := userpool.User{Username: "eve", Status: "EXTERNAL_PROVIDER", Created: day(1), Modified: day(1)}
	for _, c := range []struct {
		name string
		s    userpool.Selection
		want []string
	}{
		{"all", userpool.Selection{}, []string{"ann", "bob already_reset_required", "cat disabled", "dan external_provider", "eve external_provider"}},
		{"disabled too", userpool.Selection{Disabled: true}, []string{"ann", "bob already_reset_required", "cat", "dan external_provider", "eve external_provider"}},
		{"disabled and external too", userpool.Selection{Disabled: true, External: true}, []string{"ann", "bob already_reset_required", "cat", "dan", "eve"}},
		{"again", userpool.Selection{Again: true}, []string{"ann", "bob", "cat disabled", "dan external_provider", "eve external_provider"}},
		{"by status", userpool.Selection{Statuses: []types.UserStatusType{"RESET_REQUIRED", "EXTERNAL_PROVIDER"}}, []string{"ann excluded", "bob", "cat excluded", "dan", "eve disabled"}},
		{"created from", userpool.Selection{CreatedAfter: day(5)}, []string{"ann excluded", "bob already_reset_required", "cat disabled", "dan external_provider", "eve excluded"}},
		{"created before", userpool.Selection{CreatedBefore: day(5)}, []string{"ann", "bob excluded", "cat excluded", "dan excluded", "eve external_provider"}},
		{"modified from, before", userpool.Selection{ModifiedAfter: day(5), ModifiedBefore: day(10)}, []string{"ann excluded", "bob already_reset_required", "cat excluded", "dan excluded", "eve excluded"}},
	} {
		var got []string
		for e, err := range c.s.Entries(listing(ann, bob, cat, dan, eve)) {
			line := e.Username
			if e.Outcome != "" {
				line += " " + string(e.Reason)
			}
			got = append(got, line)
			if e.Row != int64(len(got)) || (e.Outcome == "") != (e.Detail == "") || e.Outcome != "" && e.Outcome != batch.Skipped || err != nil {
				t.Errorf("%s: %+v, %v", c.name, e, err)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

func TestASelectionEndsWithItsListing(t *testing.T) {
	broken := errors.New("broken")
	var got []batch.Entry
	var last error
	for e, err := range (userpool.Selection{}).Entries(func(yield func(userpool.User, error) bool) {
		_ = yield(userpool.User{Username: "ann", Status: "CONFIRMED", Enabled: true, EmailVerified: true, Phone: "+1", PhoneVerified: true}, nil) && yield(userpool.User{}, broken)
	}) {
		got, last = append(got, e), err
	}
	before := &batch.Snapshot{Status: "CONFIRMED", Enabled: true, PhoneVerified: true} // of an e-mail there is none
	if want := []batch.Entry{{Row: 1, Username: "ann", Before: before}, {}}; !reflect.DeepEqual(got, want) || !errors.Is(last, broken) {
		t.Errorf("%+v, %v", got, last)
	}
}
