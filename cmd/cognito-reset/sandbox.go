package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"cognito-reset/batch/roster"
	"cognito-reset/batch/sandbox"
)

func (c *command) sandboxCommand() *cli.Command {
	return &cli.Command{
		Name:      "sandbox",
		Usage:     "serve a user pool to rehearse on",
		UsageText: "cognito-reset sandbox --listen 127.0.0.1:9229 --users 1000",
		Description: "Speaks Cognito's wire protocol, for this tool (--endpoint-url) and for the AWS CLI.\n" +
			"It wants a signature but does not verify it: any AWS credentials will do.\n" +
			"GET /sandbox/outbox, /sandbox/users and /sandbox/stats show what happened in it.",
		Flags: append([]cli.Flag{
			stringFlag("", "listen", "127.0.0.1:9229", "`ADDRESS` to serve on; port 0 takes a free one"),
			stringFlag("", "user-pool-id", "us-east-1_Sandbox", "`ID` of the pool"),
			stringFlag(groupInput, "input", "", "fill the pool with the users of `FILE`, in a mix of states"),
			&cli.IntFlag{Category: groupInput, Name: "users", Usage: "fill the pool with `N` users, user-0000001 and on", EnvVars: env("users")},
			stringFlag(groupInput, "pool-users", "", "`FILE` of the pool's users, as aws cognito-idp list-users prints them; \"Groups\": [\"admins\"] beside a Username puts the user in a group"),
			signInFlag(),
			boolFlag(groupInput, "case-insensitive", "Ann and ann sign in as one user, as in pools that the console makes"),
			boolFlag(groupInput, "all-confirmed", "make every user one that can be reset, in place of the mix"),
			&cli.Float64Flag{Category: groupPace, Name: "quota", Value: 30, Usage: "resets a second, `N`; 0 lifts every quota", EnvVars: env("quota")},
			&cli.DurationFlag{Category: groupPace, Name: "latency", Value: sandboxLatency, Usage: "`TIME` that an answer takes", EnvVars: env("latency")},
			&cli.IntFlag{Category: groupSafety, Name: "daily-messages", Usage: "send at most `N` messages a day; 0 is no limit", EnvVars: env("daily-messages")},
			&cli.Float64Flag{Category: groupSafety, Name: "fault-rate", Usage: "`SHARE` of calls, 0 to 1, that are throttled, fail, or lose their answer", EnvVars: env("fault-rate")},
			&cli.Uint64Flag{Category: groupSafety, Name: "seed", Usage: "`N` decides states and faults", EnvVars: env("seed")},
		}, readingFlags()...),
		Action: c.sandbox,
	}
}

func (c *command) sandbox(ctx *cli.Context) error {
	if err := noArguments(ctx); err != nil {
		return err
	}
	share, quota := ctx.Float64("fault-rate"), ctx.Float64("quota")
	switch {
	case share < 0 || share > 1:
		return usagef("--fault-rate is a share from 0 to 1, not %v", share)
	case quota < 0 || ctx.Duration("latency") < 0 || ctx.Int("users") < 0 || ctx.Int("daily-messages") < 0:
		return usagef("--quota, --latency, --users and --daily-messages cannot be negative")
	case given(ctx.String("input") != "", ctx.Int("users") > 0, ctx.String("pool-users") != "") != 1:
		return usagef("say who is in the pool: --input FILE, --users N or --pool-users FILE")
	}
	signIn, err := signIn(ctx)
	if err != nil {
		return err
	}
	config := sandbox.Config{
		PoolID: ctx.String("user-pool-id"), Latency: ctx.Duration("latency"), DailyMessages: ctx.Int("daily-messages"),
		Faults: sandbox.EvenFaults(share), Seed: ctx.Uint64("seed"), SignIn: signIn, CaseInsensitive: ctx.Bool("case-insensitive"),
	}
	if quota > 0 {
		config.Quotas = sandbox.DefaultQuotas()
		config.Quotas[sandbox.UserAccountRecovery] = quota
	}
	pool := sandbox.New(config)
	if path := ctx.String("pool-users"); path != "" {
		if err := load(pool, path); err != nil {
			return err
		}
	}
	usernames := numbered(ctx.Int("users"))
	var broken error
	if path := ctx.String("input"); path != "" {
		file, err := os.Open(path)
		if err != nil {
			return &exit{exitUsage, err}
		}
		defer file.Close()
		how, err := readReading(ctx, "")
		if err != nil {
			return err
		}
		o := how.options("")
		o.Name = path
		r, err := roster.Open(file, o)
		if err != nil {
			return &exit{exitUsage, err}
		}
		usernames = func(yield func(string) bool) {
			for e, err := range r.Entries() {
				if broken = err; err != nil || e.Outcome == "" && !yield(e.Username) {
					return
				}
			}
		}
	}
	if ctx.Bool("all-confirmed") {
		for username := range usernames {
			u := sandbox.NewUser(username)
			if signIn == "email" {
				u.Username = u.Email
			}
			u.Created = time.Now().AddDate(-1, 0, 0)
			pool.Add(u)
		}
	} else {
		pool.Populate(usernames, config.Seed)
	}
	if broken != nil {
		return &exit{exitUsage, broken}
	}

	listener, err := net.Listen("tcp", ctx.String("listen"))
	if err != nil {
		return usagef("--listen: %w", err)
	}
	if _, err := fmt.Fprintf(c.stdout, "User pool %s with %d users at http://%s\n", config.PoolID, pool.Len(), listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: pool, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx.Context, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil // a signal is how it is meant to end
}

func signInFlag() cli.Flag {
	return stringFlag(groupInput, "sign-in", "username", "what the sandbox's users sign in with: `username`, or email, and usernames are then UUIDs")
}

// signIn is --sign-in as the sandbox has it.
func signIn(ctx *cli.Context) (string, error) {
	switch how := ctx.String("sign-in"); how {
	case "", "username":
		return "", nil
	case "email":
		return how, nil
	default:
		return "", usagef("--sign-in is username or email, not %q", how)
	}
}

// load fills a sandbox with the users of a ListUsers document.
func load(pool *sandbox.Pool, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return usagef("--pool-users: %w", err)
	}
	defer file.Close()
	if _, err := pool.Load(file); err != nil {
		return usagef("--pool-users: %s: %w", path, err)
	}
	return nil
}

// given is how many of several things are.
func given(things ...bool) (n int) {
	for _, is := range things {
		if is {
			n++
		}
	}
	return n
}

// numbered yields n usernames, user-0000001 and on.
func numbered(n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf("user-%07d", i+1)) {
				return
			}
		}
	}
}
