package userpool_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
)

// answers has a row for each that shared/COGNITO.md and cognito-facts.md know
// of, and for what comes between the service and us.
var answers = []struct {
	name          string
	code, message string
	status        int
	class         batch.Class
	reason        batch.Reason
}{
	{"unknown user", "UserNotFoundException", "User does not exist.", 400, batch.ClassUser, batch.UserNotFound},
	{"temporary password", "NotAuthorizedException", "User password cannot be reset in the current state.", 400, batch.ClassUser, batch.WrongState},
	{"disabled", "NotAuthorizedException", "User is disabled.", 400, batch.ClassUser, batch.Disabled},
	{"disabled, as moto says it", "NotAuthorizedException", "User is disabled", 400, batch.ClassUser, batch.Disabled},
	{"not authorized by IAM's words", "NotAuthorizedException", "User: arn:aws:iam::1:user/u is not authorized to perform: cognito-idp:AdminResetUserPassword", 400, batch.ClassRun, batch.AccessDenied},
	{"no verified contact", "InvalidParameterException", "Cannot reset password for the user as there is no registered/verified email or phone_number", 400, batch.ClassUser, batch.NoVerifiedContact},
	{"trigger refuses", "UserLambdaValidationException", "CustomMessage failed with error no.", 400, batch.ClassUser, batch.LambdaRefused},
	{"trigger times out", "UnexpectedLambdaException", "CustomMessage invocation failed due to error Socket timeout while invoking Lambda function.", 400, batch.ClassUser, batch.LambdaRefused},
	{"trigger answers nonsense", "InvalidLambdaResponseException", "Unrecognizable lambda output", 400, batch.ClassUser, batch.LambdaRefused},
	{"message not delivered", "CodeDeliveryFailureException", "Failed to deliver.", 400, batch.ClassUser, batch.MessageRefused},
	{"SES sandbox", "InvalidParameterException", "Email address is not verified. The following identities failed the check in region EU-WEST-1: ann@example.com", 400, batch.ClassUser, batch.MessageRefused},
	{"malformed username", "InvalidParameterException", "1 validation error detected: Value '' at 'username' failed to satisfy constraint: Member must have length greater than or equal to 1", 400, batch.ClassUser, batch.InvalidParameter},
	{"attempt limit", "LimitExceededException", "Attempt limit exceeded, please try after some time.", 400, batch.ClassUser, batch.AttemptLimit},
	{"invited, but has a password", "UnsupportedUserStateException", "Resend not possible. ann status is not FORCE_CHANGE_PASSWORD", 400, batch.ClassUser, batch.WrongState},
	{"unknown code", "SomethingNewException", "New.", 400, batch.ClassUser, batch.Other},

	{"throttled", "TooManyRequestsException", "Rate exceeded", 400, batch.ClassThrottle, batch.Throttled},
	{"throttled, in other words", "TooManyRequestsException", "Too many requests", 400, batch.ClassThrottle, batch.Throttled},
	{"throttled by the front", "ThrottlingException", "Rate exceeded", 400, batch.ClassThrottle, batch.Throttled},
	{"throttled by status alone", "Whatever", "Why.", 429, batch.ClassThrottle, batch.Throttled},

	{"a password of before", "PasswordHistoryPolicyViolationException", "Password has previously been used.", 400, batch.ClassMoment, batch.Other},

	{"daily mail limit", "LimitExceededException", "Exceeded daily email limit for the operation or the account. If a higher limit is required, please configure your user pool to use your own Amazon SES configuration for sending email.", 400, batch.ClassRun, batch.MessageLimit},
	{"malformed pool id", "InvalidParameterException", `1 validation error detected: Value ' x' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`, 400, batch.ClassRun, batch.PoolNotFound},
	{"no such pool", "ResourceNotFoundException", "User pool us-east-2_xxx does not exist.", 400, batch.ClassRun, batch.PoolNotFound},
	{"access denied", "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized to perform: cognito-idp:AdminResetUserPassword on resource: x", 400, batch.ClassRun, batch.AccessDenied},
	{"unknown key", "UnrecognizedClientException", "The security token included in the request is invalid.", 400, batch.ClassRun, batch.Credentials},
	{"wrong secret", "InvalidSignatureException", "The request signature we calculated does not match", 400, batch.ClassRun, batch.Credentials},
	{"no signature", "MissingAuthenticationTokenException", "Missing Authentication Token", 400, batch.ClassRun, batch.Credentials},
	{"expired token", "ExpiredTokenException", "The security token included in the request is expired", 400, batch.ClassRun, batch.Credentials},
	{"e-mail role", "InvalidEmailRoleAccessPolicyException", "", 400, batch.ClassRun, batch.PoolConfiguration},
	{"SMS role", "InvalidSmsRoleAccessPolicyException", "", 400, batch.ClassUser, batch.MessageRefused},
	{"SMS trust", "InvalidSmsRoleTrustRelationshipException", "", 400, batch.ClassUser, batch.MessageRefused},
	{"no self-service recovery", "OperationNotEnabledException", "", 400, batch.ClassRun, batch.PoolConfiguration},

	{"password policy", "InvalidPasswordException", "Password did not conform with policy: Password not long enough", 400, batch.ClassRun, batch.PoolConfiguration},
	{"sign-out denied", "AccessDeniedException", "User: arn:aws:iam::1:user/u is not authorized to perform: cognito-idp:AdminUserGlobalSignOut on resource: x", 400, batch.ClassRun, batch.AccessDenied},

	{"clock behind", "InvalidSignatureException", "Signature expired: 20260102T030405Z is now earlier than 20260102T031905Z", 400, batch.ClassMoment, batch.ClockSkew},
	{"clock ahead", "InvalidSignatureException", "Signature not yet current: 20260102T030405Z is still later than 20260102T024905Z", 400, batch.ClassMoment, batch.ClockSkew},
	{"clock, in S3's words", "RequestTimeTooSkewed", "Why.", 403, batch.ClassMoment, batch.ClockSkew},
	{"clock, in older words", "RequestExpired", "Why.", 400, batch.ClassMoment, batch.ClockSkew},
	{"SES lacks an identity", "InvalidParameterException", "The following identities failed the check in region EU-WEST-1: ann@example.com", 400, batch.ClassUser, batch.MessageRefused},
	{"IAM, in EC2's words", "NotAuthorized", "Why.", 403, batch.ClassRun, batch.AccessDenied},
	{"half a signature", "IncompleteSignatureException", "Why.", 400, batch.ClassRun, batch.Credentials},
	{"an unknown code with 401", "SomethingNewException", "Why.", 401, batch.ClassRun, batch.Credentials},
	{"an unknown code with 403", "SomethingNewException", "Why.", 403, batch.ClassRun, batch.Credentials},
	{"a key that may not be used", "KMSAccessDeniedException", "Why.", 400, batch.ClassRun, batch.PoolConfiguration},
	{"a time-out, in other words", "RequestTimeoutException", "Why.", 400, batch.ClassInDoubt, batch.ServerError},
	{"unavailable", "ServiceUnavailable", "Why.", 503, batch.ClassInDoubt, batch.ServerError},
	{"no subscription", "OptInRequired", "Why.", 403, batch.ClassRun, batch.Credentials},
	{"no access key", "AuthFailure", "Why.", 401, batch.ClassRun, batch.Credentials},
	{"old token", "TokenRefreshRequired", "Why.", 400, batch.ClassRun, batch.Credentials},
	{"account", "AccountProblem", "Why.", 403, batch.ClassRun, batch.Credentials},
	{"key of the pool", "KMSDisabledException", "Why.", 400, batch.ClassRun, batch.PoolConfiguration},
	{"not Cognito", "UnknownOperationException", "Why.", 400, batch.ClassRun, batch.UnsupportedOperation},
	{"cognito-local, of a call", "Unsupported", `Cognito Local unsupported feature: Unsupported x-amz-target header "AdminResetUserPassword"`, 500, batch.ClassRun, batch.UnsupportedOperation},
	{"cognito-local, of a part of a call", "Unsupported", "Cognito Local unsupported feature: AdminCreateUser with DeliveryMedium", 500, batch.ClassInDoubt, batch.ServerError},
	{"throttled, as others say it", "RequestThrottledException", "Why.", 400, batch.ClassThrottle, batch.Throttled},
	{"throttled, as S3 says it", "SlowDown", "Why.", 503, batch.ClassThrottle, batch.Throttled},
	{"a time-out of the service", "RequestTimeout", "Why.", 408, batch.ClassInDoubt, batch.ServerError},

	{"internal error", "InternalErrorException", "", 500, batch.ClassInDoubt, batch.ServerError},
	{"internal error with the wrong status", "InternalErrorException", "", 400, batch.ClassInDoubt, batch.ServerError},
	{"unknown code of a failing server", "Whatever", "Why.", 503, batch.ClassInDoubt, batch.ServerError},
}

