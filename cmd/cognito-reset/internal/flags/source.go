package flags

import (
	"strings"
	"time"

	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// ReadSource takes from the command line who is meant. Times before now count from it.
// It is a list of flags, and as long as there are.
func ReadSource(ctx *cli.Context, now time.Time) (src spec.Source, err error) {
	src = spec.Source{
		Match: ctx.String("match"), UsernameCase: ctx.String("username-case"),
		AllUsers: ctx.Bool("all-users"), Groups: ctx.StringSlice("group"), Filter: ctx.String("filter"),
		Statuses: ctx.StringSlice("status"), Disabled: ctx.Bool("include-disabled") || !ctx.Bool("enabled-only"),
	}
	if src.Reading, err = ReadReading(ctx, ""); err != nil {
		return src, err
	}
	if src.ExcludeAs, err = ReadReading(ctx, spec.ExcludePrefix); err != nil {
		return src, err
	}
	inputs := ctx.StringSlice("input")
	if name := ctx.String("from-report"); name != "" {
		inputs, src.FromReport, src.UsernameColumn = append(inputs, name), true, "username"
	}
	if src.Inputs, err = spec.Expand(inputs); err != nil {
		return src, exit.Refusef("--input: %w", err)
	}
	if src.Exclude, err = spec.Expand(ctx.StringSlice("exclude")); err != nil {
		return src, exit.Refusef("--exclude: %w", err)
	}
	if len(src.Exclude) == 0 {
		if src.ExcludeAs != (spec.Reading{Format: roster.Auto}) {
			return src, exit.Usagef("--exclude-format, --exclude-username-column and the like say how the files of --exclude are read: name one")
		}
		src.ExcludeAs = spec.Reading{}
	}
	if src.History, err = spec.Absolute(ctx.StringSlice("history")); err != nil {
		return src, err
	}
	src.Where, src.OrderBy = ctx.StringSlice("where"), ctx.String("order-by")
	src.Keep, src.Tell = ColumnsOf(ctx, "keep-column"), ColumnsOf(ctx, "client-metadata-from-columns")
	src.Sample, src.Seed, src.Limit = ctx.Int("sample"), ctx.Uint64("seed"), ctx.Int64("limit")
	src.ExcludeGroups = ctx.StringSlice("exclude-group")
	if only := ctx.String("exclude-only"); only != "" {
		if src.ExcludeOnly, err = roster.ParseOnly(only); err != nil {
			return src, exit.Usagef("--exclude-only: %w", err)
		}
	}
	if only := ctx.String("only"); only != "" {
		if src.Only, err = roster.ParseOnly(only); err != nil {
			return src, exit.Usagef("--only: %w", err)
		}
	}
	if country := ctx.String("phone-country"); country != "" {
		if src.PhoneCountry, err = roster.ParseCountry(country); err != nil {
			return src, exit.Usagef("--phone-country: %w", err)
		}
	}
	if src.ClientMetadata, err = spec.ParseMetadata(ctx.StringSlice("client-metadata")); err != nil {
		return src, exit.Usagef("%w", err)
	}
	for name, at := range map[string]*time.Time{
		"created-after": &src.CreatedAfter, "created-before": &src.CreatedBefore,
		"modified-after": &src.ModifiedAfter, "modified-before": &src.ModifiedBefore,
		"not-reset-within": &src.ResetBefore,
	} {
		if *at, err = spec.When(ctx.String(name), now); err != nil {
			return src, exit.Usagef("--%s: %w", name, err)
		}
	}
	if src.RotateEvery = ctx.String("rotate-every"); src.RotateEvery != "" {
		if !src.ResetBefore.IsZero() {
			return src, exit.Usagef("--rotate-every and --not-reset-within are two ways to say since when; give one")
		}
		if src.ResetBefore, err = spec.PeriodStart(src.RotateEvery, now); err != nil {
			return src, exit.Usagef("--rotate-every: %w", err)
		}
	}
	return src, nil
}

// ColumnsOf are the columns that a flag names, each once or with commas between.
func ColumnsOf(ctx *cli.Context, flag string) (columns []string) {
	for _, list := range ctx.StringSlice(flag) {
		for name := range strings.SplitSeq(list, ",") {
			columns = append(columns, strings.TrimSpace(name))
		}
	}
	return columns
}

// ReadReading takes from the command line how files are read.
func ReadReading(ctx *cli.Context, prefix string) (spec.Reading, error) {
	text := func(name string) string { return ctx.String(prefix + name) }
	r := spec.Reading{
		Format: roster.Format(text("format")), UsernameColumn: text("username-column"), Delimiter: text("delimiter"),
		NoHeader: ctx.Bool(prefix + "no-header"), Encoding: text("encoding"), Sheet: text("sheet"),
	}
	_, err := spec.ParseDelimiter(prefix+"delimiter", r.Delimiter)
	return r, err
}
