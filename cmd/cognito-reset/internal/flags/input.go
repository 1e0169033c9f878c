package flags

import (
	"slices"

	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// Source are the flags that say who is meant.
func Source() []cli.Flag {
	list := func(name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Category: Input, Name: name, Usage: usage, EnvVars: Env(name)}
	}
	flags := []cli.Flag{
		list("input", "read users from `FILE`: a path, a pattern such as 'exports/*.csv.gz', or - for standard input (repeatable)"),
		String(Input, "match", "", "the input's values are this `ATTRIBUTE`: username, email, phone_number, sub or preferred_username; the pool is asked whose they are"),
		UsernameCase(),
		String(Input, "phone-country", "", "`COUNTRY` of phone numbers that do not name theirs, such as DE; with --match phone_number or --exclude"),
		ClientMetadata(Input),
		String(Input, "from-report", "", "in place of an input: the users of a report, `FILE`"),
		String(Input, "only", "", "of a report, the rows with these `WORDS`: outcomes and reasons, such as failed,unknown,throttled"),
		list("where", "of the input, the rows with `COLUMN=VALUE`, COLUMN!=VALUE, COLUMN~REGEX, or COLUMN<VALUE (<=, >, >=) of numbers and dates (repeatable: all must hold)"),
		list("client-metadata-from-columns", "hand `COLUMN` of the input to the pool's triggers with each user (repeatable, or with commas)"),
		list("keep-column", "carry column `NAME` of the input into the report (repeatable, or with commas)"),
		String(Input, "order-by", "", "work in the order of `COLUMN`; COLUMN:desc turns it round"),
		list("exclude", "leave out the users of `FILE`, such as break-glass accounts (repeatable)"),
		String(Input, "exclude-only", "", "of a report given to --exclude, the rows with these `WORDS`: outcomes and reasons, such as reset,locked"),
		list("exclude-group", "leave out the members of group `NAME` (repeatable)"),
		String(Input, "not-reset-within", "", "leave out whom a run of --history has reset `SINCE`: a date, a time, or 90d for as long ago"),
		String(Input, "rotate-every", "", "leave out whom a run of --history has reset in this `PERIOD` already: quarter, month or year by the calendar (UTC), or 90d"),
		list("history", "an earlier run's `DIR`, or a folder with such at any depth, or s3://bucket/prefix (repeatable)"),
		&cli.IntFlag{Category: Input, Name: "sample", Usage: "pick `N` users at random", EnvVars: Env("sample")},
		&cli.Uint64Flag{Category: Input, Name: "seed", Usage: "`N` decides the sample; the same seed makes the same sample", EnvVars: Env("seed")},
		&cli.Int64Flag{Category: Input, Name: "limit", Usage: "at most `N` users", EnvVars: Env("limit")},
		Bool(Input, "all-users", "in place of an input: every user of the pool"),
		list("group", "in place of an input: the members of group `NAME` (repeatable)"),
		String(Input, "filter", "", `in place of an input: whom a ListUsers `+"`FILTER`"+` names, such as 'email ^= "ann"'`),
		list("status", "of the pool's users, those of `STATUS`, such as CONFIRMED (repeatable)"),
		&cli.BoolFlag{Category: Input, Name: "enabled-only", Value: true, Usage: "of the pool's users, skip those who are disabled (the default)", EnvVars: Env("enabled-only")},
		Bool(Input, "include-disabled", "of the pool's users, do not skip those who are disabled"),
		String(Input, "created-after", "", "of the pool's users, those created from `WHEN` on: a date, a time, 90d for as long ago, or quarter, month or year for when that began"),
		String(Input, "created-before", "", "and before `WHEN`"),
		String(Input, "modified-after", "", "of the pool's users, those changed from `WHEN` on"),
		String(Input, "modified-before", "", "and not since `WHEN`"),
	}
	flags = slices.Insert(flags, 1, Reading()...)
	after := slices.IndexFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == "exclude" }) + 1
	return slices.Insert(flags, after, excludeReading()...)
}

// UsernameCase is --username-case.
func UsernameCase() cli.Flag {
	return String(Input, "username-case", "", "where the pool does not tell: `sensitive` if ann and Ann are two users, insensitive if they are one")
}

// Reading are the flags that say how files are read.
func Reading() []cli.Flag {
	return []cli.Flag{
		String(Input, "format", "auto", "`auto`, csv, jsonl, json or xlsx"),
		String(Input, "username-column", "", "`NAME` of the column, or of the JSON key (a.b for one a level down), that holds the username"),
		String(Input, "sheet", "", "`NAME` of the workbook's sheet (default: the first)"),
		String(Input, "delimiter", "", "`C`haracter between CSV columns; tab is one (default: found)"),
		String(Input, "encoding", "", "`NAME` of the text's encoding, such as windows-1252 (default: UTF-8 or UTF-16, found)"),
		Bool(Input, "no-header", "the first line is a user, not a header"),
	}
}

// excludeReading are the same for the files of --exclude.
func excludeReading() []cli.Flag {
	return []cli.Flag{
		String(Input, spec.ExcludePrefix+"format", "auto", "of the files of --exclude: `auto`, csv, jsonl, json or xlsx"),
		String(Input, spec.ExcludePrefix+"username-column", "", "of the files of --exclude: `NAME` of the column, or of the JSON key"),
		String(Input, spec.ExcludePrefix+"sheet", "", "of the files of --exclude: `NAME` of the sheet"),
		String(Input, spec.ExcludePrefix+"delimiter", "", "of the files of --exclude: `C`haracter between columns"),
		String(Input, spec.ExcludePrefix+"encoding", "", "of the files of --exclude: `NAME` of the encoding"),
		Bool(Input, spec.ExcludePrefix+"no-header", "of the files of --exclude: the first line is a user"),
	}
}

// ClientMetadata is --client-metadata.
func ClientMetadata(group string) cli.Flag {
	return &cli.StringSliceFlag{
		Category: group, Name: "client-metadata", Usage: "`KEY=VALUE` for the pool's triggers, or KEY=VALUE,KEY=VALUE, or a JSON object (repeatable)", EnvVars: Env("client-metadata"),
	}
}