func TestEveryAnswerHasItsClass(t *testing.T) {
	for _, a := range answers {
		t.Run(a.name, func(t *testing.T) {
			body, err := json.Marshal(map[string]string{"__type": a.code, "message": a.message})
			if err != nil {
				t.Fatal(err)
			}
			got := answerOf(t, transport(func(*http.Request) (*http.Response, error) {
				return jsonResponse(a.status, string(body)), nil
			}))
			check(t, got, a.class, a.reason)
			if got.Code != a.code || got.Message != a.message || got.RequestID != "request-1" {
				t.Errorf("code %q, message %q, request id %q", got.Code, got.Message, got.RequestID)
			}
		})
	}
}

func TestAnswersThatAreNotTheServicesOwnHaveTheirClass(t *testing.T) {
	for _, a := range []struct {
		name   string
		answer *http.Response
		class  batch.Class
		reason batch.Reason
	}{
		{"code with a namespace", jsonResponse(400, `{"__type":"com.amazonaws.cognito#TooManyRequestsException","message":"Rate exceeded"}`), batch.ClassThrottle, batch.Throttled},
		{"403 in XML, as moto refuses bad keys", response(403, "text/xml", `<ErrorResponse><Errors><Error><Code>InvalidClientTokenId</Code></Error></Errors></ErrorResponse>`), batch.ClassRun, batch.Credentials},
		{"401 of a proxy", response(401, "text/html", "<html>log in</html>"), batch.ClassRun, batch.Credentials},
		{"429 of a proxy", response(429, "text/html", "<html>slow down</html>"), batch.ClassThrottle, batch.Throttled},
		{"429 with nothing", response(429, "", ""), batch.ClassThrottle, batch.Throttled},
		{"404 of a proxy", response(404, "text/html", "<html>not here</html>"), batch.ClassInDoubt, batch.Other},
		{"400 without a code", jsonResponse(400, "{}"), batch.ClassInDoubt, batch.Other},
		{"400 cut short", jsonResponse(400, `{"__type":"TooManyReq`), batch.ClassInDoubt, batch.Other},
		{"408 of a proxy", response(408, "text/html", "<html>too slow</html>"), batch.ClassInDoubt, batch.ServerError},
		{"502 of a proxy", response(502, "text/html", "<html>Bad Gateway</html>"), batch.ClassInDoubt, batch.ServerError},
		{"500 with nothing", response(500, "", ""), batch.ClassInDoubt, batch.ServerError},
		{"200 cut short", jsonResponse(200, `{"Foo":`), batch.ClassInDoubt, batch.Other},
		{"200 of a captive portal", response(200, "text/html", "<html>welcome</html>"), batch.ClassInDoubt, batch.Other},
	} {
		t.Run(a.name, func(t *testing.T) {
			check(t, answerOf(t, transport(func(*http.Request) (*http.Response, error) { return a.answer, nil })), a.class, a.reason)
		})
	}
}

