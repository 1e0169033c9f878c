package s3input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/internal/sourcetest"
	"cognito-reset/batch/roster"
)

// A fake serves one object, s3://bucket/users.csv.
type fake struct {
	sync.Mutex // held while it answers
	content    []byte
	etag       string
	cutAt      int      // bytes of an answer after which it is cut; 0 for none
	onCut      func()   // before it is
	noRange    bool     // ranges are not understood
	ranges     []string // that were asked for
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.Lock()
	defer f.Unlock()
	asked := r.Header.Get("Range")
	f.ranges = append(f.ranges, asked)
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
	}
	switch match := r.Header.Get("If-Match"); {
	case r.URL.Path == "/bucket/denied":
		fail(http.StatusForbidden, "AccessDenied")
		return
	case r.URL.Path != "/bucket/users.csv":
		fail(http.StatusNotFound, "NoSuchKey")
		return
	case asked != "" && match == "":
		fail(http.StatusBadRequest, "RangeWithoutIfMatch")
		return
	case match != "" && match != f.etag:
		fail(http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	from, status := 0, http.StatusOK
	if asked != "" && !f.noRange {
		fmt.Sscanf(asked, "bytes=%d-", &from)
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(f.content)-1, len(f.content)))
	}
	rest := f.content[from:]
	w.Header().Set("ETag", f.etag)
	w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
	w.WriteHeader(status)
	if f.cutAt == 0 || len(rest) <= f.cutAt {
		w.Write(rest)
		return
	}
	w.Write(rest[:f.cutAt])
	w.(http.Flusher).Flush()
	if f.onCut != nil {
		f.onCut()
	}
	panic(http.ErrAbortHandler)
}

func serve(t *testing.T, f *fake) roster.Opener {
	t.Helper()
	s3test.OwnCredentials(t)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return Opener(Options{EndpointURL: server.URL})
}

func list() []byte {
	var b bytes.Buffer
	b.WriteString("username\n")
	for i := range 5_000 {
		fmt.Fprintf(&b, "user-%d\n", i)
	}
	return b.Bytes()
}

func TestACutStreamIsTakenUpWhereItBrokeOff(t *testing.T) {
	f := &fake{content: list(), etag: `"1"`, cutAt: 9_000}
	body, err := serve(t, f)(t.Context(), "s3://bucket/users.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if err := iotest.TestReader(body, f.content); err != nil {
		t.Error(err)
	}
	want := []string{""}
	for at := f.cutAt; at < len(f.content); at += f.cutAt {
		want = append(want, fmt.Sprintf("bytes=%d-", at))
	}
	f.Lock()
	defer f.Unlock()
	if !slices.Equal(f.ranges, want) {
		t.Errorf("asked for %q; want %q", f.ranges, want)
	}
}

// Cut again and again, it keeps the intents of every source.
func TestConformance(t *testing.T) {
	f := &fake{etag: `"1"`, cutAt: 90_000}
	open := serve(t, f)
	sourcetest.Test(t, sourcetest.Source{
		Open: func(_ *testing.T, ctx context.Context, usernames []string) (iter.Seq2[batch.Entry, error], error) {
			f.Lock()
			f.content = []byte("username\n" + strings.Join(usernames, "\n"))
			f.Unlock()
			in, err := roster.OpenInputs(ctx, []string{"s3://bucket/users.csv"}, roster.Places{Schemes: map[string]roster.Opener{Scheme: open}}, roster.Options{})
			if err != nil {
				return nil, err
			}
			return in.Entries(), nil
		},
		Place: func(row, _ int) string { return fmt.Sprintf("s3://bucket/users.csv:%d:1", row+1) },
	})
}

func TestACutStreamThatCannotGoOnIsAnError(t *testing.T) {
	for what, f := range map[string]*fake{
		"changed while it was read":     {content: list(), etag: `"1"`, cutAt: 9_000},
		"does not go on from there":     {content: list(), etag: `"1"`, cutAt: 9_000, noRange: true},
		"not known whether the object ": {content: list(), etag: "", cutAt: 9_000},
	} {
		if strings.HasPrefix(what, "changed") {
			f.onCut = func() { f.etag = `"2"` }
		}
		body, err := serve(t, f)(t.Context(), "s3://bucket/users.csv")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err == nil || !strings.Contains(err.Error(), what) || len(got) != f.cutAt {
			t.Errorf("%d bytes, %v; want %s", len(got), err, what)
		}
		body.Close()
	}
}

