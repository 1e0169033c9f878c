package userpool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/login"
)

// An answer of the service is known by its code and, where one code means
// several things, by a part of its message, compared without case. The SDK's Go
// types are not used: they differ between its releases.
type answer struct {
	code    string // "" matches any
	message string // "" matches any
	class   batch.Class
	reason  batch.Reason
}

// answers is searched from the top; the first match counts. It holds what is
// documented or was seen of the operations that this package calls.
var answers = []answer{
	// The pool cannot send to this user, whatever contact the user has: SES is in its
	// sandbox, or lacks an identity, or the pool's role may not send SMS. Only users
	// who are reached that way get this answer, so the failure guard decides.
	{"", "email address is not verified", batch.ClassUser, batch.MessageRefused},
	{"", "failed the check in region", batch.ClassUser, batch.MessageRefused},
	{"CodeDeliveryFailureException", "", batch.ClassUser, batch.MessageRefused},
	{"InvalidSmsRoleAccessPolicyException", "", batch.ClassUser, batch.MessageRefused},
	{"InvalidSmsRoleTrustRelationshipException", "", batch.ClassUser, batch.MessageRefused},

	// The clocks differ: nothing happened. The SDK learns by how much from the answer's
	// date, and signs the next call by the service's time.
	{"", "signature expired", batch.ClassMoment, batch.ClockSkew},
	{"", "signature not yet current", batch.ClassMoment, batch.ClockSkew},
	{"RequestTimeTooSkewed", "", batch.ClassMoment, batch.ClockSkew},
	{"RequestExpired", "", batch.ClassMoment, batch.ClockSkew},

	// The user's own.
	{"UserNotFoundException", "", batch.ClassUser, batch.UserNotFound},
	{"NotAuthorizedException", "is not authorized to perform", batch.ClassRun, batch.AccessDenied},
	{"NotAuthorizedException", "user is disabled", batch.ClassUser, batch.Disabled},
	{"NotAuthorizedException", "", batch.ClassUser, batch.WrongState},
	{"InvalidParameterException", "no registered/verified email or phone", batch.ClassUser, batch.NoVerifiedContact},
	{"InvalidParameterException", "at 'userpoolid'", batch.ClassRun, batch.PoolNotFound},
	{"InvalidParameterException", "", batch.ClassUser, batch.InvalidParameter},
	{"UserLambdaValidationException", "", batch.ClassUser, batch.LambdaRefused},
	{"UnexpectedLambdaException", "", batch.ClassUser, batch.LambdaRefused},
	{"InvalidLambdaResponseException", "", batch.ClassUser, batch.LambdaRefused},
	{"UnsupportedUserStateException", "", batch.ClassUser, batch.WrongState},
	{"PasswordResetRequiredException", "", batch.ClassUser, batch.WrongState},
	{"UserNotConfirmedException", "", batch.ClassUser, batch.Unconfirmed},
	{"TooManyFailedAttemptsException", "", batch.ClassUser, batch.AttemptLimit},

	// Too often: for the account today, or for this user this hour.
	{"LimitExceededException", "daily email limit", batch.ClassRun, batch.MessageLimit},
	{"LimitExceededException", "", batch.ClassUser, batch.AttemptLimit},

	// Too fast: nothing happened.
	{"TooManyRequestsException", "", batch.ClassThrottle, batch.Throttled},

	// Everyone's: the same for every user of the pool.
	{"ResourceNotFoundException", "", batch.ClassRun, batch.PoolNotFound},
	{"AccessDeniedException", "", batch.ClassRun, batch.AccessDenied},
	{"AccessDenied", "", batch.ClassRun, batch.AccessDenied},
	{"UnrecognizedClientException", "", batch.ClassRun, batch.Credentials},
	{"InvalidClientTokenId", "", batch.ClassRun, batch.Credentials},
	{"InvalidSignatureException", "", batch.ClassRun, batch.Credentials},
	{"SignatureDoesNotMatch", "", batch.ClassRun, batch.Credentials},
	{"IncompleteSignature", "", batch.ClassRun, batch.Credentials},
	{"IncompleteSignatureException", "", batch.ClassRun, batch.Credentials},
	{"OptInRequired", "", batch.ClassRun, batch.Credentials},
	{"AuthFailure", "", batch.ClassRun, batch.Credentials},
	{"NotAuthorized", "", batch.ClassRun, batch.AccessDenied},
	{"UnauthorizedOperation", "", batch.ClassRun, batch.AccessDenied},
	{"UnauthorizedException", "", batch.ClassRun, batch.AccessDenied},
	{"ForbiddenException", "", batch.ClassRun, batch.AccessDenied}, // by a web ACL of AWS WAF
	{"Forbidden", "", batch.ClassRun, batch.AccessDenied},
	{"SubscriptionRequiredException", "", batch.ClassRun, batch.Credentials},
	{"InvalidSecurity", "", batch.ClassRun, batch.Credentials},
	{"TokenRefreshRequired", "", batch.ClassRun, batch.Credentials},
	{"InvalidToken", "", batch.ClassRun, batch.Credentials},
	{"InvalidAccessKeyId", "", batch.ClassRun, batch.Credentials},
	{"AccountProblem", "", batch.ClassRun, batch.Credentials},
	{"MissingAuthenticationTokenException", "", batch.ClassRun, batch.Credentials},
	{"MissingAuthenticationToken", "", batch.ClassRun, batch.Credentials},
	{"ExpiredTokenException", "", batch.ClassRun, batch.Credentials},
	{"ExpiredToken", "", batch.ClassRun, batch.Credentials},
	{"InvalidEmailRoleAccessPolicyException", "", batch.ClassRun, batch.PoolConfiguration},
	{"OperationNotEnabledException", "", batch.ClassRun, batch.PoolConfiguration},
	{"InvalidPasswordException", "", batch.ClassRun, batch.PoolConfiguration},
	{"InvalidUserPoolConfigurationException", "", batch.ClassRun, batch.PoolConfiguration},
	{"FeatureUnavailableInTierException", "", batch.ClassRun, batch.PoolConfiguration},
	{"UserPoolAddOnNotEnabledException", "", batch.ClassRun, batch.PoolConfiguration},
	{"UserImportInProgressException", "", batch.ClassRun, batch.PoolConfiguration},
	{"UnsupportedOperationException", "", batch.ClassRun, batch.PoolConfiguration},

	// Of servers that are not Cognito's and have no such call. The last is cognito-local's,
	// with HTTP status 500; it says Unsupported of less, too, and then may have done a part.
	{"UnknownOperationException", "", batch.ClassRun, batch.UnsupportedOperation},
	{"InvalidAction", "", batch.ClassRun, batch.UnsupportedOperation},
	{"Unsupported", "unsupported x-amz-target", batch.ClassRun, batch.UnsupportedOperation},

	// The moment's: another password is drawn for the next attempt.
	{"PasswordHistoryPolicyViolationException", "", batch.ClassMoment, batch.Other},
	{"ConcurrentModificationException", "", batch.ClassMoment, batch.ServerError},

	// Nobody can say whether it happened.
	{"InternalErrorException", "", batch.ClassInDoubt, batch.ServerError},
	{"InternalFailure", "", batch.ClassInDoubt, batch.ServerError},
	{"InternalServerError", "", batch.ClassInDoubt, batch.ServerError},
	{"InternalError", "", batch.ClassInDoubt, batch.ServerError},
	{"InternalServerException", "", batch.ClassInDoubt, batch.ServerError},
	{"InternalServiceError", "", batch.ClassInDoubt, batch.ServerError},
	{"InternalServiceException", "", batch.ClassInDoubt, batch.ServerError},
	{"ServerException", "", batch.ClassInDoubt, batch.ServerError},
	{"RequestAbortedException", "", batch.ClassInDoubt, batch.ServerError},
	{"HttpTimeoutException", "", batch.ClassInDoubt, batch.ServerError},
	{"ServiceUnavailable", "", batch.ClassInDoubt, batch.ServerError},
	{"ServiceUnavailableException", "", batch.ClassInDoubt, batch.ServerError},
	{"RequestTimeout", "", batch.ClassInDoubt, batch.ServerError},
	{"RequestTimeoutException", "", batch.ClassInDoubt, batch.ServerError},

	// The request itself is wrong for this user.
	{"ValidationException", "", batch.ClassUser, batch.InvalidParameter},
	{"ValidationError", "", batch.ClassUser, batch.InvalidParameter},
	{"InvalidParameterValue", "", batch.ClassUser, batch.InvalidParameter},
	{"SerializationException", "", batch.ClassUser, batch.InvalidParameter},
	{"InvalidParameterCombination", "", batch.ClassUser, batch.InvalidParameter},
	{"InvalidQueryParameter", "", batch.ClassUser, batch.InvalidParameter},
	{"MalformedQueryString", "", batch.ClassUser, batch.InvalidParameter},
	{"MalformedHttpRequestException", "", batch.ClassUser, batch.InvalidParameter},
	{"MissingAction", "", batch.ClassUser, batch.InvalidParameter},
	{"MissingParameter", "", batch.ClassUser, batch.InvalidParameter},
	{"RequestEntityTooLargeException", "", batch.ClassUser, batch.InvalidParameter},
	{"UnknownParameter", "", batch.ClassUser, batch.InvalidParameter},
}