// timeout is how net/http says that its own time is up.
type timeout struct{}

func (timeout) Error() string {
	return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
}
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestACallWithoutAnAnswerIsInDoubtUnlessItNeverLeft(t *testing.T) {
	for _, a := range []struct {
		name  string
		err   error
		class batch.Class
	}{
		{"connection refused", &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, batch.ClassMoment},
		{"dial timed out", &net.OpError{Op: "dial", Net: "tcp", Err: timeout{}}, batch.ClassMoment},
		{"proxy refused", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED}, batch.ClassMoment},
		{"no such host", &net.DNSError{Err: "no such host", Name: "cognito"}, batch.ClassMoment},
		{"untrusted certificate", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, batch.ClassMoment},
		{"connection reset", &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, batch.ClassInDoubt},
		{"broken pipe", &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}, batch.ClassInDoubt},
		{"closed", io.ErrUnexpectedEOF, batch.ClassInDoubt},
		{"timed out", timeout{}, batch.ClassInDoubt},
	} {
		t.Run(a.name, func(t *testing.T) {
			got := answerOf(t, transport(func(r *http.Request) (*http.Response, error) {
				return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: a.err}
			}))
			check(t, got, a.class, batch.Network)
			if !errors.Is(got, a.err) {
				t.Errorf("%v does not say why", got)
			}
		})
	}
}

