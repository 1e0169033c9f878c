package main

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"cognito-reset/batch/sandbox/mototest"
)

// A server that is not ours gives the outcomes and reasons that we say Cognito
// does.
func TestAgainstMoto(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), mototest.Start(t)
	client := cognito.New(cognito.Options{
		Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	pool, err := client.CreateUserPool(ctx, &cognito.CreateUserPoolInput{PoolName: aws.String("people")})
	if err != nil {
		t.Fatal(err)
	}
	id := pool.UserPool.Id
	for _, u := range []struct {
		name      string
		mail      bool
		permanent bool
		disabled  bool
	}{{"alice", true, true, false}, {"temporary", true, false, false}, {"nocontact", false, true, false}, {"disabled", true, true, true}} {
		in := &cognito.AdminCreateUserInput{UserPoolId: id, Username: &u.name, MessageAction: types.MessageActionTypeSuppress}
		if u.mail {
			in.UserAttributes = []types.AttributeType{
				{Name: aws.String("email"), Value: aws.String(u.name + "@example.com")},
				{Name: aws.String("email_verified"), Value: aws.String("true")},
			}
		}
		_, err := client.AdminCreateUser(ctx, in)
		if err == nil && u.permanent {
			_, err = client.AdminSetUserPassword(ctx, &cognito.AdminSetUserPasswordInput{UserPoolId: id, Username: &u.name, Password: aws.String("Old-Passw0rd!"), Permanent: true})
		}
		if err == nil && u.disabled {
			_, err = client.AdminDisableUser(ctx, &cognito.AdminDisableUserInput{UserPoolId: id, Username: &u.name})
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	dir := t.TempDir()
	input := filepath.Join(dir, "users.csv")
	if err := os.WriteFile(input, []byte("username\nalice\nnobody\ntemporary\nnocontact\ndisabled\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(pool, record string, code int, flags ...string) [][]string {
		cmd := exec.Command("cognito-reset", append([]string{"run", "--user-pool-id", pool, "--input", input, "--yes", "--run", filepath.Join(dir, record), "--endpoint-url", url, "--workers", "1"}, flags...)...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%v, not %d:\n%s", cmd.ProcessState, code, out)
		}
		file, err := os.Open(filepath.Join(dir, record, "report.csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		rows, err := csv.NewReader(file).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows[1:]
	}
	want := []string{"reset ", "failed user_not_found", "failed temporary_password", "failed no_verified_contact", "failed disabled"}
	for i, row := range run(*id, "forecast", 3, "--dry-run") {
		if got := strings.TrimPrefix(strings.Join(row[2:4], " "), "would_"); got != want[i] {
			t.Errorf("%s: %s is forecast, not %s", row[1], got, want[i])
		}
	}
	for i, row := range run(*id, "record", 3) {
		if got := strings.Join(row[2:4], " "); got != want[i] {
			t.Errorf("%s: %s, not %s (%s)", row[1], got, want[i], row[6])
		}
	}
	user, err := client.AdminGetUser(ctx, &cognito.AdminGetUserInput{UserPoolId: id, Username: aws.String("alice")})
	if err != nil || user.UserStatus != types.UserStatusTypeResetRequired {
		t.Errorf("alice is %v, %v", user, err)
	}
	found := 0
	for _, row := range run("us-east-1_AbSent123", "absent", 4, "--force", "pool") {
		if row[3] == "pool_not_found" {
			found++
		} else if row[2] != "not_attempted" {
			t.Errorf("%q", row)
		}
	}
	if found == 0 {
		t.Error("no row says pool_not_found")
	}
}
