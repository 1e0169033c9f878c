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
	"cognito-reset/batch/userpool"
)

// A source is where the users of a run come from: files, or the pool itself.
type source struct {
	Inputs         []string          `json:"inputs,omitempty"`       // absolute paths, URLs, or - for standard input
	Read           []roster.Source   `json:"read,omitempty"`         // what they were
	InputSHA256    string            `json:"input_sha256,omitempty"` // of the bytes of all of them
	Format         roster.Format     `json:"format"`
	UsernameColumn string            `json:"username_column"` // as asked for
	Delimiter      string            `json:"delimiter"`       // likewise
	NoHeader       bool              `json:"no_header"`
	Encoding       string            `json:"encoding"`
	ClientMetadata map[string]string `json:"client_metadata,omitempty"`
	Match          string            `json:"match"` // attribute that the input's values are of; "" is whatever names a user

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
	return []cli.Flag{
		list("input", "read users from `FILE`: a path, a pattern such as 'exports/*.csv.gz', or - for standard input (repeatable)"),
		stringFlag(groupInput, "format", "auto", "`auto`, csv or jsonl"),
		stringFlag(groupInput, "username-column", "", "`NAME` of the column (or JSON key) that holds the username"),
		stringFlag(groupInput, "match", "", "what the input's values are: `username`, email, phone_number, sub or preferred_username; the pool is asked whose they are"),
		stringFlag(groupInput, "delimiter", "", "`C`haracter between CSV columns; tab is one (default: found)"),
		stringFlag(groupInput, "encoding", "", "`NAME` of the text's encoding, such as windows-1252 (default: UTF-8 or UTF-16, found)"),
		boolFlag(groupInput, "no-header", "the first line of the CSV is a user, not a header"),
		list("client-metadata", "`KEY=VALUE` for the pool's triggers (repeatable)"),
		boolFlag(groupInput, "all-users", "in place of an input: every user of the pool"),
		list("group", "in place of an input: the members of group `NAME` (repeatable)"),
		stringFlag(groupInput, "filter", "", `in place of an input: whom a ListUsers `+"`FILTER`"+` names, such as 'email ^= "ann"'`),
		list("status", "of the pool's users, those of `STATUS`, such as CONFIRMED (repeatable)"),
		boolFlag(groupInput, "include-disabled", "of the pool's users, do not skip those who are disabled"),
		stringFlag(groupInput, "created-after", "", "of the pool's users, those created from `WHEN` on: a date, a time, or 90d for as long ago"),
		stringFlag(groupInput, "created-before", "", "and before `WHEN`"),
		stringFlag(groupInput, "modified-after", "", "of the pool's users, those changed from `WHEN` on"),
		stringFlag(groupInput, "modified-before", "", "and not since `WHEN`"),
	}
}

// read takes the source from the command line.
func (src *source) read(ctx *cli.Context, now time.Time) (err error) {
	*src = source{
		Format:         roster.Format(ctx.String("format")),
		UsernameColumn: ctx.String("username-column"), Delimiter: ctx.String("delimiter"), NoHeader: ctx.Bool("no-header"),
		Encoding: ctx.String("encoding"), Match: ctx.String("match"),
		AllUsers: ctx.Bool("all-users"), Groups: ctx.StringSlice("group"), Filter: ctx.String("filter"),
		Statuses: ctx.StringSlice("status"), Disabled: ctx.Bool("include-disabled"),
	}
	if src.Inputs, err = roster.Expand(ctx.StringSlice("input")); err != nil {
		return usagef("--input: %w; nothing was sent", err)
	}
	for i, name := range src.Inputs { // a resume may be asked for from another folder
		if name != roster.Stdin && !strings.Contains(name, "://") {
			if src.Inputs[i], err = filepath.Abs(name); err != nil {
				return err
			}
		}
	}
	if src.ClientMetadata, err = keyValues("client-metadata", ctx.StringSlice("client-metadata")); err != nil {
		return err
	}
	for name, at := range map[string]*time.Time{
		"created-after": &src.CreatedAfter, "created-before": &src.CreatedBefore,
		"modified-after": &src.ModifiedAfter, "modified-before": &src.ModifiedBefore,
	} {
		if *at, err = when(ctx.String(name), now); err != nil {
			return usagef("--%s: %w", name, err)
		}
	}
	return src.check()
}

