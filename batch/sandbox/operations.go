package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// An operation is one of the API's.
type operation struct {
	category Category
	faults   exposure
	public   bool // needs no signature: an app calls it for its user
	decode   func(body []byte) (work, *apiError)
}

// work is a decoded request, ready to be done. The lock is held meanwhile.
type work func(p *Pool, now time.Time) (reply any, err *apiError)

// exposure is which faults can strike an operation.
type exposure byte

const (
	unexposed exposure = iota
	answersOnly
	exposed
)

var operations = map[string]operation{
	"AdminResetUserPassword": {UserAccountRecovery, exposed, false, handle((*Pool).adminResetUserPassword)},
	"AdminSetUserPassword":   {UserAccountRecovery, exposed, false, handle((*Pool).adminSetUserPassword)},
	"AdminUserGlobalSignOut": {UserUpdate, exposed, false, handle((*Pool).adminUserGlobalSignOut)},
	"AdminDisableUser":       {UserUpdate, exposed, false, handle((*Pool).adminDisableUser)},
	"AdminEnableUser":        {UserUpdate, unexposed, false, handle((*Pool).adminEnableUser)},
	"AdminDeleteUser":        {UserUpdate, unexposed, false, handle((*Pool).adminDeleteUser)},
	"AdminCreateUser":        {UserCreation, exposed, false, handle((*Pool).adminCreateUser)},
	"AdminGetUser":           {UserRead, answersOnly, false, handle((*Pool).adminGetUser)},
	"ListUsers":              {UserList, answersOnly, false, handle((*Pool).listUsers)},
	"ListUsersInGroup":       {UserList, answersOnly, false, handle((*Pool).listUsersInGroup)},
	"DescribeUserPool":       {UserPoolRead, unexposed, false, handle((*Pool).describeUserPool)},
	"ListUserPools":          {UserPoolRead, unexposed, false, handle((*Pool).listUserPools)},

	"AdminConfirmSignUp":        {UserCreation, unexposed, false, handle((*Pool).adminConfirmSignUp)},
	"AdminUpdateUserAttributes": {UserUpdate, unexposed, false, handle((*Pool).adminUpdateUserAttributes)},
	"ListUserPoolClients":       {UserPoolClientRead, unexposed, false, handle((*Pool).listUserPoolClients)},

	"AdminInitiateAuth":      {UserAuthentication, unexposed, false, handle((*Pool).adminInitiateAuth)},
	"InitiateAuth":           {UserAuthentication, unexposed, true, handle((*Pool).initiateAuth)},
	"RespondToAuthChallenge": {UserAccountRecovery, unexposed, true, handle((*Pool).respondToAuthChallenge)},
	"ForgotPassword":         {UserAccountRecovery, unexposed, true, handle((*Pool).forgotPassword)},
	"ConfirmForgotPassword":  {UserAccountRecovery, unexposed, true, handle((*Pool).confirmForgotPassword)},
	"SignUp":                 {UserCreation, unexposed, true, handle((*Pool).signUp)},
	"GetUser":                {UserRead, unexposed, true, handle((*Pool).getUser)},
	"GlobalSignOut":          {UserUpdate, unexposed, true, handle((*Pool).globalSignOut)},
	"ChangePassword":         {UserAccountRecovery, unexposed, true, handle((*Pool).changePassword)},
}

// handle makes a method that takes its typed request an operation's decode.
func handle[Request any](do func(*Pool, *Request, time.Time) (any, *apiError)) func([]byte) (work, *apiError) {
	return func(body []byte) (work, *apiError) {
		in := new(Request)
		if err := json.Unmarshal(body, in); err != nil {
			return nil, serialization
		}
		return func(p *Pool, now time.Time) (any, *apiError) { return do(p, in, now) }, nil
	}
}

// route finds the operation that a request asks for. The name is one of a
// few, whatever a caller sends, for it is counted by.
func (p *Pool) route(r *http.Request) (name string, op operation, err *apiError) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AWSCognitoIdentityProviderService.")
	if ok {
		op, ok = operations[name]
	}
	if !ok || !isJSON(r) {
		return "unknown", op, unknownOperation
	}
	if !op.public {
		err = p.authorize(r, "cognito-idp", "cognito-idp:"+name)
	}
	return name, op, err
}

// A userRequest names one user: all that many operations take.
type userRequest struct {
	PoolID   string `json:"UserPoolId"`
	Username string
}

// find is the user whom a request names, once its parameters are in order.
func (p *Pool) find(poolID, username string) (*record, *apiError) {
	if err := p.checkPool(poolID); err != nil {
		return nil, err
	}
	return p.findUser(username)
}

func (p *Pool) findUser(username string) (*record, *apiError) {
	if err := checkUsername(username); err != nil {
		return nil, err
	}
	r := p.resolve(username)
	if r == nil {
		return nil, refuse("UserNotFoundException", "User does not exist.")
	}
	return r, nil
}

// checkPool checks a UserPoolId as the service does: its form, then whether
// there is such a pool.
func (p *Pool) checkPool(id string) *apiError {
	if id == p.cfg.PoolID {
		return nil
	}
	if len(id) > 55 {
		return invalid("userPoolId", id, "Member must have length less than or equal to 55")
	}
	if !isPoolID(id) {
		return invalid("userPoolId", id, `Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+`)
	}
	return refuse("ResourceNotFoundException", "User pool "+id+" does not exist.")
}

// isPoolID says whether s matches [\w-]+_[0-9a-zA-Z]+.
func isPoolID(s string) bool {
	cut := strings.LastIndexByte(s, '_')
	if cut <= 0 || cut == len(s)-1 {
		return false
	}
	for i, c := range []byte(s) {
		alphanumeric := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alphanumeric && (i > cut || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

// checkUsername checks the form of a Username parameter: 1 to 128 characters,
// none of them a space or a control.
func checkUsername(name string) *apiError {
	if name == "" {
		return invalid("username", name, "Member must have length greater than or equal to 1")
	}
	if utf8.RuneCountInString(name) > 128 {
		return invalid("username", name, "Member must have length less than or equal to 128")
	}
	for _, c := range name {
		ascii := '!' <= c && c <= '~' // all of them will do; most names are only that
		if !ascii && !unicode.In(c, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P) {
			return invalid("username", name, `Member must satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+`)
		}
	}
	return nil
}

// invalid is how the service refuses a parameter.
func invalid(parameter, value, constraint string) *apiError {
	return refuse("InvalidParameterException",
		fmt.Sprintf("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, parameter, constraint))
}

// seconds is a time as the protocol writes it: seconds since 1970, with
// milliseconds.
type seconds time.Time

func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(s).UnixMilli())/1000, 'f', 3, 64), nil
}

func invalidNumber(parameter string, value int, bound string) *apiError {
	return invalid(parameter, strconv.Itoa(value), "Member must have value "+bound)
}
