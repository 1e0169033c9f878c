package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
)

// serveSTS answers GetCallerIdentity, in the query protocol that STS speaks:
// a form in, XML out. It takes no time and knows no quota.
func (p *Pool) serveSTS(w http.ResponseWriter, r *http.Request, body []byte) {
	status, answer := http.StatusOK, fmt.Sprintf(
		`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>`+
			`<Arn>%s</Arn><UserId>AIDASANDBOX</UserId><Account>%s</Account>`+
			`</GetCallerIdentityResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></GetCallerIdentityResponse>`,
		callerARN, account, w.Header().Get("x-amzn-RequestId"))
	op, code := "GetCallerIdentity", OK

	form, malformed := url.ParseQuery(string(body))
	err := signed(r, "sts")
	if malformed != nil || form.Get("Action") != op {
		op, err = "unknown", refuse("InvalidAction", "The sandbox knows no such action")
	}
	if err != nil {
		status, code = err.status, err.code
		if code == "MissingAuthenticationTokenException" {
			code, status = "MissingAuthenticationToken", http.StatusForbidden
		}
		answer = fmt.Sprintf(
			`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
			code, err.message, w.Header().Get("x-amzn-RequestId"))
	}
	p.mu.Lock()
	p.count(op, code)
	p.mu.Unlock()
	write(w, status, "text/xml", []byte(answer))
}
