package preflight

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// refusedFor reports whether the pool answers nothing for a reason: then the first
// call of a run would end it.
func (f *facts) refusedFor(reason batch.Reason) bool {
	for _, err := range []error{f.poolErr, f.listErr, f.readErr} {
		if answer, ok := errors.AsType[*batch.Error](err); !ok || answer.Reason != reason {
			return false
		}
	}
	return true
}

func (f *facts) callerCheck() (rundir.Level, string) {
	switch {
	case f.refusedFor(batch.Credentials) && userpool.NoCredentials(f.poolErr):
		return rundir.Blocker, whyNoCredentials(f.poolErr)
	case f.refusedFor(batch.Credentials):
		return rundir.Blocker, fmt.Sprintf("AWS takes these credentials no more, or for others (%v): renew them, such as by aws sso login", f.poolErr)
	}
	if f.callerErr != nil {
		return rundir.Warning, gap(f.callerErr, "sts:GetCallerIdentity")
	}
	who := fmt.Sprintf("%s, account %s", resource(f.caller.ARN), f.caller.Account)
	if f.caller.Base != "" {
		who += ", assumed by " + resource(f.caller.Base)
	}
	return rundir.OK, who
}

// resource is the last part of an ARN, which people know.
func resource(who string) string {
	if parsed, err := arn.Parse(who); err == nil {
		return parsed.Resource
	}
	return who
}

func (f *facts) endpointCheck() (rundir.Level, string) {
	if f.endpointErr != nil {
		return rundir.Warning, gap(f.endpointErr, "")
	}
	if plain := strings.HasPrefix(f.endpoint, "http://"); plain && !spec.OnThisMachine(f.endpoint) {
		return rundir.Blocker, f.endpoint + " is not encrypted, and not this machine: usernames and passwords would be readable on the way"
	}
	if f.refusedFor(batch.Network) {
		return rundir.Blocker, fmt.Sprintf("%s is not reached: %v", f.endpoint, whyUnreached(f.poolErr))
	}
	home := userpool.RegionOf(f.spec.UserPoolID)
	answer, _ := errors.AsType[*batch.Error](f.poolErr)
	if denied := answer != nil && answer.Reason == batch.AccessDenied; home != f.region && f.spec.EndpointURL == "" && (f.poolErr == nil || denied) {
		return rundir.Blocker, fmt.Sprintf("%s answers for a pool of %s: this is a replica, which resets nobody. Ask the primary Region, such as by --region %s", f.region, home, home)
	}
	if home != f.region {
		return rundir.Warning, fmt.Sprintf("%s, in Region %s, though the pool is of %s", f.endpoint, f.region, home)
	}
	return rundir.OK, fmt.Sprintf("%s (%s)", f.endpoint, f.region)
}

func (f *facts) poolCheck() (rundir.Level, string) {
	id := f.spec.UserPoolID
	if answer, found := errors.AsType[*batch.Error](f.poolErr); found && answer.Reason == batch.PoolNotFound {
		return rundir.Blocker, fmt.Sprintf("%s is not in this account and Region (%v)", id, f.poolErr)
	}
	if f.poolErr != nil {
		return rundir.Warning, fmt.Sprintf("%s, %s", id, gap(f.poolErr, "cognito-idp:DescribeUserPool"))
	}
	return rundir.OK, fmt.Sprintf("%s, %s, about %s", id, f.pool.Name, term.Plural(f.pool.EstimatedUsers, "user"))
}

// whyNoCredentials says so, and what helps.
func whyNoCredentials(err error) string {
	answer, _ := errors.AsType[*batch.Error](err)
	return answer.Err.Error()
}

// whyUnreached is what keeps calls from the service, and what helps.
func whyUnreached(err error) error {
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Err != nil {
		return answer.Err
	}
	return err
}
