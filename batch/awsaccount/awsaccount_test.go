package awsaccount_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/internal/pooltest"
	"cognito-reset/batch/sandbox"
)

func of(t testing.TB, client aws.HTTPClient) *awsaccount.Account {
	t.Helper()
	return awsaccount.Of(pooltest.Open(t, client))
}

func inProcess(cfg sandbox.Config) aws.HTTPClient {
	return &http.Client{Transport: sandbox.New(cfg)}
}
