package sandbox_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
)

// A model is the description of the service that clients of AWS are made of.
type model struct {
	Operations map[string]struct{ Output struct{ Shape string } }
	Shapes     map[string]shape
}

type shape struct {
	Type     string
	Required []string
	Members  map[string]struct{ Shape string }
	Member   struct{ Shape string }
	Value    struct{ Shape string }
	Enum     []string
}

// serviceModel is botocore's, where the AWS CLI or Python has it.
func serviceModel(t *testing.T) (m model) {
	t.Helper()
	where := []string{"/usr/lib/python3*/*-packages", "/usr/local/lib/python3*/*-packages", "/usr/local/aws-cli/v2/*/dist/awscli"}
	if out, err := exec.Command("python3", "-c", "import botocore, os; print(os.path.dirname(os.path.dirname(botocore.__file__)))").Output(); err == nil {
		where = append([]string{strings.TrimSpace(string(out))}, where...)
	}
	for _, folder := range where {
		for _, name := range []string{"service-2.json", "service-2.json.gz"} {
			found, _ := filepath.Glob(filepath.Join(folder, "botocore/data/cognito-idp/*", name))
			if len(found) == 0 {
				continue
			}
			f, err := os.Open(found[0])
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var text io.Reader = f
			if strings.HasSuffix(name, ".gz") {
				if text, err = gzip.NewReader(f); err != nil {
					t.Fatal(err)
				}
			}
			if err := json.NewDecoder(text).Decode(&m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Skip("the service model of botocore is not here, so answers are not compared with it")
	return m
}

// check is what of a value is not as a shape says: a member that it has not, one that it
// must have, another type.
func (m model) check(name string, value any, path string) (faults []string) {
	s := m.Shapes[name]
	fault := func(format string, args ...any) {
		faults = append(faults, path+": "+fmt.Sprintf(format, args...))
	}
	switch got := value.(type) {
	case map[string]any:
		switch s.Type {
		case "structure":
			for _, required := range s.Required {
				if _, ok := got[required]; !ok {
					fault("lacks %s", required)
				}
			}
			for member, v := range got {
				if of, ok := s.Members[member]; ok {
					faults = append(faults, m.check(of.Shape, v, path+"."+member)...)
				} else {
					fault("%s is unknown", member)
				}
			}
		case "map":
			for key, v := range got {
				faults = append(faults, m.check(s.Value.Shape, v, path+"["+key+"]")...)
			}
		default:
			fault("an object, not a %s", s.Type)
		}
	case []any:
		if s.Type != "list" {
			fault("a list, not a %s", s.Type)
		}
		for i, v := range got {
			faults = append(faults, m.check(s.Member.Shape, v, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case string:
		if s.Type != "string" {
			fault("a string, not a %s", s.Type)
		} else if len(s.Enum) > 0 && !slices.Contains(s.Enum, got) {
			fault("%q is none of %v", got, s.Enum)
		}
	case float64:
		if s.Type != "integer" && s.Type != "long" && s.Type != "timestamp" {
			fault("a number, not a %s", s.Type)
		}
	case bool:
		if s.Type != "boolean" {
			fault("a boolean, not a %s", s.Type)
		}
	default:
		fault("%v, not a %s", value, s.Type)
	}
	return faults
}

// Every operation that the sandbox has answers as the service's own description says.
func TestEveryAnswerIsAsTheServiceModelSays(t *testing.T) {
	m := serviceModel(t)
	pool := sandbox.New(sandbox.Config{Aliases: []string{"email", "phone_number"}, Triggers: []string{"PreSignUp", "CustomEmailSender"}})
	pool.Add(user("ann", func(u *sandbox.User) { u.Groups, u.Phone = []string{"staff"}, "+15550100" }), sandbox.NewUser("ben"),
		user("tim", func(u *sandbox.User) { u.Status = sandbox.ForceChangePassword }))
	c := connect(t, pool)
	checked := make(map[string]bool)
	ask := func(op string, params in) map[string]any {
		t.Helper()
		checked[op] = true
		got := c.call(op, params)
		if got.code != "" {
			t.Fatalf("%s: %s", op, got.says())
		}
		described, ok := m.Operations[op]
		if !ok {
			t.Fatalf("the service has no %s", op)
		}
		body := got.body
		if body == nil {
			body = map[string]any{}
		}
		output := described.Output.Shape
		if output == "" && len(body) > 0 {
			t.Errorf("%s answers %v, not nothing", op, body)
		} else if output == "" {
			return body
		}
		for _, fault := range m.check(output, body, op) {
			t.Error(fault)
		}
		return body
	}
	password := in{"USERNAME": "ann", "PASSWORD": sandbox.DefaultPassword}
	signedIn := ask("InitiateAuth", in{"ClientId": "app", "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": password})
	token := accessToken(answer{body: signedIn})
	ask("AdminInitiateAuth", in{"ClientId": "app", "AuthFlow": "ADMIN_USER_PASSWORD_AUTH", "AuthParameters": password})
	challenge := ask("InitiateAuth", in{"ClientId": "app", "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": in{"USERNAME": "tim", "PASSWORD": sandbox.DefaultPassword}})
	ask("RespondToAuthChallenge", in{"ClientId": "app", "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
		"ChallengeResponses": in{"USERNAME": "tim", "NEW_PASSWORD": "My-Own-Password-2"}})
	ask("GetUser", in{"AccessToken": token})
	ask("ChangePassword", in{"AccessToken": token, "PreviousPassword": sandbox.DefaultPassword, "ProposedPassword": "My-Own-Password-2"})
	ask("GlobalSignOut", in{"AccessToken": token})
	ask("SignUp", in{"ClientId": "app", "Username": "new", "Password": sandbox.DefaultPassword, "UserAttributes": []in{{"Name": "email", "Value": "new@example.com"}}})
	ask("AdminConfirmSignUp", in{"Username": "new"})
	ask("AdminUpdateUserAttributes", in{"Username": "new", "UserAttributes": []in{{"Name": "email_verified", "Value": "true"}}})
	ask("AdminCreateUser", in{"Username": "made", "UserAttributes": []in{{"Name": "email", "Value": "made@example.com"}}})
	ask("AdminGetUser", in{"Username": "ann"})
	ask("ListUsers", in{"Limit": 2})
	ask("ListUsersInGroup", in{"GroupName": "staff"})
	ask("DescribeUserPool", nil)
	ask("ListUserPools", in{"MaxResults": 10})
	ask("ListUserPoolClients", in{"MaxResults": 10})
	ask("AdminUserGlobalSignOut", in{"Username": "ann"})
	ask("AdminResetUserPassword", in{"Username": "ann"})
	ask("ForgotPassword", in{"ClientId": "app", "Username": "ann"})
	box := pool.Outbox()
	ask("ConfirmForgotPassword", in{"ClientId": "app", "Username": "ann", "ConfirmationCode": box[len(box)-1].Code, "Password": "My-Own-Password-3"})
	ask("AdminSetUserPassword", in{"Username": "ann", "Password": "My-Own-Password-4", "Permanent": true})
	ask("AdminDisableUser", in{"Username": "ann"})
	ask("AdminEnableUser", in{"Username": "ann"})
	ask("AdminDeleteUser", in{"Username": "ann"})
	for _, op := range sandbox.OperationNames() {
		if !checked[op] {
			t.Errorf("the answer of %s was not compared", op)
		}
	}
}
