package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// roleLifetime is how long the credentials of a role are good.
const roleLifetime = time.Hour

// A roleToken is the session token of an assumed role. It says all that the
// sandbox wants to know of its bearer.
type roleToken struct {
	account, role, session string
	expires                time.Time
}

func (t roleToken) String() string {
	return strings.Join([]string{t.account, t.role, t.session, strconv.FormatInt(t.expires.Unix(), 10)}, "/")
}

func (t roleToken) arn() string {
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", t.account, t.role, t.session)
}

// bearer is the role whose credentials signed a request, if they are a role's.
func bearer(r *http.Request) (t roleToken, ok bool) {
	parts := strings.Split(r.Header.Get("X-Amz-Security-Token"), "/")
	if len(parts) != 4 {
		return t, false
	}
	at, err := strconv.ParseInt(parts[3], 10, 64)
	return roleToken{parts[0], parts[1], parts[2], time.Unix(at, 0)}, err == nil
}

// caller is the ARN of whoever signed a request, and account whose that is.
func (p *Pool) caller(r *http.Request) (arn, account string) {
	if t, ok := bearer(r); ok {
		return t.arn(), t.account
	}
	return "arn:aws:iam::" + p.cfg.Account + ":user/sandbox", p.cfg.Account
}

// serveSTS answers GetCallerIdentity and AssumeRole, in the query protocol that
// STS speaks: a form in, XML out. It takes no time and knows no quota. Any role
// of any account can be assumed, with the ExternalID if the pool has one.
func (p *Pool) serveSTS(w http.ResponseWriter, r *http.Request, body []byte) {
	form, malformed := url.ParseQuery(string(body))
	op, result := form.Get("Action"), ""
	err := signed(r, "sts")
	switch {
	case err != nil:
	case malformed == nil && op == "GetCallerIdentity":
		arn, account := p.caller(r)
		result = fmt.Sprintf("<Arn>%s</Arn><UserId>AIDASANDBOX</UserId><Account>%s</Account>", arn, account)
	case malformed == nil && op == "AssumeRole":
		result, err = p.assumeRole(form)
	default:
		op, err = "unknown", refuse("InvalidAction", "The sandbox knows no such action")
	}

	status, code := http.StatusOK, OK
	answer := fmt.Sprintf(`<%sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>%s</%[1]sResult>`+
		`<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%[1]sResponse>`, op, result, w.Header().Get("x-amzn-RequestId"))
	if err != nil {
		status, code = err.status, err.code
		switch code {
		case "MissingAuthenticationTokenException":
			code, status = "MissingAuthenticationToken", http.StatusForbidden
		case "AccessDenied":
			status = http.StatusForbidden
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

func (p *Pool) assumeRole(form url.Values) (result string, err *apiError) {
	arn := strings.SplitN(form.Get("RoleArn"), ":", 6)
	if len(arn) != 6 || !strings.HasPrefix(arn[5], "role/") {
		return "", refuse("ValidationError", "The role's ARN is not valid")
	}
	if p.cfg.ExternalID != "" && form.Get("ExternalId") != p.cfg.ExternalID {
		return "", refuse("AccessDenied", "User is not authorized to perform: sts:AssumeRole")
	}
	token := roleToken{arn[4], arn[5][strings.LastIndex(arn[5], "/")+1:], form.Get("RoleSessionName"), time.Now().Add(roleLifetime)}
	return fmt.Sprintf("<Credentials><AccessKeyId>ASIASANDBOX</AccessKeyId><SecretAccessKey>sandbox</SecretAccessKey>"+
		"<SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials><AssumedRoleUser><Arn>%s</Arn><AssumedRoleId>AROASANDBOX:%s</AssumedRoleId></AssumedRoleUser>",
		token, token.expires.UTC().Format(time.RFC3339), token.arn(), token.session), nil
}