// check finds what does not go together.
func (src *source) check() error {
	ways := 0
	for _, given := range []bool{len(src.Inputs) > 0, src.AllUsers, len(src.Groups) > 0, src.Filter != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways == 0:
		return usagef("say who: --input FILE (- is standard input), --all-users, --group NAME or --filter FILTER")
	case ways > 1:
		return usagef("--input, --all-users, --group and --filter are four ways to say who; give one")
	case src.Match != "" && len(src.Inputs) == 0:
		return usagef("--match says what the values of an --input are; the pool's own users need none")
	case src.Match != "" && !slices.Contains(userpool.MatchAttributes, src.Match):
		return usagef("--match is one of %s, not %q", strings.Join(userpool.MatchAttributes, ", "), src.Match)
	case !src.ofPool() && src.selects():
		return usagef("--status, --include-disabled, --created-… and --modified-… choose among the pool's users: they go with --all-users, --group, --filter or --match")
	}
	for _, status := range src.Statuses {
		if !slices.Contains(types.UserStatusType("").Values(), types.UserStatusType(status)) {
			return usagef("--status: there is no %q; the states are %v", status, types.UserStatusType("").Values())
		}
	}
	_, err := userpool.ParseFilter(src.Filter)
	if src.Filter != "" && err != nil {
		return usagef("--filter: %w", err)
	}
	_, err = delimiter(src.Delimiter)
	return err
}

// when reads a date, a time, or how long ago.
func when(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date such as 2026-01-31, a time such as 2026-01-31T09:00:00Z, or a while ago such as 90d or 12h", text)
}

// listed tells that the users are the pool's own, not an input's.
func (src *source) listed() bool { return len(src.Inputs) == 0 }

// ofPool tells that the pool is asked who is meant.
func (src *source) ofPool() bool { return src.listed() || src.Match != "" }

func (src *source) selects() bool {
	return len(src.Statuses) > 0 || src.Disabled || !src.CreatedAfter.IsZero() || !src.CreatedBefore.IsZero() ||
		!src.ModifiedAfter.IsZero() || !src.ModifiedBefore.IsZero()
}

func (src *source) selection() userpool.Selection {
	sel := userpool.Selection{
		Disabled: src.Disabled, CreatedAfter: src.CreatedAfter, CreatedBefore: src.CreatedBefore,
		ModifiedAfter: src.ModifiedAfter, ModifiedBefore: src.ModifiedBefore,
	}
	for _, status := range src.Statuses {
		sel.Statuses = append(sel.Statuses, types.UserStatusType(status))
	}
	return sel
}

// stdin tells that standard input is read.
func (src *source) stdin() bool { return slices.Contains(src.Inputs, roster.Stdin) }

// names are the inputs as people here know them: by a path from here, where it
// is short.
func (src *source) names() []string {
	names := slices.Clone(src.Inputs)
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
	switch names := src.names(); {
	case src.AllUsers:
		return "every user of the pool"
	case len(src.Groups) > 0:
		return "members of " + strings.Join(src.Groups, ", ")
	case src.Filter != "":
		return "users with " + src.Filter
	case len(names) == 1 && names[0] == roster.Stdin:
		return "standard input"
	case len(names) == 1:
		return names[0]
	default:
		return fmt.Sprintf("%d inputs, %s and on", len(names), names[0])
	}
}

// openInputs opens the first of the request's inputs.
func (s *session) openInputs(ctx context.Context) (*roster.Inputs, error) {
	r := s.request
	comma, err := delimiter(r.Delimiter)
	if err != nil {
		return nil, err
	}
	return roster.OpenInputs(ctx, r.names(), roster.Places{Stdin: s.stdin}, roster.Options{
		Format: r.Format, Column: r.UsernameColumn, Delimiter: comma, NoHeader: r.NoHeader,
		Encoding: r.Encoding, PoolID: r.UserPoolID, ClientMetadata: r.ClientMetadata,
	})
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
	entries := r.selection().Entries(users)
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

// spool writes the roster into the run directory. in is nil where the pool's own
// users are meant.
func (s *session) spool(ctx context.Context, in *roster.Inputs) (err error) {
	r := &s.request
	fold := s.fold(ctx)
	switch {
	case in == nil:
		r.Roster, err = s.dir.Spool(roster.Unique(s.listing(ctx), fold))
	case r.Match == "":
		r.Roster, err = s.dir.Spool(roster.Unique(in.Entries(), fold))
	default: // the values are read twice, so they are spooled first
		if _, err = s.dir.Spool(in.Entries()); err == nil {
			r.Roster, err = s.dir.Spool(roster.Unique(s.pool.Match(ctx, r.Match, r.selection(), s.dir.Entries()), fold))
		}
	}
	if in != nil && err == nil {
		r.Read, r.InputSHA256 = in.Sources(), in.SHA256()
	}
	return err
}

// fold is how the pool compares usernames. Where that is not known, letters
// count as they are.
func (s *session) fold(ctx context.Context) func(string) string {
	if s.pool == nil {
		return nil
	}
	if settings, err := s.settings(ctx); err == nil && !settings.CaseSensitive {
		return settings.Fold
	}
	return nil
}

// settings are the pool's, asked for once.
func (s *session) settings(ctx context.Context) (userpool.Settings, error) {
	if s.described == nil {
		s.described = new(described)
		s.described.Settings, s.described.err = s.pool.Settings(ctx)
	}
	return s.described.Settings, s.described.err
}

type described struct {
	userpool.Settings
	err error
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
	return fmt.Sprintf("%s, %s", in.Format, cmp.Or(in.Column, "username"))
}
