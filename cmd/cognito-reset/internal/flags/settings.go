package flags

import (
	"math"
	"strconv"
	"time"

	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/spec"

	"github.com/urfave/cli/v2"
)

// Rates are the flags that say how fast.
func Rates() []cli.Flag {
	return []cli.Flag{
		String(Pace, "rate", strconv.Itoa(spec.DefaultRate), "at most `N` calls a second of Cognito's fixed 30, shared with live users; auto looks the quota up, 0 is no limit"),
		&cli.Float64Flag{Category: Pace, Name: "update-rate", Value: 16, Usage: "at most `N` sign-outs and disablings a second of Cognito's fixed 25, shared with live users; 0 is no limit", EnvVars: Env("update-rate")},
		String(Pace, "headroom", "33%", "`SHARE` that --rate auto leaves to live users, besides what they took at their peak"),
		&cli.IntFlag{Category: Pace, Name: "workers", Usage: "at most `N` users at a time (default: as many as the rate needs)", EnvVars: Env("workers")},
		&cli.IntFlag{Category: Pace, Name: "max-attempts", Value: 8, Usage: "give a user up after `N` attempts; throttled ones do not count", EnvVars: Env("max-attempts")},
	}
}

// Guards are the flags that say when to stop and when to wait.
func Guards() []cli.Flag {
	return []cli.Flag{
		String(Pace, "wave-gate", "0%", "begin a wave when this `SHARE` of the last have a new password, or their codes have died after an hour"),
		String(Safety, "stop-on-failures", "50%", "stop at `N` or N% of the last 100 users, after the first 20, failing in a way that is not their own; off does not"),
		&cli.IntFlag{Category: Safety, Name: "canary", Usage: "do the first `N` users, show how they fared, and ask before the others", EnvVars: Env("canary")},
		&cli.IntFlag{Category: Safety, Name: "canary-random", Usage: "the same with `N` users chosen at random", EnvVars: Env("canary-random")},
		&cli.IntFlag{Category: Pace, Name: "wave-size", Usage: "after every `N` users wait, by --wave-pause or --wave-gate", EnvVars: Env("wave-size")},
		&cli.DurationFlag{Category: Pace, Name: "wave-pause", Usage: "`TIME` between waves, such as 30m", EnvVars: Env("wave-pause")},
		&cli.IntFlag{Category: Safety, Name: "max-resets", Usage: "stop after `N` messages a day, calls in doubt included, counted from 09:00 UTC as Cognito does", EnvVars: Env("max-resets")},
		String(Safety, "on-message-limit", "stop", "at the daily message limit: `stop`, or wait until 09:00 UTC and go on"),
		&cli.DurationFlag{Category: Safety, Name: "deadline", Usage: "stop after this `TIME`, such as 6h", EnvVars: Env("deadline")},
		String(Safety, "until", "", "stop at the next `HH:MM`, local time"),
		String(Safety, "on-unknown", "report", "where no read-back can tell if a user was reset: `report`, or retry and risk a second message"),
		&cli.DurationFlag{Category: Safety, Name: "settle-after", Value: userpool.Linger, Usage: "believe a read-back that finds nothing done only this `LONG` after the call", EnvVars: Env("settle-after")},
		&cli.DurationFlag{Category: Safety, Name: "grace", Value: 25 * time.Second, Usage: "`TIME` for calls in flight to finish after a signal", EnvVars: Env("grace")},
	}
}

// ReadSettings takes from the command line what it gives: everything at first, later
// only what was set. The shard is known before. It is a list of flags, and as long as
// there are.
func ReadSettings(ctx *cli.Context, before spec.Settings, first bool) (s spec.Settings, err error) {
	s = before
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
	duration := func(name string, to *spec.Seconds) {
		if given(name) {
			*to = spec.Seconds(ctx.Duration(name).Seconds())
		}
	}
	integer("workers", &s.MaxWorkers)
	integer("max-attempts", &s.MaxAttempts)
	integer("wave-size", &s.WaveSize)
	duration("wave-pause", &s.WavePause)
	text("stop-on-failures", &s.StopOnFailures)
	if given("max-resets") {
		whole := ctx.Int("max-resets")
		if s.MaxResets = int(s.Shard.Of(float64(whole))); whole > 0 && s.MaxResets == 0 {
			return s, exit.Usagef("--max-resets %d is less than one for each of the %d shards", whole, s.Shard.Count)
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
	text("role-session-name", &s.SessionName)
	text("source-identity", &s.SourceIdentity)
	text("endpoint-url", &s.EndpointURL)
	text("expected-bucket-owner", &s.ExpectedBucketOwner)
	text("s3-kms-key", &s.S3KMSKey)
	if given("csv-safe") {
		s.CSVSafe = ctx.Bool("csv-safe")
	}
	if given("xlsx") {
		s.Workbook = ctx.Bool("xlsx")
	}
	if random := ctx.Int("canary-random"); given("canary") || given("canary-random") {
		s.Canary, s.CanaryRandom = ctx.Int("canary"), random > 0
		if random > 0 && s.Canary > 0 {
			return s, exit.Usagef("--canary and --canary-random are two ways to choose the first users; give one")
		}
		s.Canary = max(s.Canary, random)
		if s.Canary < 0 || random < 0 {
			return s, exit.Usagef("--canary and --canary-random cannot be negative")
		}
	}
	if given("rate") {
		if s.Rate, s.RateAuto, s.FindRate = spec.DefaultRate, "", true; ctx.String("rate") != "auto" {
			s.FindRate = false
			s.Rate, err = strconv.ParseFloat(ctx.String("rate"), 64)
		}
		if err != nil || s.Rate < 0 || math.IsNaN(s.Rate) || math.IsInf(s.Rate, 0) {
			return s, exit.Usagef("--rate is a number of calls a second, 0 for no limit, or auto; not %q", ctx.String("rate"))
		}
		s.Rate = s.Shard.Of(s.Rate)
	}
	if given("update-rate") {
		if s.UpdateRate = ctx.Float64("update-rate"); s.UpdateRate < 0 || math.IsNaN(s.UpdateRate) || math.IsInf(s.UpdateRate, 0) {
			return s, exit.Usagef("--update-rate is a number of calls a second, or 0 for no limit; not %v", s.UpdateRate)
		}
		s.UpdateRate = s.Shard.Of(s.UpdateRate)
	}
	if given("wave-gate") {
		if s.WaveGate, err = spec.Share(ctx.String("wave-gate")); err != nil {
			return s, exit.Usagef("--wave-gate is a share such as 60%%, not %q", ctx.String("wave-gate"))
		}
	}
	if given("headroom") {
		if s.Headroom, err = spec.Share(ctx.String("headroom")); err != nil || s.Headroom >= 1 {
			return s, exit.Usagef("--headroom is a share below 100%%, such as 33%%; not %q", ctx.String("headroom"))
		}
	}
	return s, s.Validate()
}
