package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// toolInContainer is where the Dockerfile has the tool: on the path that containers
// have by default.
const toolInContainer = "/usr/local/bin/cognito-reset"

// caRoots is where systems keep the roots that TLS trusts.
const caRoots = "/etc/ssl/certs/ca-certificates.crt"

// newContainer makes the file system that the Dockerfile makes: the tool, the CA
// roots, and a volume. Nobody but root may write to the rest. Buildah makes it where it
// stands, by the Dockerfile itself.
func newContainer(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755) // for another user to come here
	}
	release := t.TempDir()
	build := exec.Command("../../.ci/release", release)
	build.Env = append(os.Environ(), "SYSTEMS=linux/"+runtime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the tool cannot be built: %v %s", err, out)
	}
	if err := errors.Join(
		os.MkdirAll(filepath.Join(root, filepath.Dir(toolInContainer)), 0o755),
		os.Rename(filepath.Join(release, "cognito-reset-linux-"+runtime.GOARCH), filepath.Join(root, toolInContainer)),
	); err != nil {
		t.Fatal(err)
	}
	roots, err := os.ReadFile(caRoots)
	if err != nil {
		t.Skip("this system keeps its CA roots elsewhere")
	}
	if err := errors.Join(
		os.MkdirAll(filepath.Join(root, filepath.Dir(caRoots)), 0o755),
		os.WriteFile(filepath.Join(root, caRoots), roots, 0o644),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("buildah"); err == nil && os.Getuid() == 0 {
		root = byBuildah(t, root)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "data"), 0o777), os.Chmod(filepath.Join(root, "data"), 0o777)); err != nil {
		t.Fatal(err)
	}
	return root
}

// byBuildah is the file system of the image that the Dockerfile's last stage makes of
// what stands in a folder, as if its first stage had built it.
func byBuildah(t *testing.T, built string) (root string) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(string(text), "\nFROM scratch\n")
	home := t.TempDir()
	if err := errors.Join(
		os.WriteFile(filepath.Join(home, "Dockerfile"), []byte("FROM scratch\n"+last), 0o600),
		os.WriteFile(filepath.Join(built, "THIRD-PARTY-NOTICES.txt"), []byte("licenses"), 0o644),
		os.Rename(filepath.Join(built, toolInContainer), filepath.Join(built, "cognito-reset")),
	); err != nil {
		t.Fatal(err)
	}
	buildah := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("buildah", append([]string{"--root", filepath.Join(home, "storage"), "--runroot", filepath.Join(home, "running"), "--storage-driver", "vfs"}, args...)...)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("buildah %s: %v: %s", args, err, said.String())
		}
		return strings.TrimSpace(string(out))
	}
	buildah("bud", "--isolation", "chroot", "--build-context", "build="+built, "--tag", "tool", "--file", filepath.Join(home, "Dockerfile"), home)
	config := buildah("inspect", "--type", "image", "--format", "{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}} {{.OCIv1.Config.Entrypoint}}", "tool")
	if want := "65532:65532 /data [" + toolInContainer + "]"; config != want {
		t.Errorf("the image says %q, not %q", config, want)
	}
	root = buildah("mount", buildah("from", "tool"))
	t.Cleanup(func() { buildah("unmount", "--all") })
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	return root
}

// nobody is the user of the Dockerfile.
const nobody65532 = 65532

