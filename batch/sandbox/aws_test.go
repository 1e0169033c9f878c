package sandbox_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"cognito-reset/batch/sandbox"
)

func TestTheAWSCommandLineDrivesIt(t *testing.T) {
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the aws command line is not installed here")
	}
	pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas()})
	pool.PopulateN(150)
	pool.Add(sandbox.NewUser("ann"), user("dis", func(u *sandbox.User) { u.Enabled = false }))
	srv := httptest.NewServer(pool)
	defer srv.Close()
	run := func(args ...string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), aws, append([]string{"--endpoint-url", srv.URL, "--output", "text"}, args...)...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=us-east-1",
			"AWS_DEFAULT_REGION=us-east-1", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=")
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	expect := func(want string, args ...string) {
		t.Helper()
		if got, err := run(args...); err != nil || got != want {
			t.Errorf("aws %s: %v\n%s\nwant %s", strings.Join(args, " "), err, got, want)
		}
	}

	expect("arn:aws:iam::123456789012:user/sandbox", "sts", "get-caller-identity", "--query", "Arn")
	expect("", "cognito-idp", "admin-reset-user-password", "--user-pool-id", poolID, "--username", "ann")
	expect("RESET_REQUIRED", "cognito-idp", "admin-get-user", "--user-pool-id", poolID, "--username", "ann@example.com", "--query", "UserStatus")
	if got, err := run("cognito-idp", "admin-reset-user-password", "--user-pool-id", poolID, "--username", "dis"); err == nil ||
		!strings.Contains(got, "(NotAuthorizedException) when calling the AdminResetUserPassword operation: User is disabled.") {
		t.Errorf("%v: %s", err, got)
	}
	names, err := run("cognito-idp", "list-users", "--user-pool-id", poolID, "--query", "Users[].Username")
	if n := len(strings.Fields(names)); err != nil || n != pool.Len() {
		t.Errorf("listed %d of %d users: %v", n, pool.Len(), err)
	}
	expect("sandbox", "cognito-idp", "describe-user-pool", "--user-pool-id", poolID, "--query", "UserPool.Name")
	expect("Rate of UserAccountRecovery requests", "service-quotas", "get-service-quota", "--service-code", "cognito-idp", "--quota-code", "L-7D6E8ED3", "--query", "Quota.QuotaName")
	expect("True", "sesv2", "get-account", "--query", "ProductionAccessEnabled")
}
