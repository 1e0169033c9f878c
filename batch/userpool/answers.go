package userpool

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"cognito-reset/batch"
)

// An answer of the service is known by its code and, where one code means
// several things, by a part of its message, compared without case. The SDK's Go
// types are not used: they differ between its releases.
type answer struct {
	code    string
	message string // "" matches any
	class   batch.Class
	reason  batch.Reason
}

// answers is searched from the top; the first match counts. It holds what is
// documented or was seen of the operations that this package calls.
var answers = []answer{
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
	{"CodeDeliveryFailureException", "", batch.ClassUser, batch.NoVerifiedContact},
	{"UnsupportedUserStateException", "", batch.ClassUser, batch.WrongState},

	// Too often: for the account today, or for this user this hour.
	{"LimitExceededException", "daily email limit", batch.ClassRun, batch.MessageLimit},
	{"LimitExceededException", "", batch.ClassUser, batch.AttemptLimit},

	// Too fast: nothing happened.
	{"TooManyRequestsException", "", batch.ClassThrottle, batch.Throttled},
	{"ThrottlingException", "", batch.ClassThrottle, batch.Throttled},
	{"Throttling", "", batch.ClassThrottle, batch.Throttled},
	{"RequestLimitExceeded", "", batch.ClassThrottle, batch.Throttled},

	// Everyone's: the same for every user of the pool.
	{"ResourceNotFoundException", "", batch.ClassRun, batch.PoolNotFound},
	{"AccessDeniedException", "", batch.ClassRun, batch.AccessDenied},
	{"AccessDenied", "", batch.ClassRun, batch.AccessDenied},
	{"UnrecognizedClientException", "", batch.ClassRun, batch.Credentials},
	{"InvalidClientTokenId", "", batch.ClassRun, batch.Credentials},
	{"InvalidSignatureException", "", batch.ClassRun, batch.Credentials},
	{"SignatureDoesNotMatch", "", batch.ClassRun, batch.Credentials},
	{"IncompleteSignature", "", batch.ClassRun, batch.Credentials},
	{"MissingAuthenticationTokenException", "", batch.ClassRun, batch.Credentials},
	{"MissingAuthenticationToken", "", batch.ClassRun, batch.Credentials},
	{"ExpiredTokenException", "", batch.ClassRun, batch.Credentials},
	{"ExpiredToken", "", batch.ClassRun, batch.Credentials},
	{"RequestExpired", "", batch.ClassRun, batch.Credentials},
	{"InvalidEmailRoleAccessPolicyException", "", batch.ClassRun, batch.PoolConfiguration},
	{"InvalidSmsRoleAccessPolicyException", "", batch.ClassRun, batch.PoolConfiguration},
	{"InvalidSmsRoleTrustRelationshipException", "", batch.ClassRun, batch.PoolConfiguration},
	{"OperationNotEnabledException", "", batch.ClassRun, batch.PoolConfiguration},
	{"InvalidPasswordException", "", batch.ClassRun, batch.PoolConfiguration},

	// The moment's: another password is drawn for the next attempt.
	{"PasswordHistoryPolicyViolationException", "", batch.ClassMoment, batch.Other},

	// Nobody can say whether it happened.
	{"InternalErrorException", "", batch.ClassDoubt, batch.ServerError},
	{"InternalFailure", "", batch.ClassDoubt, batch.ServerError},
	{"ServiceUnavailable", "", batch.ClassDoubt, batch.ServerError},
}

// classify turns whatever the SDK returned into the answer that it is. The code
// decides; where the body could not be read (a proxy's page, XML), the HTTP
// status does; where there was no answer at all, whether the call left.
func classify(err error) *batch.Error {
	e := &batch.Error{Class: batch.ClassDoubt, Reason: batch.Other, RequestID: requestID(err)}
	status := 0
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		status = response.HTTPStatusCode()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
		message := strings.ToLower(e.Message)
		for _, a := range answers {
			if a.code == e.Code && strings.Contains(message, a.message) {
				e.Class, e.Reason = a.class, a.reason
				return e
			}
		}
	} else {
		e.Err = err
	}
	switch {
	case status == http.StatusTooManyRequests:
		e.Class, e.Reason = batch.ClassThrottle, batch.Throttled
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.Class, e.Reason = batch.ClassRun, batch.Credentials
	case status >= 500 || status == http.StatusRequestTimeout:
		e.Reason = batch.ServerError
	case status >= 400 && e.Code != "" && e.Code != noCode:
		e.Class = batch.ClassUser
	case status > 0:
		// An answer that cannot be read: leave it in doubt.
	case neverSigned(err):
		e.Class, e.Reason = batch.ClassRun, batch.Credentials
	case neverSent(err):
		e.Class, e.Reason = batch.ClassRun, batch.PoolNotFound
	case neverLeft(err):
		e.Class, e.Reason = batch.ClassMoment, batch.Network
	default:
		e.Reason = batch.Network
	}
	return e
}

// noCode is what the SDK calls an error in whose body it finds no code.
const noCode = "UnknownError"

// neverSent tells that the SDK did not come to sending: it knew nowhere to send
// to, for want of a Region or because of a wrong one.
func neverSent(err error) bool {
	_, sent := errors.AsType[*smithyhttp.RequestSendError](err)
	_, canceled := errors.AsType[interface {
		error
		CanceledError() bool
	}](err)
	return !sent && !canceled
}

// neverLeft tells that no connection was made, so nothing can have happened.
func neverLeft(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	_, unknownHost := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return unknownHost || untrusted
}

// neverSigned tells that no credentials could be had to sign the call with.
func neverSigned(err error) bool {
	_, ok := errors.AsType[*credentialsError](err)
	return ok && !errors.Is(err, context.Canceled)
}

func requestID(err error) string {
	if answered, ok := errors.AsType[interface {
		error
		ServiceRequestID() string
	}](err); ok {
		return answered.ServiceRequestID()
	}
	return ""
}
