package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/roster/s3input"
	"cognito-reset/batch/userpool"
	"cognito-reset/report"
)

// A source is where the users of a run come from: files, or the pool itself.
type source struct {
	Inputs         []string          `json:"inputs,omitempty"`       // absolute paths, URLs, or - for standard input
	Read           []roster.Source   `json:"read,omitempty"`         // what they were
	InputSHA256    string            `json:"input_sha256,omitempty"` // of the bytes of all of them
	reading                          // of the inputs
	Notices        []string          `json:"input_notices,omitempty"` // what a person should know of the inputs
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
	ExcludeAs     reading   `json:"exclude_as,omitzero"`
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

func inputFlags() []cli.Flag {
	list := func(name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Category: groupInput, Name: name, Usage: usage, EnvVars: env(name)}
	}
	flags := []cli.Flag{
		list("input", "read users from `FILE`: a path, a pattern such as 'exports/*.csv.gz', or - for standard input (repeatable)"),
		stringFlag(groupInput, "match", "", "what the input's values are: `username`, email, phone_number, sub or preferred_username; the pool is asked whose they are"),
		usernameCaseFlag(),
		stringFlag(groupInput, "phone-country", "", "`COUNTRY` of phone numbers that do not name theirs, such as DE; with --match phone_number or --exclude"),
		clientMetadataFlag(groupInput),
		stringFlag(groupInput, "from-report", "", "in place of an input: the users of a report, `FILE`"),
		stringFlag(groupInput, "only", "", "of a report, the rows with these `WORDS`: outcomes and reasons, such as failed,unknown,throttled"),
		list("where", "of the input, the rows with `COLUMN=VALUE`, COLUMN!=VALUE, COLUMN~REGEX, or COLUMN<VALUE (<=, >, >=) of numbers and dates (repeatable: all must hold)"),
		list("client-metadata-from-columns", "hand `COLUMN` of the input to the pool's triggers with each user (repeatable, or with commas)"),
		list("keep-column", "carry column `NAME` of the input into the report (repeatable, or with commas)"),
		stringFlag(groupInput, "order-by", "", "work in the order of `COLUMN`; COLUMN:desc turns it round"),
		list("exclude", "leave out the users of `FILE`, such as break-glass accounts (repeatable)"),
		stringFlag(groupInput, "exclude-only", "", "of a report given to --exclude, the rows with these `WORDS`: outcomes and reasons, such as reset,locked"),
		list("exclude-group", "leave out the members of group `NAME` (repeatable)"),
		stringFlag(groupInput, "not-reset-within", "", "leave out whom a run of --history has reset `SINCE`: a date, a time, or 90d for as long ago"),
		stringFlag(groupInput, "rotate-every", "", "leave out whom a run of --history has reset in this `PERIOD` already: quarter, month or year by the calendar (UTC), or 90d"),
		list("history", "an earlier run's `DIR`, or a folder with such at any depth, or s3://bucket/prefix (repeatable)"),
		&cli.IntFlag{Category: groupInput, Name: "sample", Usage: "so many users by chance, `N`", EnvVars: env("sample")},
		&cli.Uint64Flag{Category: groupInput, Name: "seed", Usage: "`N` decides the sample; the same seed makes the same sample", EnvVars: env("seed")},
		&cli.Int64Flag{Category: groupInput, Name: "limit", Usage: "at most `N` users", EnvVars: env("limit")},
		boolFlag(groupInput, "all-users", "in place of an input: every user of the pool"),
		list("group", "in place of an input: the members of group `NAME` (repeatable)"),
		stringFlag(groupInput, "filter", "", `in place of an input: whom a ListUsers `+"`FILTER`"+` names, such as 'email ^= "ann"'`),
		list("status", "of the pool's users, those of `STATUS`, such as CONFIRMED (repeatable)"),
		&cli.BoolFlag{Category: groupInput, Name: "enabled-only", Value: true, Usage: "of the pool's users, skip those who are disabled (the default)", EnvVars: env("enabled-only")},
		boolFlag(groupInput, "include-disabled", "of the pool's users, do not skip those who are disabled"),
		stringFlag(groupInput, "created-after", "", "of the pool's users, those created from `WHEN` on: a date, a time, 90d for as long ago, or quarter, month or year for when that began"),
		stringFlag(groupInput, "created-before", "", "and before `WHEN`"),
		stringFlag(groupInput, "modified-after", "", "of the pool's users, those changed from `WHEN` on"),
		stringFlag(groupInput, "modified-before", "", "and not since `WHEN`"),
	}
	flags = slices.Insert(flags, 1, readingFlags()...)
	after := slices.IndexFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == "exclude" }) + 1
	return slices.Insert(flags, after, excludeFlags()...)
}

