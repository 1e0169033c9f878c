package preflight

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

func (f *facts) callerCheck() (rundir.Level, string) {
	if f.callerErr != nil {
		return rundir.Warning, gap(f.callerErr, "sts:GetCallerIdentity")
	}
	who := f.caller.ARN
	if parsed, err := arn.Parse(who); err == nil {
		who = parsed.Resource
	}
	return rundir.OK, fmt.Sprintf("%s, account %s", who, f.caller.Account)
}

func (f *facts) endpointCheck() (rundir.Level, string) {
	if f.endpointErr != nil {
		return rundir.Warning, gap(f.endpointErr, "")
	}
	if home := userpool.RegionOf(f.spec.UserPoolID); home != f.region {
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
	return rundir.OK, fmt.Sprintf("%s, %s, about %s users", id, f.pool.Name, term.Comma(f.pool.EstimatedUsers))
}