// kmsCode begins the codes of answers about the pool's key.
const kmsCode = "KMS"

// longest is how many bytes of a code, a message or a request id are kept: a server decides how
// much it says.
const longest = 4 << 10

func cut(text string) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// A cutError says what another does, shortly: it may repeat what a server said.
type cutError struct{ error }

func (e *cutError) Error() string { return cut(e.error.Error()) }
func (e *cutError) Unwrap() error { return e.error }

// classify turns whatever the SDK returned into the answer that it is. The code
// decides; where the body could not be read (a proxy's page, XML), the HTTP
// status does; where there was no answer at all, whether the call left. It is a list of
// rules, and as long as there are.
func classify(err error) *batch.Error {
	e := &batch.Error{Class: batch.ClassInDoubt, Reason: batch.Other, RequestID: requestID(err)}
	status := 0
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = response.HTTPStatusCode()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = cut(api.ErrorCode()), cut(api.ErrorMessage())
		if class, reason, ok := byCode(e.Code, e.Message); ok {
			if e.Class, e.Reason = class, reason; reason == batch.UnsupportedOperation {
				e.Err = withoutCall(err)
			}
			return e
		}
	} else if e.Err = err; len(err.Error()) > longest {
		e.Err = &cutError{err}
	}
	if status > 0 {
		byStatus(e, status)
	} else {
		unanswered(e, err)
	}
	return e
}

