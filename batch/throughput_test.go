package batch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/userpool"
	"cognito-reset/report"
)

const (
	throughputUsers   = 10_000
	throughputWorkers = 64
	throughputPool    = "eu-west-1_Throughput"
)

// BenchmarkThroughput sets the whole tool beside what it is made of, against
// one local server without a quota: bare posts over net/http are the limit, a
// worker pool over the SDK is what one would write without the tool. users/s
// counts from the input to the reports; calls/s while users are called, which
// is where the two tools differ by the cost of promising and settling; B/user is what
// journal and reports take.
func BenchmarkThroughput(b *testing.B) {
	b.Setenv("AWS_CONFIG_FILE", os.DevNull)
	b.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	server := newCounter(b)
	for _, bench := range []struct {
		name string
		run  func(b *testing.B, s *counter) func()
	}{
		{"http", overHTTP},
		{"sdk", overSDK},
		{"tool", func(b *testing.B, s *counter) func() { return wholeTool(b, s, true) }},
		{"tool-without-journal", func(b *testing.B, s *counter) func() { return wholeTool(b, s, false) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			resetAll := bench.run(b, server)
			server.calling, server.record = 0, 0
			for b.Loop() {
				server.clear()
				resetAll()
				server.check(b)
			}
			users := throughputUsers * float64(b.N)
			b.ReportMetric(users/b.Elapsed().Seconds(), "users/s")
			if server.calling > 0 {
				b.ReportMetric(users/server.calling.Seconds(), "calls/s")
				b.ReportMetric(float64(server.record)/users, "B/user")
			}
		})
	}
}

// A counter is a server that says yes to everything and counts who was called.
type counter struct {
	*httptest.Server
	calls   [throughputUsers]atomic.Int32
	calling time.Duration // how long the tool took over its calls
	record  int64         // bytes that it wrote of them
}

func newCounter(b *testing.B) *counter {
	c := new(counter)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Error(err)
		}
		_, rest, _ := bytes.Cut(body, []byte(`"user-`))
		digits, _, _ := bytes.Cut(rest, []byte(`"`))
		n, err := strconv.Atoi(string(digits))
		if err != nil {
			b.Errorf("the server was asked for nobody: %q", body)
			return
		}
		c.calls[n].Add(1)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.Header().Set("X-Amzn-Requestid", "00000000-0000-0000-0000-000000000000")
		io.WriteString(w, "{}")
	}))
	b.Cleanup(c.Close)
	return c
}

func (c *counter) clear() {
	for i := range c.calls {
		c.calls[i].Store(0)
	}
}

func (c *counter) check(b *testing.B) {
	for i := range c.calls {
		if n := c.calls[i].Load(); n != 1 {
			b.Fatalf("user %d was called %d times", i, n)
		}
	}
}

func throughputUser(n int64) string { return fmt.Sprintf("user-%07d", n) }

// inParallel calls reset once for each user, from as many goroutines as the
// tool has workers.
func inParallel(b *testing.B, reset func(username string) error) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range throughputWorkers {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < throughputUsers; n = next.Add(1) - 1 {
				if err := reset(throughputUser(n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
}

// overHTTP posts the same bodies, with headers of the same size.
func overHTTP(b *testing.B, s *counter) func() {
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: throughputWorkers, MaxIdleConnsPerHost: throughputWorkers}}
	b.Cleanup(client.CloseIdleConnections)
	header := http.Header{
		"Content-Type":  {"application/x-amz-json-1.1"},
		"X-Amz-Target":  {"AWSCognitoIdentityProviderService.AdminResetUserPassword"},
		"X-Amz-Date":    {"20260102T030405Z"},
		"Authorization": {"AWS4-HMAC-SHA256 Credential=" + strings.Repeat("x", 260)},
		"User-Agent":    {strings.Repeat("x", 150)},
	}
	return func() {
		inParallel(b, func(username string) error {
			body := strings.NewReader(`{"UserPoolId":"` + throughputPool + `","Username":"` + username + `"}`)
			req, err := http.NewRequest(http.MethodPost, s.URL, body)
			if err != nil {
				return err
			}
			req.Header = header.Clone()
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, res.Body)
			return errors.Join(err, res.Body.Close())
		})
	}
}

