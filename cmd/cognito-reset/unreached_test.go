package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// Where nothing reaches AWS, the screen names the cause and what helps: before the run,
// which then does not begin, and in a run that was begun regardless, which stops after a
// few calls and leaves nobody in doubt.
func TestWhatKeepsCallsFromAWSIsOnTheScreen(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	for name, c := range map[string]struct{ endpoint, proxy, why, helps string }{
		"an unknown authority":         {untrusted.URL, "", "x509: certificate signed by unknown authority", "set AWS_CA_BUNDLE"},
		"a proxy that knows us not":    {"https://cognito.invalid", proxy.URL, "Proxy Authentication Required", "the user and password in HTTPS_PROXY"},
		"a proxy that is not there":    {"https://cognito.invalid", "http://127.0.0.1:1", "connection refused", "check HTTPS_PROXY"},
		"a name that nobody knows":     {"https://cognito.invalid", "", "cognito.invalid", "check the network, its DNS, --region and --endpoint-url"},
		"a door that nobody stands at": {"http://127.0.0.1:1", "", "connection refused", "check the network, the firewall and --endpoint-url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte("username\n"+strings.Join(strings.Split("abcdefghijklmnopqrstuvwxyz", ""), "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			linkTool(t, dir)
			run := func(code int, flags ...string) string {
				cmd := exec.Command(filepath.Join(dir, "cognito-reset"), append([]string{"run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--quiet", "--run", "record", "--endpoint-url", c.endpoint}, flags...)...)
				cmd.Dir, cmd.Env = dir, append(noAccount(), "HTTPS_PROXY="+c.proxy)
				var screen strings.Builder
				cmd.Stdout, cmd.Stderr = &screen, &screen
				if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
					t.Errorf("it ended with %v, not %d:\n%s", err, code, screen.String())
				}
				return screen.String()
			}
			says := func(screen string, all ...string) {
				for _, want := range all {
					if !strings.Contains(screen, want) {
						t.Errorf("it does not say %q:\n%s", want, screen)
					}
				}
			}
			says(run(exit.Usage), c.endpoint+" is not reached: ", c.why, c.helps, "; nothing was sent")
			screen := run(exit.Stopped, "--force", "endpoint")
			says(screen, "none of the first", c.why, c.helps, "cognito-reset resume record")
			if counts := outcomes(t, filepath.Join(dir, "record")); counts["not_attempted"] != 26 {
				t.Errorf("%v", counts)
			}
			if strings.Contains(screen, "--retry") || strings.Contains(screen, "StatusCode") {
				t.Errorf("it says what does not help:\n%s", screen)
			}
		})
	}
}