// withoutCall says which call a server does not have.
func withoutCall(err error) error {
	call := "the call"
	if operation, ok := errors.AsType[*smithy.OperationError](err); ok {
		call = operation.Operation()
	}
	return fmt.Errorf("this server has no %s, so that it did nothing", call)
}

// byCode is what a code and its message mean, if that is known here or to the SDK.
func byCode(code, message string) (batch.Class, batch.Reason, bool) {
	message = strings.ToLower(message)
	for _, a := range answers {
		if (a.code == "" || a.code == code) && strings.Contains(message, a.message) {
			return a.class, a.reason, true
		}
	}
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled {
		return batch.ClassThrottle, batch.Throttled, true
	}
	if strings.HasPrefix(code, kmsCode) {
		return batch.ClassRun, batch.PoolConfiguration, true
	}
	return batch.ClassInDoubt, batch.Other, false
}

// byStatus classifies an answer whose code says nothing by its HTTP status. One
// that cannot be read at all stays in doubt.
func byStatus(e *batch.Error, status int) {
	switch {
	case status == http.StatusTooManyRequests:
		e.Class, e.Reason = batch.ClassThrottle, batch.Throttled
	case status == http.StatusProxyAuthRequired:
		e.Class, e.Reason, e.Err = batch.ClassMoment, batch.Network, &proxyError{http.StatusText(status)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Class, e.Reason = batch.ClassRun, batch.Credentials
	case status >= 500 || status == http.StatusRequestTimeout:
		e.Reason = batch.ServerError
	case status >= 400 && e.Code != "" && e.Code != noCode:
		e.Class = batch.ClassUser
	}
}

// unanswered classifies a call without an answer by whether it left.
func unanswered(e *batch.Error, err error) {
	switch {
	case NoCredentials(err):
		e.Class, e.Reason = batch.ClassRun, batch.Credentials
		e.Err, _ = errors.AsType[*login.Error](err)
	case neverSent(err):
		e.Class, e.Reason = batch.ClassRun, batch.PoolNotFound
	case neverLeft(err):
		e.Class, e.Reason, e.Err = batch.ClassMoment, batch.Network, whatNow(err)
	default:
		e.Reason = batch.Network
	}
}

// noCode is what the SDK calls an error in whose body it finds no code.
const noCode = "UnknownError"

// neverSent reports whether the SDK did not come to sending: it knew nowhere to send
// to, for want of a Region or because of a wrong one.
func neverSent(err error) bool {
	_, sent := errors.AsType[*smithyhttp.RequestSendError](err)
	_, canceled := errors.AsType[interface {
		error
		CanceledError() bool
	}](err)
	return !sent && !canceled
}

// neverLeft reports whether no connection was made, so that nothing can have
// happened.
func neverLeft(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, unknownHost := errors.AsType[*net.DNSError](err)
	_, refused := errors.AsType[*proxyError](err)
	return unknownHost || untrusted(err) || refused || unencrypted(err)
}

// untrusted reports whether the service's certificate was refused.
func untrusted(err error) bool {
	_, verified := errors.AsType[*tls.CertificateVerificationError](err)
	return verified
}

// unencrypted reports whether a server answered a TLS handshake in plain HTTP, as the
// transport or an http.Client says it.
func unencrypted(err error) bool {
	answer, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && string(answer.RecordHeader[:]) == "HTTP/" || errors.Is(err, http.ErrSchemeMismatch)
}

// whatNow is why no connection was made, with what helps, without the layers that
// the SDK puts around it: of an answer that never came they have nothing to say.
func whatNow(err error) error {
	if call, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		err = call.Err
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err
	}
	op, _ := errors.AsType[*net.OpError](err)
	_, unknownHost := errors.AsType[*net.DNSError](err)
	switch {
	case untrusted(err):
		return fmt.Errorf("%w: if a proxy here speaks for AWS, set AWS_CA_BUNDLE to a file with its certificate", err)
	case op != nil && op.Op == "proxyconnect": // also where the proxy's own name is unknown
		return fmt.Errorf("%w: the proxy cannot be reached: check HTTPS_PROXY", err)
	case unknownHost:
		return fmt.Errorf("%w: check the network, its DNS, --region and --endpoint-url", err)
	case unencrypted(err):
		return fmt.Errorf("%w: give --endpoint-url with http://", http.ErrSchemeMismatch)
	case op != nil:
		return fmt.Errorf("%w: check the network, the firewall and --endpoint-url", err)
	}
	return err
}

// A proxyError is that a proxy did not connect to the service: nothing has left.
type proxyError struct{ status string }

func (e *proxyError) Error() string {
	return "the proxy of HTTPS_PROXY does not connect to AWS: " + e.status +
		": check the user and password in HTTPS_PROXY, and that the proxy allows AWS"
}

// connected finds out what a proxy says.
func connected(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode != http.StatusOK {
		return &proxyError{answer.Status}
	}
	return nil
}

// NoCredentials reports whether a call was not made for want of credentials to sign
// it with.
func NoCredentials(err error) bool {
	_, ok := errors.AsType[*login.Error](err)
	return ok && !errors.Is(err, context.Canceled)
}

func requestID(err error) string {
	if answered, ok := errors.AsType[interface {
		error
		ServiceRequestID() string
	}](err); ok {
		return cut(answered.ServiceRequestID())
	}
	return ""
}
