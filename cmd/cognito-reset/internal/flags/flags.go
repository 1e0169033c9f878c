// Package flags has the flags of the command line, and makes a [spec.Spec] of them.
package flags

import (
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// The groups of the help text.
const (
	Input    = "Input"
	Response = "Response"
	Pace     = "Pace"
	Safety   = "Safety"
	AWS      = "AWS"
	Output   = "Output"
)

// Env is the environment variable of a flag.
func Env(name string) []string {
	return []string{"COGNITO_RESET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
}

// String is a flag that takes a text, in a group of the help text.
func String(group, name, value, usage string) *cli.StringFlag {
	return &cli.StringFlag{Category: group, Name: name, Value: value, Usage: usage, EnvVars: Env(name)}
}

// Bool is a flag that takes no value.
func Bool(group, name, usage string) *cli.BoolFlag {
	return &cli.BoolFlag{Category: group, Name: name, Usage: usage, EnvVars: Env(name)}
}

// Account are the flags of commands that ask AWS for more than a record.
func Account() []cli.Flag {
	return append(Record(),
		String(AWS, "role-arn", "", "`ARN` of a role to assume, with the profile's credentials"),
		String(AWS, "external-id", "", "`ID` that the role's trust policy asks for"),
		String(AWS, "role-session-name", "", "`NAME` of the role's session, as CloudTrail shows who called (default: cognito-reset- and your login name)"),
		String(AWS, "source-identity", "", "`NAME` of the person, which stays with the role's session; the trust policy must allow sts:SetSourceIdentity"),
	)
}

// Record are the flags of commands that read a run directory, which may be in S3, and
// ask AWS nothing else.
func Record() []cli.Flag {
	return []cli.Flag{
		String(AWS, "profile", "", "`NAME` of the AWS profile"),
		String(AWS, "region", "", "AWS `REGION` (default: the pool id's)"),
		String(AWS, "endpoint-url", "", "`URL` that serves every AWS service called"),
		expectedBucketOwner(),
		String(AWS, "s3-kms-key", "", "`KEY` of AWS KMS that encrypts a record in S3: id, ARN or alias (default: as the bucket says)"),
	}
}

// expectedBucketOwner is --expected-bucket-owner.
func expectedBucketOwner() cli.Flag {
	f := String(AWS, "expected-bucket-owner", "", "have S3 refuse buckets that do not belong to `ACCOUNT`, twelve digits")
	f.Action = func(_ *cli.Context, account string) error { return spec.ValidOwner(account) }
	return f
}

// Display are the flags of commands that show progress, and log.
func Display() []cli.Flag {
	return []cli.Flag{
		Bool(Output, "json", "print the summary as JSON"),
		Bool(Output, "quiet", "show no progress"),
		String(Output, "log-level", "warn", "`debug` (with usernames), info, warn or error"),
		String(Output, "log-format", "text", "`text` or json"),
	}
}

// CSVSafe is the flag of commands that write report.csv.
func CSVSafe() cli.Flag {
	return Bool(Output, "csv-safe", "write report.csv for a spreadsheet to open: no cell is taken for a formula")
}

// Workbook is the flag of runs that write report.xlsx, too.
func Workbook() cli.Flag {
	return Bool(Output, "xlsx", "write report.xlsx as well, for Excel: summary, rows, and who is not safe yet")
}

// Logger is what --log-level and --log-format ask for.
func Logger(ctx *cli.Context, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(ctx.String("log-level"))); err != nil {
		return nil, exit.Usagef("--log-level is debug, info, warn or error, not %q", ctx.String("log-level"))
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := ctx.String("log-format"); format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, exit.Usagef("--log-format is text or json, not %q", format)
	}
}

// Only refuses flags that another form of the command takes. In the environment
// they may be meant for that.
func Only(ctx *cli.Context, names ...string) error {
	for _, f := range ctx.Command.Flags {
		if name := f.Names()[0]; ctx.IsSet(name) && os.Getenv(Env(name)[0]) == "" && !slices.Contains(names, name) {
			return exit.Usagef("--%s has no meaning here; see cognito-reset %s --help", name, ctx.Command.Name)
		}
	}
	return nil
}

// Lease is for tests, which cannot wait for a minute.
func Lease() cli.Flag {
	return &cli.DurationFlag{Name: "lease", Hidden: true, EnvVars: Env("lease")}
}

// NoArguments refuses what the command would ignore.
func NoArguments(ctx *cli.Context) error {
	if ctx.Args().Present() {
		return exit.Usagef("%q is one argument too many; an input is given as --input FILE (see cognito-reset %s --help)", ctx.Args().First(), ctx.Command.Name)
	}
	return nil
}

// OneDirectory is the run directory that a command takes.
func OneDirectory(ctx *cli.Context) (string, error) {
	if ctx.NArg() != 1 {
		return "", exit.Usagef("%s takes one run directory: cognito-reset %[1]s DIR", ctx.Command.Name)
	}
	return ctx.Args().First(), nil
}

// Config are the flags that take the others from a file.
func Config() []cli.Flag {
	return []cli.Flag{
		String(Input, "config", "", "take from `FILE`, in YAML, the flags that are not given: each by its name, and a list of targets for several user pools"),
		&cli.BoolFlag{Category: Output, Name: "print-config", Usage: "in place of a run show what is set, and where (command line, environment, file), then the defaults"},
	}
}

// Force is --force.
func Force() cli.Flag {
	return &cli.StringSliceFlag{Category: Safety, Name: "force", Usage: "overrule the blocker `NAME` of the preflight (repeatable)", EnvVars: Env("force")}
}

// UserPoolID is --user-pool-id.
func UserPoolID() cli.Flag {
	return String(AWS, "user-pool-id", "", "`ID` of the user pool, such as eu-west-1_AbCdEfGhI")
}