func TestObjectsThatCannotBeOpenedAreErrors(t *testing.T) {
	open := serve(t, &fake{content: list(), etag: `"1"`})
	for name, want := range map[string]string{
		"s3://":              "s3://bucket/key",
		"s3://bucket":        "s3://bucket/key",
		"s3://bucket/":       "s3://bucket/key",
		"s3:///key":          "s3://bucket/key",
		"s3://bucket/absent": "there is no such object (NoSuchKey)",
		"s3://bucket/denied": "s3:GetObject",
	} {
		if body, err := open(t.Context(), name); err == nil || body != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %s", name, body, err, want)
		}
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	body, err := serve(t, &fake{content: list(), etag: `"1"`, cutAt: 9_000, onCut: func() { cancel(enough) }})(ctx, "s3://bucket/users.csv")
	if err == nil {
		defer body.Close()
		_, err = io.ReadAll(body)
	}
	if !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

// A transport answers within the process, so that time can be a fake.
type transport func(*http.Request) (*http.Response, error)

func (t transport) Do(r *http.Request) (*http.Response, error) { return t(r) }

func answer(status int, body io.Reader, headers ...string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: -1}
	for pair := range slices.Chunk(headers, 2) {
		res.Header.Set(pair[0], pair[1])
	}
	return res
}

func TestAServerThatBringsNothingMoreIsGivenUp(t *testing.T) {
	s3test.OwnCredentials(t)
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		open := Opener(Options{Region: "eu-west-1", HTTPClient: transport(func(*http.Request) (*http.Response, error) {
			asked++
			if asked == 1 {
				return answer(200, strings.NewReader("user"), "Content-Length", "100", "ETag", `"1"`), nil
			}
			return answer(206, iotest.ErrReader(io.ErrUnexpectedEOF), "Content-Length", "96", "ETag", `"1"`, "Content-Range", "bytes 4-99/100"), nil
		})})
		body, err := open(t.Context(), "s3://bucket/key")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		got, err := io.ReadAll(body)
		if string(got) != "user" || err == nil || !strings.Contains(err.Error(), "after 4 of 100 bytes, and 6 times again") || asked != 1+6 {
			t.Errorf("%q, %v, asked %d times", got, err, asked)
		}
	})
}

// stuck gives one byte and then nothing until ctx is done.
type stuck struct {
	ctx   context.Context
	begun bool
}

func (s *stuck) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		return copy(p, "u"), nil
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestAStalledConnectionCountsAsCut(t *testing.T) {
	s3test.OwnCredentials(t)
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		open := Opener(Options{Region: "eu-west-1", HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				return answer(200, &stuck{ctx: r.Context()}, "Content-Length", "5", "ETag", `"1"`), nil
			}
			return answer(206, strings.NewReader("sers"), "Content-Length", "4", "ETag", `"1"`, "Content-Range", "bytes 1-4/5"), nil
		})})
		body, err := open(t.Context(), "s3://bucket/key")
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		began := time.Now()
		if got, err := io.ReadAll(body); string(got) != "users" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestABucketElsewhereIsFollowedThere(t *testing.T) {
	s3test.OwnCredentials(t)
	var hosts []string
	open := Opener(Options{Region: "eu-west-1", HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		if !strings.Contains(r.URL.Host, "ap-south-1") {
			return answer(301, strings.NewReader("<Error><Code>PermanentRedirect</Code></Error>"), "X-Amz-Bucket-Region", "ap-south-1"), nil
		}
		return answer(200, strings.NewReader("users"), "Content-Length", "5", "ETag", `"1"`), nil
	})})
	body, err := open(t.Context(), "s3://bucket/key")
	if err != nil {
		t.Fatal(err, hosts)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); string(got) != "users" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if want := []string{"bucket.s3.eu-west-1.amazonaws.com", "bucket.s3.ap-south-1.amazonaws.com"}; !slices.Equal(hosts, want) {
		t.Errorf("%q", hosts)
	}
}
