package cli

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
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/pool"
)

func (a *app) sandboxCommand() *cli.Command {
	return &cli.Command{
		Name:      "sandbox",
		Usage:     "serve a user pool to rehearse on",
		UsageText: "cognito-reset sandbox --listen 127.0.0.1:9229 --users 1000",
		Description: "Speaks Cognito's wire protocol, for this tool (--endpoint-url) and for the AWS CLI.\n" +
			"It wants a signature but does not verify it: any AWS credentials will do.\n" +
			"GET /sandbox/outbox, /sandbox/users and /sandbox/stats show what happened in it.",
		Flags: append([]cli.Flag{
			flags.String("", "listen", "127.0.0.1:9229", "`ADDRESS` to serve on; port 0 takes a free one"),
			flags.String("", "user-pool-id", "us-east-1_Sandbox", "`ID` of the pool"),
			flags.String(flags.Input, "input", "", "fill the pool with the users of `FILE`, in a mix of states"),
			&cli.IntFlag{Category: flags.Input, Name: "users", Usage: "fill the pool with `N` users, user-0000001 and on", EnvVars: flags.Env("users")},
			flags.String(flags.Input, "pool-users", "", "`FILE` of the pool's users, as aws cognito-idp list-users prints them; \"Groups\": [\"admins\"] beside a Username puts the user in a group"),
			flags.SignInFlag(),
			flags.Bool(flags.Input, "case-insensitive", "Ann and ann sign in as one user, as in pools that the console makes"),
			flags.Bool(flags.Input, "all-confirmed", "make every user one that can be reset, in place of the mix"),
			&cli.Float64Flag{Category: flags.Pace, Name: "quota", Value: 30, Usage: "resets a second, `N`; 0 lifts every quota", EnvVars: flags.Env("quota")},
			&cli.DurationFlag{Category: flags.Pace, Name: "latency", Value: pool.Latency, Usage: "`TIME` that an answer takes", EnvVars: flags.Env("latency")},
			&cli.IntFlag{Category: flags.Safety, Name: "daily-messages", Usage: "send at most `N` messages a day; 0 is no limit", EnvVars: flags.Env("daily-messages")},
			&cli.Float64Flag{Category: flags.Safety, Name: "fault-rate", Usage: "`SHARE` of calls, 0 to 1, that are throttled, fail, or lose their answer", EnvVars: flags.Env("fault-rate")},
			&cli.Uint64Flag{Category: flags.Safety, Name: "seed", Usage: "`N` decides states and faults", EnvVars: flags.Env("seed")},
		}, flags.Reading()...),
		Action: a.sandbox,
	}
}

func (a *app) sandbox(ctx *cli.Context) error {
	config, err := sandboxConfig(ctx)
	if err != nil {
		return err
	}
	served := sandbox.New(config)
	if path := ctx.String("pool-users"); path != "" {
		if err := pool.Load(served, path); err != nil {
			return err
		}
	}
	if err := fill(served, config, ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", ctx.String("listen"))
	if err != nil {
		return exit.Usagef("--listen: %w", err)
	}
	if _, err := fmt.Fprintf(a.Out, "User pool %s with %d users at http://%s\n", config.PoolID, served.Len(), listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: served, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx.Context, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil // a signal is how it is meant to end
}

// sandboxConfig is the pool that a command line asks for.
func sandboxConfig(ctx *cli.Context) (config sandbox.Config, err error) {
	if err := flags.NoArguments(ctx); err != nil {
		return config, err
	}
	share, quota := ctx.Float64("fault-rate"), ctx.Float64("quota")
	switch {
	case share < 0 || share > 1:
		return config, exit.Usagef("--fault-rate is a share from 0 to 1, not %v", share)
	case quota < 0 || ctx.Duration("latency") < 0 || ctx.Int("users") < 0 || ctx.Int("daily-messages") < 0:
		return config, exit.Usagef("--quota, --latency, --users and --daily-messages cannot be negative")
	case given(ctx.String("input") != "", ctx.Int("users") > 0, ctx.String("pool-users") != "") != 1:
		return config, exit.Usagef("say who is in the pool: --input FILE, --users N or --pool-users FILE")
	}
	config = sandbox.Config{
		PoolID: ctx.String("user-pool-id"), Latency: ctx.Duration("latency"), DailyMessages: ctx.Int("daily-messages"),
		Faults: sandbox.EvenFaults(share), Seed: ctx.Uint64("seed"), CaseInsensitive: ctx.Bool("case-insensitive"),
	}
	if config.SignIn, err = flags.SignIn(ctx); err != nil {
		return config, err
	}
	if quota > 0 {
		config.Quotas = sandbox.DefaultQuotas()
		config.Quotas[sandbox.UserAccountRecovery] = quota
	}
	return config, nil
}

// fill makes the users that --input or --users names.
func fill(served *sandbox.Pool, config sandbox.Config, ctx *cli.Context) error {
	usernames := numbered(ctx.Int("users"))
	var broken error
	if path := ctx.String("input"); path != "" {
		file, err := os.Open(path)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		defer file.Close()
		how, err := flags.ReadReading(ctx, "")
		if err != nil {
			return err
		}
		o := how.Options("")
		o.Name = path
		r, err := roster.Open(file, o)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		usernames = func(yield func(string) bool) {
			for e, err := range r.Entries() {
				if broken = err; err != nil || e.Outcome == "" && !yield(e.Username) {
					return
				}
			}
		}
	}
	if !ctx.Bool("all-confirmed") {
		served.Populate(usernames, config.Seed)
	} else {
		for username := range usernames {
			served.Add(confirmed(username, config.SignIn))
		}
	}
	if broken != nil {
		return exit.With(exit.Usage, broken)
	}
	return nil
}

// confirmed is a user who can be reset.
func confirmed(username, signIn string) sandbox.User {
	u := sandbox.NewUser(username)
	if signIn == "email" {
		u.Username = u.Email
	}
	u.Created = time.Now().AddDate(-1, 0, 0)
	return u
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
