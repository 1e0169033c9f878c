package sim

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A store is an S3 with one bucket. It is consistent, as S3 says it is; but a
// request takes effect at any time while it is under way, which is long after its
// sender gave up or died, if it comes late.
type store struct {
	w        *world
	mu       sync.Mutex
	objects  map[string]object
	requests int
	damaged  time.Time // when objects were deleted last
}

type object struct {
	data     []byte
	etag     string
	modified time.Time
}

const bucket = "bucket"

func newStore(w *world) *store { return &store{w: w, objects: make(map[string]object)} }

// An s3Client is the store as one process reaches it.
type s3Client struct {
	store   *store
	process *process
}

var errCut = errors.New("the connection was cut")

// Do implements aws.HTTPClient.
func (c s3Client) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if r.Body.Close(); err != nil {
			return nil, err
		}
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f := c.process.pass("s3 "+r.Method, key)
	if f.err != nil {
		return nil, f.err
	}
	what := c.store.fault(c.process)
	if what != "" {
		c.store.w.tell("process %d: %s %s: %s", c.process.n, r.Method, key, what)
	}
	var res *http.Response
	switch what {
	case s3Broken:
		res = s3Fails(http.StatusInternalServerError, "InternalError")
	case s3SlowDown:
		res = s3Fails(http.StatusServiceUnavailable, "SlowDown")
	case s3Conflict:
		if r.Method == http.MethodPut {
			res = s3Fails(http.StatusConflict, "ConditionalRequestConflict")
			break
		}
		res = s3Fails(http.StatusServiceUnavailable, "SlowDown")
	case s3CutBefore, s3Outage:
		return nil, errCut
	case s3Late:
		if r.Method != http.MethodPut {
			return nil, errCut
		}
		began := time.Now()
		c.store.w.after(lateness, func() {
			if c.store.lastDamage().Before(began) { // whoever deletes what is old does not race with what is new
				c.store.serve(r, key, body)
			}
		})
		return nil, errCut
	case s3CutAfter:
		c.store.serve(r, key, body)
		return nil, errCut
	default:
		res = c.store.serve(r, key, body)
	}
	if f.then != nil {
		return nil, f.then()
	}
	c.process.awake()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res.Request = r
	res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return res, nil
}

// lateness is how late a write that is late takes effect.
const lateness = 7 * time.Second

// fault is what becomes of the next request.
func (s *store) fault(p *process) kind {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.calm {
		return ""
	}
	s.requests++
	if p.outage() {
		return s3Outage
	}
	f, _ := s.w.plan.answer(s.requests, s3Broken, s3SlowDown, s3Conflict, s3CutBefore, s3CutAfter, s3Late)
	return f.Kind
}

func s3Answer(status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Length": {strconv.Itoa(len(body))}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
}

func s3Fails(status int, code string) *http.Response {
	return s3Answer(status, fmt.Appendf(nil, "<Error><Code>%s</Code></Error>", code))
}

func (s *store) serve(r *http.Request, key string, body []byte) *http.Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, ok := s.objects[key]
	switch {
	case r.Method == http.MethodGet && key == "":
		return s.list(r)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		return s3Answer(http.StatusNoContent, nil)
	case r.Method == http.MethodPut:
		if r.Header.Get("If-None-Match") == "*" && ok {
			return s3Fails(http.StatusPreconditionFailed, "PreconditionFailed")
		}
		if etag := r.Header.Get("If-Match"); etag != "" && !ok {
			return s3Fails(http.StatusNotFound, "NoSuchKey")
		} else if etag != "" && etag != there.etag {
			return s3Fails(http.StatusPreconditionFailed, "PreconditionFailed")
		}
		sum := md5.Sum(body)
		o := object{body, `"` + hex.EncodeToString(sum[:]) + `"`, time.Now()}
		s.objects[key] = o
		res := s3Answer(http.StatusOK, nil)
		res.Header.Set("ETag", o.etag)
		return res
	case !ok:
		return s3Fails(http.StatusNotFound, "NoSuchKey")
	}
	res := s3Answer(http.StatusOK, there.data)
	if r.Method == http.MethodHead {
		res.Body = http.NoBody
	}
	res.Header.Set("ETag", there.etag)
	res.Header.Set("Last-Modified", there.modified.UTC().Format(http.TimeFormat))
	return res
}

// list answers ListObjectsV2, all at once.
func (s *store) list(r *http.Request) *http.Response {
	query := r.URL.Query()
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	most, err := strconv.Atoi(query.Get("max-keys"))
	if err != nil {
		most = 1000
	}
	var body bytes.Buffer
	body.WriteString("<ListBucketResult>")
	n, last := 0, ""
	for _, key := range sorted(s.objects) {
		name, below := strings.CutPrefix(key, prefix)
		if !below || n == most {
			continue
		}
		if folder, _, nested := strings.Cut(name, delimiter); nested && delimiter != "" {
			if folder == last {
				continue
			}
			last = folder
			body.WriteString("<CommonPrefixes><Prefix>")
			xml.EscapeText(&body, []byte(prefix+folder+delimiter))
			body.WriteString("</Prefix></CommonPrefixes>")
		} else {
			o := s.objects[key]
			body.WriteString("<Contents><Key>")
			xml.EscapeText(&body, []byte(key))
			fmt.Fprintf(&body, "</Key><Size>%d</Size><ETag>%s</ETag><LastModified>%s</LastModified></Contents>",
				len(o.data), strings.ReplaceAll(o.etag, `"`, "&quot;"), o.modified.UTC().Format(time.RFC3339))
		}
		n++
	}
	fmt.Fprintf(&body, "<KeyCount>%d</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>", n)
	return s3Answer(http.StatusOK, body.Bytes())
}

// remove deletes objects, as a lifecycle rule does, and returns all that there were.
func (s *store) remove(which func(key string) bool) (was map[string]object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.damaged = maps.Clone(s.objects), time.Now()
	maps.DeleteFunc(s.objects, func(key string, _ object) bool { return which(key) })
	return was
}

func (s *store) lastDamage() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged
}

// restore puts back what is missing, unless somebody has gone on with what was left.
func (s *store) restore(was map[string]object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, o := range s.objects {
		if before, ok := was[key]; !strings.HasSuffix(key, "lease.json") && (!ok || before.etag != o.etag) {
			return
		}
	}
	for key, o := range was {
		if _, ok := s.objects[key]; !ok {
			s.objects[key] = o
		}
	}
}

// keys are those of the objects below a prefix, in their order.
func (s *store) keys(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(sorted(s.objects), func(key string) bool { return !strings.HasPrefix(key, prefix) })
}
