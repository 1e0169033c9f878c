package main

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch/sandbox/servertest"
)

// What the runs of the test end with on servers that are not Cognito. A run that such
// a server cannot serve says which call it lacks; where that is known before the first
// reset, it is blocked.
var otherServers = []struct {
	name  string
	start func(*testing.T) (url string)

	code  int      // of a run
	rows  []string // of its report: outcome and reason
	says  string   // what it prints
	alice types.UserStatusType

	signOutCode int    // of a run that signs out, too
	signOutSays string // what it prints

	absent string // how the first user of a pool that is not there ends
}{
	{
		"moto", servertest.Moto,
		3, wouldEnd, "", types.UserStatusTypeResetRequired,
		3, "",
		"failed pool_not_found",
	},
	{
		"cognito-local", servertest.CognitoLocal,
		4, []string{"failed unsupported_operation", "not_attempted stopped", "not_attempted stopped", "not_attempted stopped", "not_attempted stopped"},
		"cognito-reset: Unsupported: this server has no AdminResetUserPassword, so that it did nothing (not Cognito: check --endpoint-url)",
		types.UserStatusTypeConfirmed,
		2, "AdminUserGlobalSignOut is not a call of this server, which is not Cognito: check --endpoint-url; without it the run stops; nothing was sent",
		"failed unsupported_operation",
	},
}

// wouldEnd is how Cognito would end the users of makePeople.
var wouldEnd = []string{"reset ", "failed user_not_found", "failed temporary_password", "failed no_verified_contact", "failed disabled"}

// Servers that are not ours give the outcomes and reasons that we say Cognito does, or
// end the run without harm.
func TestAgainstServersOfOthers(t *testing.T) {
	for _, server := range otherServers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			url := server.start(t)
			client := cognito.New(cognito.Options{
				Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
			})
			id := makePeople(t, client)
			dir := t.TempDir()
			input := filepath.Join(dir, "users.csv")
			if err := os.WriteFile(input, []byte("username\nalice@example.com\nnobody@example.com\ntemporary@example.com\nnocontact@example.com\ndisabled@example.com\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(pool, record string, code int, flags ...string) (said, report string) {
				t.Helper()
				path := filepath.Join(dir, record)
				cmd := exec.Command("cognito-reset", append([]string{"run", "--user-pool-id", pool, "--input", input, "--yes",
					"--run", path, "--endpoint-url", url, "--region", "us-east-1", "--workers", "1"}, flags...)...)
				cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
					"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
				out, _ := cmd.CombinedOutput()
				if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
					t.Fatalf("%v, not %d:\n%s", cmd.ProcessState, code, out)
				}
				return string(out), filepath.Join(path, "report.csv")
			}

			_, report := run(id, "forecast", 3, "--dry-run")
			for i, got := range endsIn(t, report) {
				if got := strings.TrimPrefix(got, "would_"); got != wouldEnd[i] {
					t.Errorf("row %d: %s is forecast, not %s", i+1, got, wouldEnd[i])
				}
			}
			said, report := run(id, "record", server.code)
			if got := endsIn(t, report); !slices.Equal(got, server.rows) {
				t.Errorf("%q, not %q", got, server.rows)
			}
			if !strings.Contains(said, server.says) {
				t.Errorf("it does not say %q:\n%s", server.says, said)
			}
			alice, err := client.AdminGetUser(t.Context(), &cognito.AdminGetUserInput{UserPoolId: &id, Username: aws.String("alice@example.com")})
			if err != nil || alice.UserStatus != server.alice {
				t.Errorf("alice is %v, %v", alice, err)
			}
			if said, _ := run(id, "signed-out", server.signOutCode, "--steps", "reset,sign-out"); !strings.Contains(said, server.signOutSays) {
				t.Errorf("it does not say %q:\n%s", server.signOutSays, said)
			}
			if _, report = run("us-east-1_AbSent123", "absent", 4, "--force", "pool"); endsIn(t, report)[0] != server.absent {
				t.Errorf("in a pool that is not there: %q", endsIn(t, report))
			}
		})
	}
}

// makePeople makes a pool with the users whom the test resets, and some whom it cannot.
func makePeople(t *testing.T, client *cognito.Client) (id string) {
	t.Helper()
	ctx := t.Context()
	pool, err := client.CreateUserPool(ctx, &cognito.CreateUserPoolInput{PoolName: aws.String("people")})
	if err != nil {
		t.Fatal(err)
	}
	id = *pool.UserPool.Id
	for _, u := range []struct {
		name                          string
		verified, permanent, disabled bool
	}{
		{"alice@example.com", true, true, false}, {"temporary@example.com", true, false, false},
		{"nocontact@example.com", false, true, false}, {"disabled@example.com", true, true, true},
	} {
		_, err := client.AdminCreateUser(ctx, &cognito.AdminCreateUserInput{
			UserPoolId: &id, Username: &u.name, MessageAction: types.MessageActionTypeSuppress,
			UserAttributes: []types.AttributeType{
				{Name: aws.String("email"), Value: &u.name},
				{Name: aws.String("email_verified"), Value: aws.String(strconv.FormatBool(u.verified))},
			},
		})
		if err == nil && u.permanent {
			_, err = client.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: &id, Username: &u.name, Password: aws.String("Old-Passw0rd!"), Permanent: true})
		}
		if err == nil && u.disabled {
			_, err = client.AdminDisableUser(ctx, &cognito.AdminDisableUserInput{UserPoolId: &id, Username: &u.name})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// endsIn is the outcome and the reason of each row of a report.
func endsIn(t *testing.T, report string) (ends []string) {
	t.Helper()
	file, err := os.Open(report)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		ends = append(ends, strings.Join(row[2:4], " "))
	}
	return ends
}