// read takes the source from the command line.
func (src *source) read(ctx *cli.Context, now time.Time) (err error) {
	*src = source{
		Match: ctx.String("match"), UsernameCase: ctx.String("username-case"),
		AllUsers: ctx.Bool("all-users"), Groups: ctx.StringSlice("group"), Filter: ctx.String("filter"),
		Statuses: ctx.StringSlice("status"), Disabled: ctx.Bool("include-disabled") || !ctx.Bool("enabled-only"),
	}
	if src.reading, err = readReading(ctx, ""); err != nil {
		return err
	}
	if src.ExcludeAs, err = readReading(ctx, excludePrefix); err != nil {
		return err
	}
	inputs := ctx.StringSlice("input")
	if name := ctx.String("from-report"); name != "" {
		inputs, src.FromReport, src.UsernameColumn = append(inputs, name), true, "username"
	}
	if src.Inputs, err = expand(inputs); err != nil {
		return usagef("--input: %w; nothing was sent", err)
	}
	if src.Exclude, err = expand(ctx.StringSlice("exclude")); err != nil {
		return usagef("--exclude: %w; nothing was sent", err)
	}
	if len(src.Exclude) == 0 {
		if src.ExcludeAs != (reading{Format: roster.Auto}) {
			return usagef("--exclude-format, --exclude-username-column and the like say how the files of --exclude are read: name one")
		}
		src.ExcludeAs = reading{}
	}
	if src.History, err = absolute(ctx.StringSlice("history")); err != nil {
		return err
	}
	src.Where, src.OrderBy = ctx.StringSlice("where"), ctx.String("order-by")
	src.Keep, src.Tell = columnsOf(ctx, "keep-column"), columnsOf(ctx, "client-metadata-from-columns")
	src.Sample, src.Seed, src.Limit = ctx.Int("sample"), ctx.Uint64("seed"), ctx.Int64("limit")
	src.ExcludeGroups = ctx.StringSlice("exclude-group")
	if only := ctx.String("exclude-only"); only != "" {
		if src.ExcludeOnly, err = roster.ParseOnly(only); err != nil {
			return usagef("--exclude-only: %w", err)
		}
	}
	if only := ctx.String("only"); only != "" {
		if src.Only, err = roster.ParseOnly(only); err != nil {
			return usagef("--only: %w", err)
		}
	}
	if country := ctx.String("phone-country"); country != "" {
		if src.PhoneCountry, err = roster.ParseCountry(country); err != nil {
			return usagef("--phone-country: %w", err)
		}
	}
	if src.ClientMetadata, err = clientMetadata(ctx.StringSlice("client-metadata")); err != nil {
		return usagef("%w", err)
	}
	for name, at := range map[string]*time.Time{
		"created-after": &src.CreatedAfter, "created-before": &src.CreatedBefore,
		"modified-after": &src.ModifiedAfter, "modified-before": &src.ModifiedBefore,
		"not-reset-within": &src.ResetBefore,
	} {
		if *at, err = when(ctx.String(name), now); err != nil {
			return usagef("--%s: %w", name, err)
		}
	}
	if src.RotateEvery = ctx.String("rotate-every"); src.RotateEvery != "" {
		if !src.ResetBefore.IsZero() {
			return usagef("--rotate-every and --not-reset-within are two ways to say since when; give one")
		}
		if src.ResetBefore, err = periodStart(src.RotateEvery, now); err != nil {
			return usagef("--rotate-every: %w", err)
		}
	}
	return src.check(len(ctx.StringSlice("input")))
}

// columnsOf are the columns that a flag names, each once or with commas between.
func columnsOf(ctx *cli.Context, flag string) (columns []string) {
	for _, list := range ctx.StringSlice(flag) {
		for name := range strings.SplitSeq(list, ",") {
			columns = append(columns, strings.TrimSpace(name))
		}
	}
	return columns
}

// expand makes absolute paths of patterns: a resume may be asked for from
// another folder.
func expand(patterns []string) ([]string, error) {
	names, err := roster.Expand(patterns)
	if err != nil {
		return nil, err
	}
	return absolute(names)
}

