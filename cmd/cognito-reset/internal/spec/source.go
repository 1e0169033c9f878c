package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/report"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// A Source is where the users of a run come from: files, or the pool itself.
type Source struct {
	Inputs         []string          `json:"inputs,omitempty"` // absolute paths, URLs, or - for standard input
	Reading                          // of the inputs
	ClientMetadata map[string]string `json:"client_metadata,omitempty"`
	UsernameCase   string            `json:"username_case,omitempty"` // where the pool does not tell
	PhoneCountry   string            `json:"phone_country,omitempty"` // of numbers that do not name theirs
	Match          string            `json:"match"`                   // attribute that the input's values are of; "" is whatever names a user

	FromReport bool     `json:"from_report,omitempty"` // the inputs are reports
	Only       []string `json:"only,omitempty"`        // of a report: outcomes and reasons
	Where      []string `json:"where,omitempty"`
	Keep       []string `json:"keep_columns,omitempty"`
	Tell       []string `json:"client_metadata_columns,omitempty"`
	OrderBy    string   `json:"order_by,omitempty"`
	Sample     int      `json:"sample,omitempty"`
	Seed       uint64   `json:"seed,omitempty"`
	Limit      int64    `json:"limit,omitempty"`

	Exclude       []string  `json:"exclude,omitempty"` // files, as Inputs
	ExcludeAs     Reading   `json:"exclude_as,omitzero"`
	ExcludeOnly   []string  `json:"exclude_only,omitempty"` // of those that are reports: outcomes and reasons
	ExcludeGroups []string  `json:"exclude_groups,omitempty"`
	ResetBefore   time.Time `json:"reset_before,omitzero"`  // leaves out whom History has reset since
	RotateEvery   string    `json:"rotate_every,omitempty"` // period at whose beginning ResetBefore is
	History       []string  `json:"history,omitempty"`      // run directories, or folders of them, on the disk or in S3

	AllUsers       bool      `json:"all_users,omitempty"`
	Groups         []string  `json:"groups,omitempty"`
	Filter         string    `json:"filter,omitempty"`
	Statuses       []string  `json:"statuses,omitempty"`
	Disabled       bool      `json:"include_disabled,omitempty"`
	CreatedAfter   time.Time `json:"created_after,omitzero"`
	CreatedBefore  time.Time `json:"created_before,omitzero"`
	ModifiedAfter  time.Time `json:"modified_after,omitzero"`
	ModifiedBefore time.Time `json:"modified_before,omitzero"`
}

// Expand makes absolute paths of patterns: a resume may be asked for from
// another folder.
func Expand(patterns []string) ([]string, error) {
	names, err := roster.Expand(patterns)
	if err != nil {
		return nil, err
	}
	return Absolute(names)
}

