package userpool

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// An unprovenError is an answer of HTTP status 200 that does not say that the
// service did what it was asked: a proxy, or something else on the way, may have
// given it.
type unprovenError string

func (e unprovenError) Error() string {
	return "HTTP status 200, but " + string(e) + ", so that it is not plain who answered"
}

// changes are the operations whose answers must be proved, each with the one
// member that its answer has, "" for none.
var changes = map[string]string{
	"AdminResetUserPassword": "",
	"AdminSetUserPassword":   "",
	"AdminUserGlobalSignOut": "",
	"AdminDisableUser":       "",
	"AdminCreateUser":        "User",
}

// proven has every answer to a change looked at before it is believed.
func proven(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("proven", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		answer, ok := out.RawResponse.(*smithyhttp.Response)
		member, change := changes[awsmiddleware.GetOperationName(ctx)]
		if err == nil && ok && change && answer.StatusCode/100 == 2 {
			err = prove(answer.Response, member)
		}
		return out, metadata, err
	}), middleware.After)
}

// maxProof is how much of an answer is read, in bytes: more than any has.
const maxProof = 1 << 20

// prove fails unless an answer is the service's own: it has a request id, and a
// body that holds the member or nothing. That a body is cut short, or is not
// there, leaves no doubt: the service answers when it is done.
func prove(answer *http.Response, member string) error {
	if answer.Header.Get("X-Amzn-Requestid") == "" && answer.Header.Get("X-Amz-Requestid") == "" {
		return unprovenError("there is no request id")
	}
	body, cut := io.ReadAll(io.LimitReader(answer.Body, maxProof))
	answer.Body.Close()
	body = bytes.TrimSpace(body)
	if cut == nil && member == "" && string(body) == "{}" { // as nearly all are
		answer.Body = io.NopCloser(bytes.NewReader(body))
		return nil
	}
	var got map[string]json.RawMessage
	wrong := json.Unmarshal(body, &got)
	switch {
	case len(body) == 0, (wrong != nil || cut != nil) && beginsLike(string(body), member):
		body = []byte("{}")
	case wrong != nil || got == nil:
		return unprovenError("the body is not one of the service's")
	}
	for name := range got {
		if name != member || member == "" {
			return unprovenError("the body says something else")
		}
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// beginsLike reports whether a body that is not whole may be the beginning of the
// service's answer.
func beginsLike(body, member string) bool {
	if member == "" {
		return body == "{"
	}
	whole := `{"` + member + `":`
	return strings.HasPrefix(body, whole) || strings.HasPrefix(whole, body)
}