func absolute(names []string) (_ []string, err error) {
	for i, name := range names {
		if name != roster.Stdin && !strings.Contains(name, "://") {
			if names[i], err = filepath.Abs(name); err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

// errNobody is that no users were named.
var errNobody = errors.New("say who")

// check finds what does not go together.
func (src *source) check(inputs int) error {
	ways := 0
	for _, given := range []bool{inputs > 0, src.FromReport, src.AllUsers, len(src.Groups) > 0, src.Filter != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return usagef("%w: --input FILE (- is standard input), --from-report FILE, --all-users, --group NAME or --filter FILTER", errNobody)
	case ways > 1:
		return usagef("--input, --from-report, --all-users, --group and --filter are five ways to say who; give one")
	case len(src.Only) > 0 && !src.FromReport:
		return usagef("--only chooses among the rows of a report: it goes with --from-report")
	case len(src.Exclude) == 0 && len(src.ExcludeOnly) > 0:
		return usagef("--exclude-only chooses among the rows of reports given to --exclude: name one")
	case !knownCase(src.UsernameCase):
		return usagef("--username-case is sensitive or insensitive, not %q", src.UsernameCase)
	case src.listed() && len(src.Where)+len(src.Keep)+len(src.Tell)+len(src.OrderBy) > 0:
		return usagef("--where, --keep-column, --client-metadata-from-columns and --order-by are about the columns of an input; the pool's own users have none")
	case slices.Contains(src.Keep, report.SafeColumn):
		return usagef("--keep-column %s: the report has a column of its own of that name; rename the input's", report.SafeColumn)
	case src.PhoneCountry != "" && src.Match != "phone_number" && len(src.Exclude) == 0:
		return usagef("--phone-country is about phone numbers: it goes with --match phone_number or --exclude")
	case src.Sample < 0 || src.Limit < 0:
		return usagef("--sample and --limit cannot be negative")
	case src.ResetBefore.IsZero() != (len(src.History) == 0):
		return usagef("--not-reset-within or --rotate-every and --history go together: since when, and the runs that know")
	case src.Match != "" && len(src.Inputs) == 0:
		return usagef("--match says what the values of an --input are; the pool's own users need none")
	case src.FromReport && src.Match != "" && src.Match != "username":
		return usagef("--match %s says what the values of an --input are; a report has usernames: leave it out, or say --match username", src.Match)
	case src.Match != "" && !slices.Contains(userpool.MatchAttributes, src.Match):
		return usagef("--match is one of %s, not %q", strings.Join(userpool.MatchAttributes, ", "), src.Match)
	case !src.listed() && src.Match == "" && src.selects():
		return usagef("--status, --include-disabled, --created-… and --modified-… choose among the pool's users: they go with --all-users, --group, --filter or --match")
	}
	for _, status := range src.Statuses {
		if !slices.Contains(types.UserStatusType("").Values(), types.UserStatusType(status)) {
			return usagef("--status: there is no %q; the states are %v", status, types.UserStatusType("").Values())
		}
	}
	if _, err := userpool.ParseFilter(src.Filter); src.Filter != "" && err != nil {
		return usagef("--filter: %w", err)
	}
	_, _, err := src.choices()
	return err
}

// choices are which rows of an input are taken, and then which users, in what
// order.
func (src *source) choices() (rows, users roster.Selection, err error) {
	users = roster.Selection{Keep: src.Keep, Sample: src.Sample, Seed: src.Seed, Limit: src.Limit}
	if src.OrderBy != "" {
		if users.OrderBy, err = roster.ParseOrder(src.OrderBy); err != nil {
			return rows, users, usagef("--order-by: %w", err)
		}
	}
	rows = roster.Selection{Keep: users.Columns(), Tell: src.Tell, Only: src.Only}
	for _, text := range src.Where {
		c, err := roster.ParseCondition(text)
		if err != nil {
			return rows, users, usagef("--where: %w", err)
		}
		rows.Where = append(rows.Where, c)
	}
	return rows, users, nil
}

// when reads a date, a time, how long ago, or a period of the calendar, whose beginning
// is meant.
func when(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, ok := ago(text, now); ok {
		return at, nil
	}
	if slices.Contains([]string{"quarter", "month", "year"}, text) {
		return periodStart(text, now)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date such as 2026-01-31, a time such as 2026-01-31T09:00:00Z, a while ago such as 90d or 12h, or quarter, month or year for when that began", text)
}

// ago reads how long before now a time was: 90d, 12w, or as Go has it, 12h30m.
func ago(text string, now time.Time) (time.Time, bool) {
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.Atoi(number)
			return now.AddDate(0, 0, -n*days), err == nil && n >= 0 && n < 1e6
		}
	}
	d, err := time.ParseDuration(text)
	return now.Add(-d), err == nil && d >= 0
}

// listed tells that the users are the pool's own, not an input's.
func (src *source) listed() bool { return len(src.Inputs) == 0 }

// told tells that the pool says what the users are when it says who.
func (src *source) told() bool { return src.listed() || src.Match != "" }

// ofPool tells that the pool is asked who is meant.
func (src *source) ofPool() bool {
	return src.listed() || src.Match != "" || len(src.ExcludeGroups) > 0
}

func (src *source) selects() bool {
	return len(src.Statuses) > 0 || src.Disabled || !src.CreatedAfter.IsZero() || !src.CreatedBefore.IsZero() ||
		!src.ModifiedAfter.IsZero() || !src.ModifiedBefore.IsZero()
}

// selection says which of the pool's users are meant.
func (s *session) selection() userpool.Selection {
	src := s.request.source
	sel := userpool.Selection{
		Again: s.request.IfResetRequired == "again", Recent: s.recent(),
		Disabled: src.Disabled || s.request.IfUnresettable[batch.Disabled] != "", External: s.request.IfUnresettable[batch.ExternalProvider] != "",
		CreatedAfter: src.CreatedAfter, CreatedBefore: src.CreatedBefore,
		ModifiedAfter: src.ModifiedAfter, ModifiedBefore: src.ModifiedBefore,
	}
	for _, status := range src.Statuses {
		sel.Statuses = append(sel.Statuses, types.UserStatusType(status))
	}
	return sel
}

// stdin tells that standard input is read.
func (src *source) stdin() bool { return slices.Contains(src.Inputs, roster.Stdin) }

// nearby are inputs as people here know them: by a path from here, where it is
// short.
func nearby(names []string) []string {
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
func (src *source) String() string {
	switch names := nearby(src.Inputs); {
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

// places are where inputs come from that are not files.
func (s *session) places() roster.Places {
	r := s.request
	return roster.Places{Stdin: s.stdin, Schemes: map[string]roster.Opener{
		s3input.Scheme: s3input.Opener(s3input.Options{Profile: r.Profile, Region: r.Region, EndpointURL: r.EndpointURL}),
	}}
}

// listing yields the pool's own users.
func (s *session) listing(ctx context.Context) iter.Seq2[batch.Entry, error] {
	r := s.request
	users := func(yield func(userpool.User, error) bool) {
		for _, name := range r.Groups {
			for u, err := range s.pool.Group(ctx, name) {
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
		users = s.pool.Users(ctx, filter)
	}
	entries := s.selection().Entries(users)
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

// inOrder counts the rows in the order in which they come, and remembers which
// row of the input each was.
func inOrder(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		row := int64(0)
		for e, err := range entries {
			if row++; e.Row != row {
				e.Row, e.InputRow = row, cmp.Or(e.InputRow, e.Row)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// errElsewhere is why an input cannot be compared with what it was.
var errElsewhere = errors.New("it is not read again")

// inputSum is the SHA-256 of the bytes of the inputs as they are now.
func (src *source) inputSum() (string, error) {
	sum := sha256.New()
	for _, name := range src.Inputs {
		if name == roster.Stdin || strings.Contains(name, "://") {
			return "", errElsewhere
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

// column says how the input is read.
func column(in *roster.Inputs) string {
	how := string(in.Format)
	if in.Sheet != "" {
		how += ", sheet " + in.Sheet
	}
	return how + ", " + cmp.Or(in.Column, "username")
}

func usernameCaseFlag() cli.Flag {
	return stringFlag(groupInput, "username-case", "", "where the pool does not tell: `sensitive` if ann and Ann are two users, insensitive if they are one")
}

// knownCase reports whether --username-case may be that.
func knownCase(text string) bool {
	return slices.Contains([]string{"", userpool.CaseSensitive, userpool.CaseInsensitive}, text)
}
