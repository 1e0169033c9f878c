package main

import (
	"io"
	"log/slog"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/userpool"
)

// The groups of the help text.
const (
	groupInput  = "Input"
	groupPace   = "Pace"
	groupSafety = "Safety"
	groupAWS    = "AWS"
	groupOutput = "Output"
)

func env(name string) []string {
	return []string{"COGNITO_RESET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
}

func stringFlag(group, name, value, usage string) *cli.StringFlag {
	return &cli.StringFlag{Category: group, Name: name, Value: value, Usage: usage, EnvVars: env(name)}
}

func boolFlag(group, name, usage string) *cli.BoolFlag {
	return &cli.BoolFlag{Category: group, Name: name, Usage: usage, EnvVars: env(name)}
}

func inputFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupInput, "input", "", "read users from `FILE`; - is standard input"),
		stringFlag(groupInput, "format", "auto", "`auto`, csv or jsonl"),
		stringFlag(groupInput, "username-column", "", "`NAME` of the column (or JSON key) that holds the username"),
		stringFlag(groupInput, "delimiter", "", "`C`haracter between CSV columns; tab is one (default: found)"),
		boolFlag(groupInput, "no-header", "the first line of the CSV is a user, not a header"),
		&cli.StringSliceFlag{Category: groupInput, Name: "client-metadata", Usage: "`KEY=VALUE` for the pool's triggers (repeatable)", EnvVars: env("client-metadata")},
	}
}

func paceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Float64Flag{Category: groupPace, Name: "rate", Value: 20, Usage: "at most `N` calls a second of Cognito's fixed 30, shared with live users; 0 is no limit", EnvVars: env("rate")},
		&cli.IntFlag{Category: groupPace, Name: "workers", Usage: "at most `N` users at a time (default: as many as the rate needs)", EnvVars: env("workers")},
		&cli.IntFlag{Category: groupPace, Name: "max-attempts", Value: 8, Usage: "give a user up after `N` attempts; throttled ones do not count", EnvVars: env("max-attempts")},
	}
}

func safetyFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupSafety, "on-unknown", "report", "where no read-back can tell if a user was reset: `report`, or retry and risk a second message"),
		&cli.DurationFlag{Category: groupSafety, Name: "settle-after", Value: userpool.Linger, Usage: "believe a read-back that finds nothing done only this `LONG` after the call", EnvVars: env("settle-after")},
		&cli.DurationFlag{Category: groupSafety, Name: "grace", Value: 25 * time.Second, Usage: "`TIME` for calls in flight to finish after a signal", EnvVars: env("grace")},
	}
}

func awsFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupAWS, "profile", "", "`NAME` of the AWS profile"),
		stringFlag(groupAWS, "region", "", "AWS `REGION` (default: the pool id's)"),
		stringFlag(groupAWS, "endpoint-url", "", "`URL` that serves every AWS service called"),
	}
}

func outputFlags() []cli.Flag {
	return []cli.Flag{
		boolFlag(groupOutput, "json", "print the summary as JSON"),
		boolFlag(groupOutput, "quiet", "show no progress"),
		stringFlag(groupOutput, "log-level", "warn", "`debug` (with usernames), info, warn or error"),
		stringFlag(groupOutput, "log-format", "text", "`text` or json"),
	}
}

// settings are what may change from one session of a run to the next. They
// stand in run.json as they were asked for last.
type settings struct {
	Rate        float64 `json:"rate"`    // calls a second; 0 is no limit
	Workers     int     `json:"workers"` // 0 is as many as the rate needs
	MaxAttempts int     `json:"max_attempts"`
	OnUnknown   string  `json:"on_unknown"`
	SettleAfter seconds `json:"settle_after_seconds"`
	Grace       seconds `json:"grace_seconds"`
	Profile     string  `json:"profile"`
	Region      string  `json:"region"`
	EndpointURL string  `json:"endpoint_url"`
}

type seconds float64

func (s seconds) duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// read takes from the command line what it gives: everything at first, later
// only what was set.
func (s *settings) read(ctx *cli.Context, first bool) error {
	given := func(name string) bool { return first || ctx.IsSet(name) }
	if given("rate") {
		s.Rate = ctx.Float64("rate")
	}
	if given("workers") {
		s.Workers = ctx.Int("workers")
	}
	if given("max-attempts") {
		s.MaxAttempts = ctx.Int("max-attempts")
	}
	if given("on-unknown") {
		s.OnUnknown = ctx.String("on-unknown")
	}
	if given("settle-after") {
		s.SettleAfter = seconds(ctx.Duration("settle-after").Seconds())
	}
	if given("grace") {
		s.Grace = seconds(ctx.Duration("grace").Seconds())
	}
	if given("profile") {
		s.Profile = ctx.String("profile")
	}
	if given("region") {
		s.Region = ctx.String("region")
	}
	if given("endpoint-url") {
		s.EndpointURL = ctx.String("endpoint-url")
	}
	switch {
	case s.Rate < 0 || math.IsNaN(s.Rate) || math.IsInf(s.Rate, 0):
		return usagef("--rate is a number of calls a second, 0 for no limit; not %v", s.Rate)
	case s.Workers < 0:
		return usagef("--workers cannot be negative")
	case s.MaxAttempts < 1:
		return usagef("--max-attempts is at least 1")
	case s.OnUnknown != "report" && s.OnUnknown != "retry":
		return usagef("--on-unknown is report or retry, not %q", s.OnUnknown)
	case s.SettleAfter < 0 || s.Grace < 0:
		return usagef("--settle-after and --grace cannot be negative")
	}
	return nil
}

// workers is how many users to work on at most. What a rate needs is its number
// of calls under way at the latency of a slow pool, 15 s; the run itself uses
// no more of them than the latency it meets asks for.
func (s settings) workers() int {
	switch {
	case s.Workers > 0:
		return s.Workers
	case s.Rate == 0:
		return 64
	}
	return min(max(16, int(math.Ceil(s.Rate*15))), 1024)
}

// delimiter reads --delimiter.
func delimiter(text string) (rune, error) {
	switch text {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || r == utf8.RuneError {
		return 0, usagef("--delimiter is one character, or tab; not %q", text)
	}
	return r, nil
}

// keyValues reads a repeated KEY=VALUE flag.
func keyValues(name string, pairs []string) (map[string]string, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	values := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("--%s takes KEY=VALUE, not %q", name, pair)
		}
		values[key] = value
	}
	return values, nil
}

// logger reads --log-level and --log-format.
func logger(ctx *cli.Context, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(ctx.String("log-level"))); err != nil {
		return nil, usagef("--log-level is debug, info, warn or error, not %q", ctx.String("log-level"))
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := ctx.String("log-format"); format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, usagef("--log-format is text or json, not %q", format)
	}
}