// Absolute makes absolute paths of those that are files of this machine.
func Absolute(names []string) (_ []string, err error) {
	for i, name := range names {
		if name != roster.Stdin && !strings.Contains(name, "://") {
			if names[i], err = filepath.Abs(name); err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

// ErrNobody is that no users were named.
var ErrNobody = errors.New("say who")

// Validate finds what does not go together. inputs is how many inputs were named. It
// is a list of rules, and as long as there are.
func (src Source) Validate(inputs int) error {
	ways := 0
	for _, given := range []bool{inputs > 0, src.FromReport, src.AllUsers, len(src.Groups) > 0, src.Filter != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return exit.Usagef("%w: --input FILE (- is standard input), --from-report FILE, --all-users, --group NAME or --filter FILTER", ErrNobody)
	case ways > 1:
		return exit.Usagef("--input, --from-report, --all-users, --group and --filter are five ways to say who; give one")
	case len(src.Only) > 0 && !src.FromReport:
		return exit.Usagef("--only chooses among the rows of a report: it goes with --from-report")
	case len(src.Exclude) == 0 && len(src.ExcludeOnly) > 0:
		return exit.Usagef("--exclude-only chooses among the rows of reports given to --exclude: name one")
	case !KnownCase(src.UsernameCase):
		return exit.Usagef("--username-case is sensitive or insensitive, not %q", src.UsernameCase)
	case src.Listed() && len(src.Where)+len(src.Keep)+len(src.Tell)+len(src.OrderBy) > 0:
		return exit.Usagef("--where, --keep-column, --client-metadata-from-columns and --order-by are about the columns of an input; the pool's own users have none")
	case slices.Contains(src.Keep, report.SafeColumn):
		return exit.Usagef("--keep-column %s: the report has a column of its own of that name; rename the input's", report.SafeColumn)
	case src.PhoneCountry != "" && src.Match != "phone_number" && len(src.Exclude) == 0:
		return exit.Usagef("--phone-country is about phone numbers: it goes with --match phone_number or --exclude")
	case src.Sample < 0 || src.Limit < 0:
		return exit.Usagef("--sample and --limit cannot be negative")
	case src.ResetBefore.IsZero() != (len(src.History) == 0):
		return exit.Usagef("--not-reset-within or --rotate-every and --history go together: since when, and the runs that know")
	case src.Match != "" && len(src.Inputs) == 0:
		return exit.Usagef("--match says what the values of an --input are; the pool's own users need none")
	case src.FromReport && src.Match != "" && src.Match != "username":
		return exit.Usagef("--match %s says what the values of an --input are; a report has usernames: leave it out, or say --match username", src.Match)
	case src.Match != "" && !slices.Contains(userpool.MatchAttributes, src.Match):
		return exit.Usagef("--match is one of %s, not %q", strings.Join(userpool.MatchAttributes, ", "), src.Match)
	case !src.Listed() && src.Match == "" && src.Selects():
		return exit.Usagef("--status, --include-disabled, --created-… and --modified-… choose among the pool's users: they go with --all-users, --group, --filter or --match")
	}
	for _, status := range src.Statuses {
		if !slices.Contains(types.UserStatusType("").Values(), types.UserStatusType(status)) {
			return exit.Usagef("--status: there is no %q; the states are %v", status, types.UserStatusType("").Values())
		}
	}
	if _, err := userpool.ParseFilter(src.Filter); src.Filter != "" && err != nil {
		return exit.Usagef("--filter: %w", err)
	}
	_, _, err := src.Choices()
	return err
}

// Choices are which rows of an input are taken, and then which users, in what
// order.
func (src Source) Choices() (rows, users roster.Selection, err error) {
	users = roster.Selection{Keep: src.Keep, Sample: src.Sample, Seed: src.Seed, Limit: src.Limit}
	if src.OrderBy != "" {
		if users.OrderBy, err = roster.ParseOrder(src.OrderBy); err != nil {
			return rows, users, exit.Usagef("--order-by: %w", err)
		}
	}
	rows = roster.Selection{Keep: users.Columns(), Tell: src.Tell, Only: src.Only}
	for _, text := range src.Where {
		c, err := roster.ParseCondition(text)
		if err != nil {
			return rows, users, exit.Usagef("--where: %w", err)
		}
		rows.Where = append(rows.Where, c)
	}
	return rows, users, nil
}

// Listed reports whether the users are the pool's own, not an input's.
func (src Source) Listed() bool { return len(src.Inputs) == 0 }

// StatesKnown reports whether the pool says what state users are in when it says
// who they are.
func (src Source) StatesKnown() bool { return src.Listed() || src.Match != "" }

// AsksPool reports whether the pool is asked who is meant.
func (src Source) AsksPool() bool {
	return src.Listed() || src.Match != "" || len(src.ExcludeGroups) > 0
}

// Selects reports whether only some of the pool's users are meant.
func (src Source) Selects() bool {
	return len(src.Statuses) > 0 || src.Disabled || !src.CreatedAfter.IsZero() || !src.CreatedBefore.IsZero() ||
		!src.ModifiedAfter.IsZero() || !src.ModifiedBefore.IsZero()
}

// Stdin reports whether standard input is read.
func (src Source) Stdin() bool { return slices.Contains(src.Inputs, roster.Stdin) }

// Nearby are inputs as people here know them: by a path from here, where it is
// short.
func Nearby(names []string) []string {
	names = slices.Clone(names)
	here, err := os.Getwd()
	if err != nil {
		return names
	}
	for i, name := range names {
		if near, err := filepath.Rel(here, name); filepath.IsAbs(name) && err == nil && !strings.HasPrefix(near, "..") {
			names[i] = near
		}
	}
	return names
}

// String says where the users come from.
func (src Source) String() string {
	switch names := Nearby(src.Inputs); {
	case src.AllUsers:
		return "every user of the pool"
	case len(src.Groups) > 0:
		return "members of " + strings.Join(src.Groups, ", ")
	case src.Filter != "":
		return "users with " + src.Filter
	case len(names) == 0:
		return ""
	case len(names) == 1 && names[0] == roster.Stdin:
		return "standard input"
	case len(names) == 1:
		return names[0]
	default:
		return fmt.Sprintf("%d inputs, %s and on", len(names), names[0])
	}
}

// ErrElsewhere is why an input cannot be compared with what it was.
var ErrElsewhere = errors.New("it is not read again")

// InputSum is the SHA-256 of the bytes of the inputs as they are now.
func (src Source) InputSum() (string, error) {
	sum := sha256.New()
	for _, name := range src.Inputs {
		if name == roster.Stdin || strings.Contains(name, "://") {
			return "", ErrElsewhere
		}
		if err := hashFile(sum, name); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// KnownCase reports whether --username-case may be that.
func KnownCase(text string) bool {
	return slices.Contains([]string{"", userpool.CaseSensitive, userpool.CaseInsensitive}, text)
}

// Compares reports whether the users are compared with others.
func (src Source) Compares() bool {
	return len(src.Exclude)+len(src.ExcludeGroups)+len(src.History) > 0
}