// overSDK is a worker pool over the SDK as it comes, but for the connections
// that it keeps.
func overSDK(b *testing.B, s *counter) func() {
	cfg, err := config.LoadDefaultConfig(b.Context(),
		config.WithRegion("eu-west-1"),
		config.WithBaseEndpoint(s.URL),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("id", "secret", "")),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = throughputWorkers
		})),
	)
	if err != nil {
		b.Fatal(err)
	}
	client := cognito.NewFromConfig(cfg)
	return func() {
		inParallel(b, func(username string) error {
			_, err := client.AdminResetUserPassword(b.Context(), &cognito.AdminResetUserPasswordInput{
				UserPoolId: aws.String(throughputPool), Username: &username,
			})
			return err
		})
	}
}

// callGC is the garbage collector's percentage that cmd/cognito-reset sets
// while it calls.
const callGC = 400

// wholeTool does what cognito-reset run does, from the CSV to the reports. A
// tenth more rows are duplicates.
func wholeTool(b *testing.B, s *counter, journaled bool) func() {
	var input bytes.Buffer
	input.WriteString("username\n")
	for n := range int64(throughputUsers) {
		fmt.Fprintln(&input, throughputUser(n))
		if n%10 == 9 {
			fmt.Fprintln(&input, throughputUser(n/2))
		}
	}
	pool, err := userpool.Open(b.Context(), userpool.Options{
		PoolID: throughputPool, EndpointURL: s.URL,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	if err != nil {
		b.Fatal(err)
	}
	runs := 0
	return func() {
		runs++
		dir, err := journal.Create(filepath.Join(b.TempDir(), strconv.Itoa(runs)))
		if err != nil {
			b.Fatal(err)
		}
		defer dir.Close()
		r, err := roster.Open(bytes.NewReader(input.Bytes()), roster.Options{})
		if err != nil {
			b.Fatal(err)
		}
		survey, err := dir.Spool(roster.Unique(r.Entries(), nil))
		if err != nil {
			b.Fatal(err)
		}
		if journaled {
			err = s.runJournaled(b.Context(), dir, survey, pool)
		} else {
			err = s.runUnjournaled(b.Context(), dir, survey, pool)
		}
		for _, name := range []string{journal.JournalFile, "report.csv", "report.jsonl"} {
			if info, err := dir.Stat(name); err == nil {
				s.record += info.Size()
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func (c *counter) runJournaled(ctx context.Context, dir *journal.Dir, survey journal.Survey, pool *userpool.Pool) error {
	history, err := dir.Replay()
	if err != nil {
		return err
	}
	j, err := history.Start("benchmark", survey.SHA256)
	if err != nil {
		return err
	}
	err = c.call(ctx, history.Remaining(nil), pool, batch.Options{Journal: j})
	if err := errors.Join(err, j.End(0, ""), j.Close()); err != nil {
		return err
	}
	if history, err = dir.Replay(); err != nil {
		return err
	}
	return writeReports(dir, history.Results(batch.Interrupted))
}

func (c *counter) runUnjournaled(ctx context.Context, dir *journal.Dir, survey journal.Survey, pool *userpool.Pool) error {
	results := make([]batch.Result, survey.Rows)
	err := c.call(ctx, dir.Entries(), pool, batch.Options{OnResult: func(r batch.Result) { results[r.Row-1] = r }})
	if err != nil {
		return err
	}
	return writeReports(dir, func(yield func(batch.Result, error) bool) {
		for _, r := range results {
			if !yield(r, nil) {
				return
			}
		}
	})
}

func (c *counter) call(ctx context.Context, entries iter.Seq2[batch.Entry, error], pool *userpool.Pool, o batch.Options) error {
	defer debug.SetGCPercent(debug.SetGCPercent(callGC))
	o.Workers = throughputWorkers
	began := time.Now()
	counts, err := batch.Run(ctx, entries, batch.ResetOnly(pool, nil), o)
	c.calling += time.Since(began)
	if n := counts.Outcomes[batch.Reset]; err == nil && n != throughputUsers {
		err = fmt.Errorf("%d users were reset: %v", n, counts.Reasons)
	}
	return err
}

func writeReports(dir *journal.Dir, results iter.Seq2[batch.Result, error]) error {
	return dir.Write("report.csv", func(csv io.Writer) error {
		return dir.Write("report.jsonl", func(jsonl io.Writer) error {
			writers := []report.Writer{report.NewCSV(csv), report.NewJSONL(jsonl)}
			for r, err := range results {
				if err != nil {
					return err
				}
				for _, w := range writers {
					if err := w.Write(r); err != nil {
						return err
					}
				}
			}
			return errors.Join(writers[0].Close(), writers[1].Close())
		})
	})
}
