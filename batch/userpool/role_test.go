package userpool_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// The credentials of a role last an hour; a run may last days.
func TestARoleIsAssumedAgainBeforeItsCredentialsExpire(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	synctest.Test(t, func(t *testing.T) {
		server := sandbox.New(sandbox.Config{ExternalID: "ours"})
		server.Add(sandbox.NewUser("alice"))
		open := func(externalID string) *userpool.Pool {
			pool, err := userpool.Open(t.Context(), userpool.Options{
				PoolID: "us-east-1_Sandbox01", Role: userpool.Role{ARN: "arn:aws:iam::210987654321:role/resetter", ExternalID: externalID, SessionName: "ann@night"},
				HTTPClient: &http.Client{Transport: server}, EndpointURL: "http://sandbox.test",
				Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			})
			if err != nil {
				t.Fatal(err)
			}
			return pool
		}
		pool := open("ours")
		for range 3 * 24 * 4 {
			if _, err := pool.Settings(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Minute)
		}
		if caller, err := awsaccount.Of(pool).Caller(t.Context()); err != nil || caller.Account != "210987654321" || caller.ARN != "arn:aws:sts::210987654321:assumed-role/resetter/ann@night" || caller.Base != "arn:aws:iam::123456789012:user/sandbox" {
			t.Errorf("the caller is %+v, %v", caller, err)
		}
		if n := server.Stats().Calls["AssumeRole"][sandbox.OK]; n < 72 || n > 100 {
			t.Errorf("the role was assumed %d times in three days", n)
		}
		_, err := open("theirs").Reset(t.Context(), batch.Entry{Username: "alice"})
		if answer, ok := err.(*batch.Error); !ok || answer.Reason != batch.AccessDenied || answer.Class != batch.ClassRun {
			t.Errorf("with another external id: %v", err)
		}
	})
}
