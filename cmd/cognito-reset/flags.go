package main

import (
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
)

// The groups of the help text.
const (
	groupInput    = "Input"
	groupResponse = "Response"
	groupPace     = "Pace"
	groupSafety   = "Safety"
	groupAWS      = "AWS"
	groupOutput   = "Output"
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

func paceFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupPace, "rate", "20", "at most `N` calls a second of Cognito's fixed 30, shared with live users; auto looks the quota up, 0 is no limit"),
		&cli.Float64Flag{Category: groupPace, Name: "update-rate", Value: 16, Usage: "at most `N` sign-outs and disablings a second of Cognito's fixed 25, shared with live users; 0 is no limit", EnvVars: env("update-rate")},
		stringFlag(groupPace, "headroom", "33%", "`SHARE` that --rate auto leaves to live users, besides what they took at their peak"),
		&cli.IntFlag{Category: groupPace, Name: "workers", Usage: "at most `N` users at a time (default: as many as the rate needs)", EnvVars: env("workers")},
		&cli.IntFlag{Category: groupPace, Name: "max-attempts", Value: 8, Usage: "give a user up after `N` attempts; throttled ones do not count", EnvVars: env("max-attempts")},
	}
}

func safetyFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupPace, "wave-gate", "0%", "begin a wave when this `SHARE` of the last have a new password, or their codes have died after an hour"),
		stringFlag(groupSafety, "stop-on-failures", "50%", "stop at `N` or N% of the last 100 users, after the first 20, failing in a way that is not their own; off does not"),
		&cli.IntFlag{Category: groupSafety, Name: "canary", Usage: "do the first `N` users, show how they fared, and ask before the others", EnvVars: env("canary")},
		&cli.IntFlag{Category: groupSafety, Name: "canary-random", Usage: "the same with `N` users chosen at random", EnvVars: env("canary-random")},
		&cli.IntFlag{Category: groupPace, Name: "wave-size", Usage: "after every `N` users wait, by --wave-pause or --wave-gate", EnvVars: env("wave-size")},
		&cli.DurationFlag{Category: groupPace, Name: "wave-pause", Usage: "`TIME` between waves, such as 30m", EnvVars: env("wave-pause")},
		&cli.IntFlag{Category: groupSafety, Name: "max-resets", Usage: "stop after `N` resets a day, counted from 09:00 UTC as Cognito counts messages", EnvVars: env("max-resets")},
		stringFlag(groupSafety, "on-message-limit", "stop", "at the daily message limit: `stop`, or wait until 09:00 UTC and go on"),
		&cli.DurationFlag{Category: groupSafety, Name: "deadline", Usage: "stop after this `TIME`, such as 6h", EnvVars: env("deadline")},
		stringFlag(groupSafety, "until", "", "stop at the next `HH:MM`, local time"),
		stringFlag(groupSafety, "on-unknown", "report", "where no read-back can tell if a user was reset: `report`, or retry and risk a second message"),
		&cli.DurationFlag{Category: groupSafety, Name: "settle-after", Value: userpool.Linger, Usage: "believe a read-back that finds nothing done only this `LONG` after the call", EnvVars: env("settle-after")},
		&cli.DurationFlag{Category: groupSafety, Name: "grace", Value: 25 * time.Second, Usage: "`TIME` for calls in flight to finish after a signal", EnvVars: env("grace")},
	}
}

func awsFlags() []cli.Flag {
	return append(recordFlags(),
		stringFlag(groupAWS, "role-arn", "", "`ARN` of a role to assume, with the profile's credentials"),
		stringFlag(groupAWS, "external-id", "", "`ID` that the role's trust policy asks for"),
	)
}