// Whoever reads why nothing left also reads what to do about it.
func TestACallThatNeverLeftSaysWhatToDo(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	unknown := &net.DNSError{Err: "no such host", Name: "cognito"}
	for _, c := range []struct {
		err    error
		advice string
	}{
		{refused, "check the network, the firewall and --endpoint-url"},
		{unknown, "check the network, its DNS, --region and --endpoint-url"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: unknown}, "check the network, its DNS, --region and --endpoint-url"},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: refused}, "check HTTPS_PROXY"},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: unknown}, "check HTTPS_PROXY"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "set AWS_CA_BUNDLE"},
		{http.ErrSchemeMismatch, "give --endpoint-url with http://"},
	} {
		byClient := &url.Error{Op: "Post", URL: "https://cognito.test", Err: c.err}
		for _, err := range []error{c.err, byClient} { // as a transport and an http.Client say it
			got := answerOf(t, transport(func(*http.Request) (*http.Response, error) { return nil, err }))
			if !strings.Contains(got.Error(), c.advice) || !errors.Is(got, c.err) {
				t.Errorf("%v: %q does not say %q", err, got, c.advice)
			}
			if strings.Contains(got.Error(), "StatusCode") {
				t.Errorf("%v: %q speaks of an answer that never came", err, got)
			}
		}
	}
	got := answerOf(t, transport(func(*http.Request) (*http.Response, error) { return response(407, "text/html", "<html>"), nil }))
	if !strings.Contains(got.Error(), "check the user and password in HTTPS_PROXY") {
		t.Errorf("a proxy's 407: %q", got)
	}
}

func TestACallCutOffByItsContextIsInDoubt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
		cancel()
		return nil, r.Context().Err()
	}))
	_, err := pool.Do(ctx, batch.Entry{Username: "ann"})
	answer, ok := errors.AsType[*batch.Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	check(t, answer, batch.ClassInDoubt, batch.Network)
}

func TestNothingIsSentWithoutCredentialsOrRegion(t *testing.T) {
	for _, a := range []struct {
		name   string
		set    func(*userpool.Options)
		reason batch.Reason
	}{
		{"no credentials anywhere", func(o *userpool.Options) { o.Credentials = nil }, batch.Credentials},
		{"credentials that cannot be renewed", func(o *userpool.Options) { o.Credentials = deny{errors.New("SSO session has expired")} }, batch.Credentials},
		{"no Region", func(o *userpool.Options) { o.PoolID = "nowhere" }, batch.PoolNotFound},
		{"a Region that is none", func(o *userpool.Options) { o.PoolID = "not a region_x" }, batch.PoolNotFound},
	} {
		t.Run(a.name, func(t *testing.T) {
			pool := open(t, transport(func(*http.Request) (*http.Response, error) {
				t.Error("a request was sent")
				return jsonResponse(200, "{}"), nil
			}), a.set)
			_, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"})
			answer, ok := errors.AsType[*batch.Error](err)
			if !ok {
				t.Fatalf("%T: %v", err, err)
			}
			check(t, answer, batch.ClassRun, a.reason)
			if !answer.Reason.StopsRun() {
				t.Errorf("a resume would not attempt this user again")
			}
		})
	}
}

