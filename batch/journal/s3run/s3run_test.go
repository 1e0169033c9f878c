package s3run

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch/internal/journaltest"
	"cognito-reset/batch/internal/s3test"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster/s3input"
)

// ownCredentials keep the tests from whatever AWS configuration is around.
func ownCredentials(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_CA_BUNDLE", "")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_REGION", "")
}

const run = "s3://" + s3test.Bucket + "/runs/monday"

// through reaches a server in this process.
func through(t *testing.T, s *s3test.Server) Options {
	ownCredentials(t)
	return Options{Options: s3input.Options{EndpointURL: "http://s3.test", HTTPClient: s}}
}

// place is a run in S3, which dead holders do not hold up for long.
func place(t *testing.T, name string, o Options) journaltest.Place {
	o.TTL = 300 * time.Millisecond
	at := func(open func(context.Context, string, Options) (*journal.Dir, error)) func() (*journal.Dir, error) {
		return func() (*journal.Dir, error) { return open(t.Context(), name, o) }
	}
	return journaltest.Place{
		Create: at(Create), Open: at(Open), View: at(View),
		Litter: func() error {
			s, err := reach(t.Context(), name, o.Options)
			if err == nil {
				_, err = s.put(t.Context(), "letter.txt", strings.NewReader("hello"), always)
			}
			return err
		},
	}
}

func TestAPrefixIsARunDirectory(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place { return place(t, run, through(t, s3test.New())) })
}
