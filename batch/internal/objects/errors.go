package objects

import (
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// Status is what HTTP says of an error; 0 if there was no answer.
func Status(err error) int {
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// Unmet reports whether the condition of a write did not hold.
func Unmet(err error) bool { return Status(err) == http.StatusPreconditionFailed }

// Missing reports whether there is no such object in a bucket that is there.
func Missing(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && Status(err) == http.StatusNotFound && api.ErrorCode() != "NoSuchBucket"
}

// Refused reports whether to ask again would not help.
func Refused(err error) bool {
	switch code := Status(err); code {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooManyRequests:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// A notOwnedError is that of a request that was refused, perhaps since the bucket is
// not the expected owner's: S3 does not tell.
type notOwnedError struct {
	owner string
	error
}

func (e *notOwnedError) Unwrap() error { return e.error }

// Words are what error codes mean to whoever named the bucket, where that depends
// on what was asked.
type Words struct {
	Denied string // which permissions are needed
	Unmet  string // why a condition did not hold
	Lacks  string // what follows if the store does not know what was asked
}

// Explain says what the usual errors mean. Others say it themselves.
func Explain(err error, w Words) error {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return err
	}
	what := ""
	switch api.ErrorCode() {
	case "NoSuchKey", "NotFound":
		what = "there is no such object"
	case "NoSuchBucket":
		what = "there is no such bucket"
	case "AccessDenied", "Forbidden":
		what = "access is denied: " + w.Denied
		if e, ok := errors.AsType[*notOwnedError](err); ok {
			what = fmt.Sprintf("access is denied: either the bucket does not belong to account %s, as was asked for, or this is missing: %s", e.owner, w.Denied)
		}
	case "InvalidObjectState":
		what = "the object is archived: restore it first"
	case "PreconditionFailed":
		what = w.Unmet
	case "NotImplemented":
		what = w.Lacks
	}
	if what == "" {
		return err
	}
	return &explained{fmt.Sprintf("%s (%s)", what, api.ErrorCode()), err}
}

// An explained error says in words of its own what another does.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }
