package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cognito "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"cognito-reset/batch/sandbox"
)

// Everybody in remaining.csv can still get in with what leaked, or will as it says, and
// nobody else can: each of 5,000 tries. It shrinks as something else makes users safe and a
// verify finds them so, and as a resume goes on.
func TestWhoRemainsIsWhoCanStillGetIn(t *testing.T) {
	t.Parallel()
	const poolID, users = "eu-west-1_AbCdEfGhI", 5000
	pool := sandbox.New(sandbox.Config{PoolID: poolID})
	pool.PopulateN(users)
	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	var input strings.Builder
	input.WriteString("username\n")
	for i := range users {
		fmt.Fprintf(&input, "user-%07d\n", i+1)
	}
	if err := os.WriteFile(filepath.Join(dir, "leaked.csv"), []byte(input.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := linkTool(t, t.TempDir())
	run := func(code int, args ...string) {
		t.Helper()
		cmd := exec.Command(tool, args...)
		cmd.Dir, cmd.Env = dir, noAccount()
		if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != code {
			t.Fatalf("%v: %v\n%s", args, cmd.ProcessState, out)
		}
	}
	client := cognito.New(cognito.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
	// signIn is how a user fares who tries the password that leaked.
	signIn := func(username string) string {
		out, err := client.AdminInitiateAuth(t.Context(), &cognito.AdminInitiateAuthInput{
			UserPoolId: aws.String(poolID), ClientId: aws.String("app"), AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
			AuthParameters: map[string]string{"USERNAME": username, "PASSWORD": sandbox.DefaultPassword},
		})
		if refused, ok := errors.AsType[smithy.APIError](err); ok {
			return refused.ErrorCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if out.AuthenticationResult != nil {
			return "in"
		}
		return string(out.ChallengeName)
	}
	enable := func(username string) {
		if _, err := client.AdminEnableUser(t.Context(), &cognito.AdminEnableUserInput{UserPoolId: aws.String(poolID), Username: &username}); err != nil {
			t.Fatal(err)
		}
	}
	// check tries everybody, and returns how many remain, and how many of them must choose a
	// new password, or do not exist, all the same. Those who are disabled are tried in
	// the end, for they must be enabled.
	check := func(disabled bool) (remain, safe int) {
		t.Helper()
		f, err := os.Open(filepath.Join(dir, "night", "remaining.csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		password := make(map[string]string)
		for _, row := range rows[1:] {
			password[row[1]] = row[5]
		}
		for i := range users {
			name := fmt.Sprintf("user-%07d", i+1)
			got, says := signIn(name), password[name]
			want := ""
			switch says {
			case "the old one works":
				want = "in"
			case "the temporary one works":
				want = "NEW_PASSWORD_REQUIRED"
			case "the old one works once the user confirms":
				want = "UserNotConfirmedException" // which a wrong password never gives
			case "the old one comes back if the user is enabled":
				if disabled {
					enable(name)
					got = signIn(name)
					want = "in"
				}
			case "":
				switch got {
				case "in", "NEW_PASSWORD_REQUIRED", "UserNotConfirmedException":
					t.Errorf("%s is not on the list, and gets: %s", name, got)
				}
			}
			if says != "" && (got == "PasswordResetRequiredException" || got == "UserNotFoundException") {
				safe++
			}
			if want != "" && got != want {
				t.Errorf("of %s it says %q, and the sign-in gives %s", name, says, got)
			}
		}
		return len(rows) - 1, safe
	}
	run(4, "run", "--user-pool-id", poolID, "--input", "leaked.csv", "--endpoint-url", server.URL, "--rate", "0", "--yes", "--run", "night", "--max-resets", "3000")
	check(false)
	elsewhere := 0
	for i := users - 500; i < users; i++ {
		if _, err := client.AdminResetUserPassword(t.Context(), &cognito.AdminResetUserPasswordInput{UserPoolId: aws.String(poolID), Username: aws.String(fmt.Sprintf("user-%07d", i+1))}); err == nil {
			elsewhere++
		}
	}
	before, settled := check(false)
	run(3, "verify", "night")
	if n, safe := check(false); elsewhere < 400 || settled < elsewhere || n != before-settled || safe > 0 {
		t.Errorf("%d remained, of whom %d were safe, and then a verify lists %d, %d of them safe", before, settled, n, safe)
	}
	run(3, "resume", "night", "--yes", "--max-resets", "0")
	after, _ := check(true)
	if before < users-3200 || after >= before || after < users/100 {
		t.Errorf("%d remained, and after the resume %d", before, after)
	}
}
