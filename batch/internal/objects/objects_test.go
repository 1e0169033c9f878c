package objects

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch/internal/s3test"
)

// A transport answers within the process.
type transport func(*http.Request) *http.Response

func (t transport) Do(r *http.Request) (*http.Response, error) { return t(r), nil }

func answer(status int, body string, headers ...string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	for pair := range slices.Chunk(headers, 2) {
		res.Header.Set(pair[0], pair[1])
	}
	return res
}

// through is a bucket behind a transport.
func through(t *testing.T, by transport) *Bucket {
	t.Helper()
	s3test.OwnCredentials(t)
	client, err := New(Options{Region: "eu-west-1", HTTPClient: by})
	if err != nil {
		t.Fatal(err)
	}
	return client.Bucket("bucket")
}

// Whatever is asked first, it is asked again where the bucket is, and all that follows
// goes there at once.
func TestABucketElsewhereIsFollowedThereByEveryRequest(t *testing.T) {
	const listing = `<ListBucketResult><Contents><Key>a</Key><Size>7</Size></Contents><CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListBucketResult>`
	for what, do := range map[string]func(*Bucket) error{
		"get": func(b *Bucket) error {
			o, err := b.Get(t.Context(), "a", 1<<10)
			if err == nil && (o.ETag != `"1"` || string(o.Body) != listing) {
				err = errors.New("it is another object")
			}
			return err
		},
		"put": func(b *Bucket) error {
			_, err := b.Put(t.Context(), "a", strings.NewReader("content"), IfNew)
			return err
		},
		"delete":   func(b *Bucket) error { return b.Delete(t.Context(), "a") },
		"may list": func(b *Bucket) error { return b.MayList(t.Context(), "") },
		"list": func(b *Bucket) (err error) {
			var all []Listed
			for o, listErr := range b.ListFolder(t.Context(), "") {
				all, err = append(all, o), errors.Join(err, listErr)
			}
			if !slices.Equal(all, []Listed{{Key: "a", Size: 7}, {Key: "b/"}}) {
				err = errors.Join(err, errors.New("it is another list"))
			}
			return err
		},
	} {
		var hosts []string
		bucket := through(t, func(r *http.Request) *http.Response {
			hosts = append(hosts, r.URL.Host)
			var body []byte
			if r.Body != nil {
				body, _ = io.ReadAll(r.Body)
			}
			switch {
			case !strings.Contains(r.URL.Host, "ap-south-1"):
				return answer(301, "<Error><Code>PermanentRedirect</Code></Error>", "X-Amz-Bucket-Region", "ap-south-1")
			case r.Method == http.MethodPut && (!strings.Contains(string(body), "content") || r.Header.Get("If-None-Match") != "*"):
				return answer(400, "<Error><Code>NotTheContent</Code></Error>")
			}
			return answer(200, listing, "ETag", `"1"`)
		})
		if err := errors.Join(do(bucket), do(bucket)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		const here, there = "bucket.s3.eu-west-1.amazonaws.com", "bucket.s3.ap-south-1.amazonaws.com"
		if want := []string{here, there, there}; !slices.Equal(hosts, want) {
			t.Errorf("%s: %q", what, hosts)
		}
	}
}

func TestErrorsSayWhatTheyMean(t *testing.T) {
	words := Words{Denied: "allow it", Unmet: "it was changed", Lacks: "use another"}
	for code, test := range map[string]struct {
		status                  int
		want                    string
		unmet, missing, refused bool
	}{
		"NoSuchKey":          {404, "there is no such object (NoSuchKey)", false, true, true},
		"NoSuchBucket":       {404, "there is no such bucket (NoSuchBucket)", false, false, true},
		"AccessDenied":       {403, "access is denied: allow it (AccessDenied)", false, false, true},
		"PreconditionFailed": {412, "it was changed (PreconditionFailed)", true, false, false},
		"InvalidObjectState": {403, "the object is archived: restore it first (InvalidObjectState)", false, false, true},
		"NotImplemented":     {501, "use another (NotImplemented)", false, false, false},
		"Other":              {409, "Other", false, false, false},
	} {
		bucket := through(t, func(*http.Request) *http.Response {
			return answer(test.status, "<Error><Code>"+code+"</Code></Error>")
		})
		_, err := bucket.Get(t.Context(), "a", 1<<10)
		explained := Explain(err, words)
		if explained == nil || !strings.Contains(explained.Error(), test.want) || Status(explained) != test.status {
			t.Errorf("%s: %v", code, explained)
			continue
		}
		if Unmet(explained) != test.unmet || Missing(explained) != test.missing || Refused(explained) != test.refused {
			t.Errorf("%s: unmet %t, missing %t, refused %t", code, Unmet(explained), Missing(explained), Refused(explained))
		}
	}
}