// inContainer is a command in the container, as its user.
func inContainer(ctx context.Context, root string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, toolInContainer, args...)
	cmd.Dir, cmd.Env = "/data", []string{"TMPDIR=/data", "TZ=Europe/Berlin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody65532, Gid: nobody65532}}
	if os.Getuid() != 0 { // in a name space of its own anybody may change root
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody65532, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody65532, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// The tool needs nothing that the container has not: no shell, no /tmp, no users,
// no time zones, and no place to write to but its volume.
func TestTheToolRunsInAContainerOfItsOwn(t *testing.T) {
	t.Parallel()
	root := newContainer(t)
	if err := os.WriteFile(filepath.Join(root, "data/users.csv"), []byte("username\nann\nben\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := inContainer(ctx, root, "run", "--sandbox", "--input", "users.csv", "--yes", "--run", "night", "--until", "06:00").CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("this system lets nobody change root here")
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != exit.SomeFailed { // ben has an identity provider
		t.Fatalf("%v: %s", err, out)
	}
	checkNotices(t, filepath.Join(root, toolInContainer))
	for _, args := range [][]string{
		{"status", "night"}, {"evidence", "night", "--output", "night.zip"}, {"version"},
	} {
		if out, err := inContainer(ctx, root, args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
	if out, err := inContainer(ctx, root, "run", "--sandbox", "--input", "users.csv", "--yes", "--run", "/elsewhere").CombinedOutput(); err == nil {
		t.Errorf("it wrote beside its volume: %s", out)
	}
}

// checkNotices sees to it that the license of every module in the tool goes with it.
func checkNotices(t *testing.T, tool string) {
	t.Helper()
	info, err := buildinfo.ReadFile(tool)
	if err != nil {
		t.Fatal(err)
	}
	notices, err := exec.Command("../../.ci/notices").Output()
	if err != nil {
		t.Fatal(err)
	}
	if told, err := exec.Command(tool, "version", "--notices").Output(); err != nil || !bytes.Equal(told, notices) {
		t.Errorf("version --notices says something else than .ci/notices: %v, %.200s", err, told)
	}
	for _, module := range info.Deps {
		_, license, found := bytes.Cut(notices, []byte("\n"+module.Path+" "+module.Version+"\n\n"))
		if license, _, _ = bytes.Cut(license, []byte("\n-----")); !found || len(license) < 200 {
			t.Errorf("%s has no license in the notices", module.Path)
		}
	}
}

// docker stop sends SIGTERM to the first process, which is the tool itself.
func TestSIGTERMStopsARunInAContainer(t *testing.T) {
	t.Parallel()
	root := newContainer(t)
	if err := os.WriteFile(filepath.Join(root, "data/users.csv"), []byte("username\n"+strings.Join(names(100), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := inContainer(ctx, root, "run", "--sandbox", "--input", "users.csv", "--yes", "--run", "night", "--rate", "1")
	if err := cmd.Start(); errors.Is(err, fs.ErrPermission) {
		t.Skip("this system lets nobody change root here")
	} else if err != nil {
		t.Fatal(err)
	}
	for journal := filepath.Join(root, "data/night/journal.jsonl"); ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if text, _ := os.ReadFile(journal); bytes.Contains(text, []byte(`"reset"`)) {
			break
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
	if _, err := os.Stat(filepath.Join(root, "data/night/report.csv")); err != nil {
		t.Error(err)
	}
}

func names(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("user", i))
	}
	return all
}

// The image is what the tests above ran in: the Dockerfile's last stage copies the
// tool and the roots, and nothing else.
func TestTheImageHoldsTheToolTheRootsAndTheLicensesAlone(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^FROM golang:1\.\d+\.\d+@sha256:[0-9a-f]{64} AS build$`).Match(text) {
		t.Error("the base image is not pinned by its digest")
	}
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	var lines []string
	for line := range strings.Lines(last) {
		lines = append(lines, strings.TrimSpace(line))
	}
	want := []string{
		"COPY --from=build " + caRoots + " " + filepath.Dir(caRoots) + "/",
		"COPY --from=build /THIRD-PARTY-NOTICES.txt /",
		"COPY --from=build /cognito-reset " + filepath.Dir(toolInContainer) + "/",
		"USER 65532:65532",
		"WORKDIR /data",
		"ENV TMPDIR=/data",
		`ENTRYPOINT ["` + toolInContainer + `"]`,
	}
	if !found || !slices.Equal(lines, want) {
		t.Errorf("the last stage is %q", lines)
	}
}
