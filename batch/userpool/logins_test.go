package userpool_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// Pools of one role take its credentials from one session, and reach AWS by the
// connections of one client. Another role has a session of its own.
func TestPoolsThatShareLoginsAssumeEachRoleOnce(t *testing.T) {
	withoutAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	server := sandbox.New(sandbox.Config{})
	logins := new(userpool.Logins)
	var asked sync.WaitGroup
	for _, arn := range []string{"arn:aws:iam::210987654321:role/one", "arn:aws:iam::310987654321:role/two"} {
		for range 5 {
			asked.Go(func() {
				pool, err := userpool.Open(t.Context(), userpool.Options{
					PoolID: "us-east-1_Sandbox01", Role: userpool.Role{ARN: arn}, HTTPClient: transport(server.RoundTrip), EndpointURL: "http://sandbox.test", Logins: logins,
				})
				if err != nil {
					t.Error(err)
					return
				}
				caller, err := awsaccount.Of(pool).Caller(t.Context())
				if err != nil || caller.Account != arn[len("arn:aws:iam::"):][:12] || caller.Base != "arn:aws:iam::123456789012:user/sandbox" {
					t.Errorf("the caller with %s is %+v, %v", arn, caller, err)
				}
			})
		}
	}
	asked.Wait()
	if n := server.Stats().Calls["AssumeRole"][sandbox.OK]; n != 2 {
		t.Errorf("two roles were assumed %d times", n)
	}
}

func TestPoolsThatShareLoginsShareConnections(t *testing.T) {
	withoutAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Requestid", "1")
		io.WriteString(w, "{}")
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	logins := new(userpool.Logins)
	for range 5 {
		pool, err := userpool.Open(t.Context(), userpool.Options{PoolID: "us-east-1_Sandbox01", EndpointURL: server.URL, Logins: logins})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("five pools opened %d connections", n)
	}
}
