package login_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/smithy-go/logging"

	"cognito-reset/batch/internal/login"
)

// configured writes the shared AWS configuration, and leaves nothing else of it.
func configured(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none"), "HOME": dir, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
}

const roleWithMFA = "[profile ops]\nrole_arn = arn:aws:iam::123456789012:role/ops\nsource_profile = keys\nmfa_serial = arn:aws:iam::123456789012:mfa/ann\n" +
	"[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n"

func TestWhatIsMissingIsSaidWithWhatHelps(t *testing.T) {
	for _, c := range []struct {
		name, config, profile string
		want                  string
	}{
		{"no profile of that name", "[profile ops]\n[default]\n", "opps", `no AWS profile is called "opps": there are default, ops. Give another by --profile or AWS_PROFILE, or make it by aws configure sso`},
		{"no profile at all", "", "opps", `"opps": there is none.`},
		{"a code of a device", roleWithMFA, "ops", `aws configure export-credentials --profile ops --format env`},
		{"an SSO session that has run out", "[profile dev]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = dev\n", "dev", "the SSO session has run out, or there is none: run aws sso login --profile dev"},
		{"an SSO session of its own that has run out", "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n[sso-session corp]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n", "dev", "run aws sso login --profile dev"},
		{"nothing", "", "", "no AWS credentials found: run aws sso login, set AWS_PROFILE or give --profile"},
		{"a profile without", "[profile bare]\nregion = eu-west-1\n", "bare", `AWS profile "bare" has no credentials: run aws sso login --profile bare, or give another`},
	} {
		t.Run(c.name, func(t *testing.T) {
			configured(t, c.config)
			cfg, err := login.Load(t.Context(), login.Options{Profile: c.profile, Region: "eu-west-1"})
			if err == nil {
				_, err = cfg.Credentials.Retrieve(t.Context())
				if _, ok := errors.AsType[*login.Error](err); !ok {
					t.Errorf("%T is no login.Error", err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nnot %s", err, c.want)
			}
		})
	}
}

// The SDK's own lines go through the log, where its level decides, and never to stderr.
func TestWhatTheSDKSaysGoesThroughTheLog(t *testing.T) {
	configured(t, "")
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	cfg, err := login.Load(t.Context(), login.Options{Region: "eu-west-1", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger.Logf(logging.Debug, "a detail")
	cfg.Logger.Logf(logging.Warn, "no checksum of %s", "x")
	if got := said.String(); !strings.Contains(got, `level=WARN msg="the AWS SDK: no checksum of x"`) || strings.Contains(got, "detail") {
		t.Errorf("the log has %q", got)
	}

	stderr, saved := filepath.Join(t.TempDir(), "stderr"), os.Stderr
	if os.Stderr, err = os.Create(stderr); err != nil {
		t.Fatal(err)
	}
	defer func() { os.Stderr = saved }()
	if cfg, err = login.Load(t.Context(), login.Options{Region: "eu-west-1"}); err != nil {
		t.Fatal(err)
	}
	cfg.Logger.Logf(logging.Warn, "no checksum")
	os.Stderr.Close()
	if text, err := os.ReadFile(stderr); err != nil || len(text) > 0 {
		t.Errorf("on stderr stands %q, %v", text, err)
	}
}

func TestAPersonIsAskedForTheCodeOfADevice(t *testing.T) {
	configured(t, roleWithMFA)
	stop := errors.New("nobody knows it")
	device := ""
	cfg, err := login.Load(t.Context(), login.Options{Profile: "ops", Region: "eu-west-1", MFACode: func(_ context.Context, asked string) (string, error) {
		device = asked
		return "", stop
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Credentials.Retrieve(t.Context()); !errors.Is(err, stop) || device != "arn:aws:iam::123456789012:mfa/ann" {
		t.Errorf("%v; asked for %q", err, device)
	}
}
