package userpool_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
)

// An answer whose body comes in a second packet is an answer: nobody is in doubt, and
// nobody is read back, which would be billed.
func TestABodyInASecondPacketIsNoDoubt(t *testing.T) {
	users := int64(20_000)
	if testing.Short() {
		users = 2000
	}
	var reads atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminGetUser") {
			reads.Add(1)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", "1")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		w.Write([]byte("{}"))
	}))
	defer server.Close()
	pool, err := userpool.Open(t.Context(), userpool.Options{PoolID: poolID, EndpointURL: server.URL, Credentials: anyCredentials})
	if err != nil {
		t.Fatal(err)
	}
	entries := func(yield func(batch.Entry, error) bool) {
		for n := range users {
			if !yield(batch.Entry{Row: n + 1, Username: fmt.Sprint("user-", n)}, nil) {
				return
			}
		}
	}
	counts, err := batch.Run(t.Context(), entries, batch.ResetOnly(pool, nil), batch.Options{Workers: 64})
	if err != nil || counts.Outcomes[batch.Reset] != users || counts.Calls != users || reads.Load() > 0 {
		t.Errorf("%v; %v, %d calls, %d read-backs", err, counts.Outcomes, counts.Calls, reads.Load())
	}
}

// A call leaves in one write, headers and body: in two it costs a tenth more, and the
// service waits between them.
func TestACallLeavesInOneWrite(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", "1")
		w.Write([]byte("{}"))
	}))
	defer server.Close()
	var writes atomic.Int64
	client := awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return countedConn{conn, &writes}, err
		}
	})
	pool, err := userpool.Open(t.Context(), userpool.Options{
		PoolID: poolID, EndpointURL: server.URL, Credentials: anyCredentials, HTTPClient: client,
	})
	if err != nil {
		t.Fatal(err)
	}
	const calls = 10
	for range calls {
		if _, err := pool.Do(t.Context(), batch.Entry{Row: 1, Username: "ann", ClientMetadata: map[string]string{"why": "leak"}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := writes.Load(); n != calls {
		t.Errorf("%d calls left in %d writes", calls, n)
	}
}

// A countedConn counts what is written to it.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}
