package userpool_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cognito-reset/batch"
)

// cutShort is a body of which the connection lost the rest.
func cutShort(text string) io.ReadCloser {
	return io.NopCloser(io.MultiReader(strings.NewReader(text), broken{}))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// HTTP status 200 alone proves nothing: a proxy gives it as well.
func TestAnAnswerThatDoesNotProveTheWorkIsInDoubt(t *testing.T) {
	for _, c := range []struct {
		name, body string
		noID, cut  bool
		done       bool
	}{
		{"as Cognito answers", "{}", false, false, true},
		{"with white space", " {} \n", false, false, true},
		{"no body", "", false, false, true},
		{"a body cut before its beginning", "", false, true, true},
		{"a body cut in the middle", "{", false, true, true},
		{"a body that ends too early", "{", false, false, true},
		{"no request id", "{}", true, false, false},
		{"neither request id nor body", "", true, false, false},
		{"other JSON", `{"status":"ok"}`, false, false, false},
		{"an error", `{"__type":"InternalErrorException","message":"no"}`, false, false, false},
		{"a list", "[]", false, false, false},
		{"null", "null", false, false, false},
		{"HTML", "<html><body>Sign in to the network</body></html>", false, false, false},
		{"HTML that is cut", "<html><bo", false, true, false},
		{"other JSON that is cut", `{"status":`, false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := open(t, transport(func(*http.Request) (*http.Response, error) {
				answer := jsonResponse(200, c.body)
				if c.cut {
					answer.Body, answer.ContentLength = cutShort(c.body), int64(len(c.body)+10)
				}
				if c.noID {
					answer.Header.Del("X-Amzn-Requestid")
				}
				return answer, nil
			}))
			actions := map[string]batch.Action{"reset": pool, "sign-out": pool.SignOut(), "disable": pool.Disable()}
			for name, action := range actions {
				_, err := action.Do(t.Context(), ann)
				if (err == nil) != c.done {
					t.Errorf("%s: %v", name, err)
				}
				if answer, ok := errors.AsType[*batch.Error](err); !c.done && (!ok || answer.Class != batch.ClassInDoubt || strings.Contains(answer.Error(), ann.Username)) {
					t.Errorf("%s is no doubt: %+v", name, err)
				}
			}
		})
	}
}

func TestAnInvitationIsProvedByTheUserThatItAnswersWith(t *testing.T) {
	for body, done := range map[string]bool{
		`{"User":{"Username":"ann"}}`: true, `{"User":{"Usern`: true, `{"Us`: true, "": true,
		`{"UserStatus":"x"}`: false, "<html>": false, `{"message":"no"`: false,
	} {
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminGetUser") {
				return jsonResponse(200, `{"Username":"ann","UserStatus":"FORCE_CHANGE_PASSWORD","UserAttributes":[{"Name":"email","Value":"a@example.com"}]}`), nil
			}
			return jsonResponse(200, body), nil
		}))
		if _, err := pool.Invite().Do(t.Context(), ann); (err == nil) != done {
			t.Errorf("%q: %v", body, err)
		}
	}
}