// recordFlags are of the commands that read a run directory, which may be in S3, and
// ask AWS nothing else.
func recordFlags() []cli.Flag {
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

// csvSafeFlag is of the commands that write report.csv.
func csvSafeFlag() cli.Flag {
	return boolFlag(groupOutput, "csv-safe", "write report.csv for a spreadsheet to open: no cell is taken for a formula")
}

// settings are what may change from one session of a run to the next. They
// stand in run.json as they were asked for last.
type settings struct {
	Rate           float64 `json:"rate"`        // calls a second; 0 is no limit
	RateAuto       string  `json:"rate_auto"`   // how it was found; "" if it was given
	UpdateRate     float64 `json:"update_rate"` // sign-outs and disablings a second; 0 is no limit
	Headroom       float64 `json:"headroom"`    // share that a rate that is found leaves
	Workers        int     `json:"workers"`     // 0 is as many as the rate needs
	MaxAttempts    int     `json:"max_attempts"`
	WaveSize       int     `json:"wave_size"` // 0 is one wave
	WavePause      seconds `json:"wave_pause_seconds"`
	WaveGate       float64 `json:"wave_gate"`        // share; 0 is none
	StopOnFailures string  `json:"stop_on_failures"` // N, N% or off
	Canary         int     `json:"canary"`
	CanaryRandom   bool    `json:"canary_random"`
	MaxResets      int     `json:"max_resets"` // a day; 0 is no limit
	OnMessageLimit string  `json:"on_message_limit"`
	Deadline       seconds `json:"deadline_seconds"` // of a session; 0 is none
	Until          string  `json:"until"`            // HH:MM; "" is none
	OnUnknown      string  `json:"on_unknown"`
	SettleAfter    seconds `json:"settle_after_seconds"`
	Grace          seconds `json:"grace_seconds"`
	Profile        string  `json:"profile"`
	Region         string  `json:"region"`
	EndpointURL    string  `json:"endpoint_url"`
	RoleARN        string  `json:"role_arn,omitzero"`
	ExternalID     string  `json:"external_id,omitzero"`
	CSVSafe        bool    `json:"csv_safe,omitzero"` // of report.csv

	// Shard is the part of the users that the run works on. The rates and
	// MaxResets are its part of what was asked for.
	Shard roster.Shard `json:"shard,omitzero"`

	findRate bool // --rate auto was given
}

type seconds float64

func (s seconds) duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// read takes from the command line what it gives: everything at first, later
// only what was set. The shard is known before.
func (s *settings) read(ctx *cli.Context, first bool) (err error) {
	given := func(name string) bool { return first || ctx.IsSet(name) }
	integer := func(name string, to *int) {
		if given(name) {
			*to = ctx.Int(name)
		}
	}
	text := func(name string, to *string) {
		if given(name) {
			*to = ctx.String(name)
		}
	}
	duration := func(name string, to *seconds) {
		if given(name) {
			*to = seconds(ctx.Duration(name).Seconds())
		}
	}
	integer("workers", &s.Workers)
	integer("max-attempts", &s.MaxAttempts)
	integer("wave-size", &s.WaveSize)
	duration("wave-pause", &s.WavePause)
	text("stop-on-failures", &s.StopOnFailures)
	if given("max-resets") {
		whole := ctx.Int("max-resets")
		if s.MaxResets = int(s.Shard.Of(float64(whole))); whole > 0 && s.MaxResets == 0 {
			return usagef("--max-resets %d is less than one for each of the %d shards", whole, s.Shard.Count)
		}
	}
	text("on-message-limit", &s.OnMessageLimit)
	duration("deadline", &s.Deadline)
	text("until", &s.Until)
	text("on-unknown", &s.OnUnknown)
	duration("settle-after", &s.SettleAfter)
	duration("grace", &s.Grace)
	text("profile", &s.Profile)
	text("region", &s.Region)
	text("role-arn", &s.RoleARN)
	text("external-id", &s.ExternalID)
	text("endpoint-url", &s.EndpointURL)
	if given("csv-safe") {
		s.CSVSafe = ctx.Bool("csv-safe")
	}
	if random := ctx.Int("canary-random"); given("canary") || given("canary-random") {
		s.Canary, s.CanaryRandom = ctx.Int("canary"), random > 0
		if random > 0 && s.Canary > 0 {
			return usagef("--canary and --canary-random are two ways to choose the first users; give one")
		}
		s.Canary = max(s.Canary, random)
		if s.Canary < 0 || random < 0 {
			return usagef("--canary and --canary-random cannot be negative")
		}
	}
	if given("rate") {
		if s.Rate, s.RateAuto, s.findRate = defaultRate, "", true; ctx.String("rate") != "auto" {
			s.findRate = false
			s.Rate, err = strconv.ParseFloat(ctx.String("rate"), 64)
		}
		if err != nil || s.Rate < 0 || math.IsNaN(s.Rate) || math.IsInf(s.Rate, 0) {
			return usagef("--rate is a number of calls a second, 0 for no limit, or auto; not %q", ctx.String("rate"))
		}
		s.Rate = s.Shard.Of(s.Rate)
	}
	if given("update-rate") {
		if s.UpdateRate = ctx.Float64("update-rate"); s.UpdateRate < 0 || math.IsNaN(s.UpdateRate) || math.IsInf(s.UpdateRate, 0) {
			return usagef("--update-rate is a number of calls a second, or 0 for no limit; not %v", s.UpdateRate)
		}
		s.UpdateRate = s.Shard.Of(s.UpdateRate)
	}
	if given("wave-gate") {
		if s.WaveGate, err = share(ctx.String("wave-gate")); err != nil {
			return usagef("--wave-gate is a share such as 60%%, not %q", ctx.String("wave-gate"))
		}
	}
	if given("headroom") {
		if s.Headroom, err = share(ctx.String("headroom")); err != nil || s.Headroom >= 1 {
			return usagef("--headroom is a share below 100%%, such as 33%%; not %q", ctx.String("headroom"))
		}
	}
	switch {
	case s.ExternalID != "" && s.RoleARN == "":
		return usagef("--external-id goes with --role-arn")
	case s.Workers < 0:
		return usagef("--workers cannot be negative")
	case s.MaxAttempts < 1:
		return usagef("--max-attempts is at least 1")
	case s.WaveSize < 0 || s.WavePause < 0:
		return usagef("--wave-size and --wave-pause cannot be negative")
	case (s.WaveSize > 0) != (s.WavePause > 0 || s.WaveGate > 0):
		return usagef("--wave-size goes together with --wave-pause or --wave-gate: so many users, then so long a pause, or until so many have a new password")
	case s.MaxResets < 0 || s.Deadline < 0:
		return usagef("--max-resets and --deadline cannot be negative")
	case s.OnMessageLimit != "stop" && s.OnMessageLimit != "wait":
		return usagef("--on-message-limit is stop or wait, not %q", s.OnMessageLimit)
	case s.OnUnknown != "report" && s.OnUnknown != "retry":
		return usagef("--on-unknown is report or retry, not %q", s.OnUnknown)
	case s.SettleAfter < 0 || s.Grace < 0:
		return usagef("--settle-after and --grace cannot be negative")
	}
	if _, err := s.failureGuard(); err != nil {
		return err
	}
	_, _, err = s.end(time.Now())
	return err
}

// share reads a share, such as 33%.
func share(text string) (float64, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, usagef("%q is not a share from 0%% to 100%%", text)
	}
	return percent / 100, nil
}

// defaultRate leaves live users a third of the quota, in calls a second.
const defaultRate = 20

// workers is how many users to work on at most. What a rate needs is its number
// of calls under way at the latency of a slow pool, 15 s; the run itself uses
// no more of them than the latency it meets asks for. A lower rate may be raised
// later to that of Cognito's quota.
func (s settings) workers() int {
	switch {
	case s.Workers > 0:
		return s.Workers
	case s.Rate == 0:
		return 64
	}
	return min(int(math.Ceil(max(s.Rate, 30)*15)), 1024)
}

// delimiter reads a flag such as --delimiter.
func delimiter(flag, text string) (rune, error) {
	switch text {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || r == utf8.RuneError {
		return 0, usagef("--%s is one character, or tab; not %q", flag, text)
	}
	return r, nil
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