// Over TCP the errors are net/http's own, not this test's idea of them.
func TestConnectionsThatFailForReal(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		srv := httptest.NewServer(nil)
		srv.Close()
		check(t, overTCP(t, srv.URL), batch.ClassMoment, batch.Network)
	})
	t.Run("cut before the answer", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		defer srv.Close()
		check(t, overTCP(t, srv.URL), batch.ClassInDoubt, batch.Network)
	})
	t.Run("cut within the answer", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"Foo":`)
		}))
		defer srv.Close()
		check(t, overTCP(t, srv.URL), batch.ClassInDoubt, batch.Other)
	})
	t.Run("a certificate that nobody signed", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(nil)
		srv.Config.ErrorLog = discard
		srv.StartTLS()
		defer srv.Close()
		check(t, overTCP(t, srv.URL), batch.ClassMoment, batch.Network)
	})
	t.Run("a redirect", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}))
		defer srv.Close()
		check(t, overTCP(t, srv.URL), batch.ClassInDoubt, batch.Other)
	})
}

func overTCP(t *testing.T, url string) *batch.Error {
	t.Helper()
	pool := open(t, nil, func(o *userpool.Options) { o.EndpointURL = url })
	return refused(t, pool)
}

// answerOf makes one call and sees to it that it is one request.
func answerOf(t *testing.T, client transport) *batch.Error {
	t.Helper()
	requests := 0
	pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
		requests++
		return client(r)
	}))
	answer := refused(t, pool)
	if requests != 1 {
		t.Errorf("one call made %d requests", requests)
	}
	return answer
}

func refused(t *testing.T, pool *userpool.Pool) *batch.Error {
	t.Helper()
	id, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"})
	answer, ok := errors.AsType[*batch.Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	if answer.RequestID != id {
		t.Errorf("request ids %q and %q", answer.RequestID, id)
	}
	if strings.TrimSpace(answer.Error()) == "" {
		t.Error("the answer says nothing")
	}
	return answer
}

func check(t *testing.T, got *batch.Error, class batch.Class, reason batch.Reason) {
	t.Helper()
	if got.Class != class || got.Reason != reason {
		t.Errorf("class %d, reason %s; want %d, %s: %v", got.Class, got.Reason, class, reason, got)
	}
}

// commonErrors are the error codes that every service of AWS may answer with, by
// its API references, and the SDK's own lists.
var commonErrors = strings.Fields(`AccessDenied AccessDeniedException AccountProblem AuthFailure BandwidthLimitExceeded EC2ThrottledException
	ExpiredToken ExpiredTokenException IncompleteSignature IncompleteSignatureException InternalError InternalErrorException InternalFailure
	InternalServerError InvalidAccessKeyId InvalidAction InvalidClientTokenId InvalidParameterException InvalidParameterValue
	InvalidSignatureException InvalidToken KMSAccessDeniedException KMSDisabledException KMSInvalidStateException KMSNotFoundException
	KMSThrottlingException LimitExceededException MissingAuthenticationToken MissingAuthenticationTokenException NotAuthorized
	OptInRequired PriorRequestNotComplete ProvisionedThroughputExceededException RequestExpired RequestLimitExceeded
	RequestThrottled RequestThrottledException RequestTimeTooSkewed RequestTimeout RequestTimeoutException ResourceNotFoundException
	SerializationException ServiceUnavailable ServiceUnavailableException SignatureDoesNotMatch SlowDown ThrottledException Throttling
	ThrottlingException TokenRefreshRequired TooManyRequestsException TransactionInProgressException UnauthorizedOperation
	UnknownOperationException UnrecognizedClientException UnsupportedOperationException ValidationError ValidationException
	CodeDeliveryFailureException InvalidEmailRoleAccessPolicyException InvalidLambdaResponseException
	InvalidPasswordException InvalidSmsRoleAccessPolicyException InvalidSmsRoleTrustRelationshipException NotAuthorizedException
	PasswordResetRequiredException UserNotConfirmedException TooManyFailedAttemptsException UnauthorizedException ForbiddenException Forbidden
	SubscriptionRequiredException InvalidSecurity InvalidUserPoolConfigurationException FeatureUnavailableInTierException
	UserPoolAddOnNotEnabledException UserImportInProgressException ConcurrentModificationException InternalServerException InternalServiceError
	InternalServiceException ServerException RequestAbortedException HttpTimeoutException InvalidParameterCombination InvalidQueryParameter
	MalformedQueryString MalformedHttpRequestException MissingAction MissingParameter RequestEntityTooLargeException UnknownParameter
	KMSInvalidSignatureException KMSInvalidMacException KMSInternalException KMSOptInRequired
	OperationNotEnabledException UnexpectedLambdaException UnsupportedUserStateException UserLambdaValidationException UserNotFoundException`)

func TestNoKnownCodeIsOther(t *testing.T) {
	code := ""
	pool := open(t, transport(func(*http.Request) (*http.Response, error) { return jsonResponse(400, `{"__type":"`+code+`"}`), nil }))
	for _, code = range commonErrors {
		_, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"})
		if answer, ok := errors.AsType[*batch.Error](err); !ok || answer.Reason == batch.Other {
			t.Errorf("%s is %v", code, err)
		}
	}
}

// What the SDK takes for a throttle is one, but for the limit that is of the day or of
// the user.
func TestEveryThrottleOfTheSDKIsOne(t *testing.T) {
	for code := range retry.DefaultThrottleErrorCodes {
		if code == "LimitExceededException" {
			continue
		}
		check(t, answerOf(t, transport(func(*http.Request) (*http.Response, error) {
			return jsonResponse(400, `{"__type":"`+code+`"}`), nil
		})), batch.ClassThrottle, batch.Throttled)
	}
}

// Where the service's clock is 20 minutes ahead, the first answer tells, and the
// next call is signed by that clock.
func TestACallIsSignedByTheServicesClock(t *testing.T) {
	for _, ahead := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		calls := 0
		pool := open(t, transport(func(r *http.Request) (*http.Response, error) {
			calls++
			now := time.Now().UTC().Add(ahead)
			signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			answer := jsonResponse(200, "{}")
			if err != nil || now.Sub(signed).Abs() > 5*time.Minute {
				answer = jsonResponse(400, `{"__type":"InvalidSignatureException","message":"Signature expired: it is too late"}`)
			}
			answer.Header.Set("Date", now.Format(http.TimeFormat))
			return answer, nil
		}))
		_, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"})
		if answer, ok := errors.AsType[*batch.Error](err); !ok || answer.Class != batch.ClassMoment || answer.Reason != batch.ClockSkew {
			t.Errorf("%v ahead: the first call: %v", ahead, err)
		}
		if _, err := pool.Reset(t.Context(), batch.Entry{Username: "ann"}); err != nil {
			t.Errorf("%v ahead: the second call: %v", ahead, err)
		}
	}
}

// A server that speaks no TLS has been passed nothing: there is no doubt.
func TestWhatNeverLeftIsNoDoubt(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	pool, err := userpool.Open(t.Context(), userpool.Options{
		PoolID: "eu-west-1_AbCdEfGhI", EndpointURL: "https://" + strings.TrimPrefix(server.URL, "http://"), Credentials: anyCredentials,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Reset(t.Context(), batch.Entry{Username: "ann"})
	answer, ok := errors.AsType[*batch.Error](err)
	if !ok || answer.Class != batch.ClassMoment || answer.Reason != batch.Network || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("it is %v", err)
	}
}
