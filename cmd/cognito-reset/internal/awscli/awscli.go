// Package awscli resets one user as the AWS CLI's command of the same name does.
package awscli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// A Command prints to these streams.
type Command struct{ term.Streams }

// The exit codes of the AWS CLI, version 2.
const (
	exitAWSUsage   = 252
	exitAWSConfig  = 253 // no credentials, profile or Region
	exitAWSService = 254
	exitAWSOther   = 255
)

// Command is the command admin-reset-user-password.
func (c *Command) Command() *cli.Command {
	return &cli.Command{
		Name:      "admin-reset-user-password",
		Usage:     "reset one user, as the AWS CLI command of this name does",
		UsageText: "cognito-reset admin-reset-user-password --user-pool-id ID --username NAME",
		Description: "Prints nothing on success. Makes one call and does not retry. Exit codes are those\n" +
			"of the AWS CLI: 252 for wrong usage, 253 for want of credentials or of a Region,\n" +
			"254 for an error of the service, 255 for any other.",
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return exit.With(exitAWSUsage, err) },
		Flags: append([]cli.Flag{
			flags.String("", "user-pool-id", "", "`ID` of the user pool"),
			flags.String("", "username", "", "`NAME` of the user"),
			flags.ClientMetadata(""),
			flags.String("", "cli-input-json", "", "take what flags do not give from `JSON`, or from file://PATH"),
			flags.String("", "generate-cli-skeleton", "", "print the input as JSON and send nothing; with `output`, check the input and print a sample answer"),
		}, flags.Account()...),
		Action: c.run,
	}
}

// singleInput is the document that --cli-input-json takes.
type singleInput struct {
	UserPoolId     string            `json:"UserPoolId"`
	Username       string            `json:"Username"`
	ClientMetadata map[string]string `json:"ClientMetadata"`
}

const inputSkeleton = `{
    "UserPoolId": "",
    "Username": "",
    "ClientMetadata": {
        "KeyName": ""
    }
}
`

// run does what the AWS CLI does, check by check in its order.
func (c *Command) run(ctx *cli.Context) error {
	usage := func(format string, args ...any) error {
		return exit.With(exitAWSUsage, fmt.Errorf("admin-reset-user-password: "+format, args...))
	}
	if ctx.Args().Present() {
		return usage("unknown options: %s", strings.Join(ctx.Args().Slice(), ", "))
	}
	skeleton := ctx.String("generate-cli-skeleton")
	switch skeleton {
	case "", "output":
	case "input":
		_, err := fmt.Fprint(c.Out, inputSkeleton)
		return err
	default:
		return usage("argument --generate-cli-skeleton: invalid choice: '%s' (choose from input, output)", skeleton)
	}
	in, err := input(ctx)
	if err != nil {
		return usage("%w", err)
	}
	if skeleton == "output" {
		_, err := fmt.Fprintln(c.Out, "{}")
		return err
	}
	return c.reset(ctx, in)
}

// input is what the flags ask for: the document of --cli-input-json, and over it what
// stands in flags of its own.
func input(ctx *cli.Context) (in singleInput, err error) {
	if err := readSingleInput(ctx.String("cli-input-json"), &in); err != nil {
		return in, err
	}
	if ctx.IsSet("user-pool-id") {
		in.UserPoolId = ctx.String("user-pool-id")
	}
	if ctx.IsSet("username") {
		in.Username = ctx.String("username")
	}
	if pairs := ctx.StringSlice("client-metadata"); len(pairs) > 0 {
		if in.ClientMetadata, err = spec.ParseMetadata(pairs); err != nil {
			return in, err
		}
	}
	var missing []string
	if in.UserPoolId == "" {
		missing = append(missing, "--user-pool-id")
	}
	if in.Username == "" {
		missing = append(missing, "--username")
	}
	if len(missing) > 0 {
		return in, fmt.Errorf("the following arguments are required: %s", strings.Join(missing, ", "))
	}
	return in, nil
}

// reset makes the one call, and says how it ended as the AWS CLI does.
func (c *Command) reset(ctx *cli.Context, in singleInput) error {
	pool, err := userpool.Open(ctx.Context, userpool.Options{
		PoolID: in.UserPoolId, Profile: ctx.String("profile"), Region: ctx.String("region"), EndpointURL: ctx.String("endpoint-url"),
		Role: userpool.Role{ARN: ctx.String("role-arn"), ExternalID: ctx.String("external-id"), SessionName: ctx.String("role-session-name"), SourceIdentity: ctx.String("source-identity")},
	})
	if err != nil {
		return exit.With(exitAWSConfig, fmt.Errorf("admin-reset-user-password: %w", err))
	}
	_, err = pool.Reset(ctx.Context, batch.Entry{Username: in.Username, ClientMetadata: in.ClientMetadata})
	if err == nil {
		return nil
	}
	code := exitAWSOther
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Code != "" {
		// Scripts read this line as the AWS CLI writes it.
		term.Linef(c.Err, "\nAn error occurred (%s) when calling the AdminResetUserPassword operation: %s", term.Visible(answer.Code), term.Visible(answer.Message))
		return exit.Silent(exitAWSService)
	} else if ok && answer.Class == batch.ClassRun {
		code = exitAWSConfig
	} else if signal, ok := errors.AsType[exit.Signal](context.Cause(ctx.Context)); ok {
		code, err = exit.Interrupted+int(signal.Signal), fmt.Errorf("%w; the user may have been reset", signal)
	}
	return exit.With(code, fmt.Errorf("admin-reset-user-password: %w", err))
}

// readSingleInput reads a document, or the file that it names.
func readSingleInput(text string, in *singleInput) error {
	if text == "" {
		return nil
	}
	if path, ok := strings.CutPrefix(text, "file://"); ok {
		content, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("--cli-input-json: %s cannot be read: %w", text, err)
		}
		text = string(content)
	}
	if err := json.Unmarshal([]byte(text), in, json.RejectUnknownMembers(true)); err != nil {
		if unknown, ok := errors.AsType[*json.SemanticError](err); ok && errors.Is(err, json.ErrUnknownName) {
			return fmt.Errorf("--cli-input-json: unknown parameter %q; it must be one of UserPoolId, Username, ClientMetadata",
				strings.TrimPrefix(string(unknown.JSONPointer), "/"))
		}
		return fmt.Errorf("--cli-input-json: the JSON is not valid: %w", err)
	}
	return nil
}
