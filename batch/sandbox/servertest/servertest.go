// Package servertest starts AWS services that are not ours, for tests.
package servertest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Moto returns the address of a moto server of its own for the test, which is skipped
// where there is none.
func Moto(t *testing.T) (url string) {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not installed, so nothing is tried against it")
	}
	address := FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	return Serve(t, address, exec.Command(path, "-H", "127.0.0.1", "-p", port))
}

// CognitoLocal returns the address of a cognito-local of its own for the test. The
// environment variable COGNITO_LOCAL names the command where it is not in PATH; the
// test is skipped where there is none.
func CognitoLocal(t *testing.T) (url string) {
	t.Helper()
	path := os.Getenv("COGNITO_LOCAL")
	if path == "" {
		var err error
		if path, err = exec.LookPath("cognito-local"); err != nil {
			t.Skip("cognito-local is neither in PATH nor named by COGNITO_LOCAL, so nothing is tried against it")
		}
	}
	address := FreeAddress(t)
	host, port, _ := net.SplitHostPort(address)
	server := exec.Command(path)
	server.Dir = t.TempDir() // where it keeps its pools
	server.Env = append(os.Environ(), "HOST="+host, "PORT="+port)
	return Serve(t, address, server)
}

// FreeAddress is an address of this machine at which nothing listens.
func FreeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// Serve starts a server, waits until it listens at its address, and ends it with the
// test, which is skipped where the server does not serve.
func Serve(t *testing.T, address string, server *exec.Cmd) (url string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		server.Process.Kill()
		<-ended
		log.Close()
	})
	for deadline := time.Now().Add(time.Minute); ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Skipf("%s did not begin to serve within a minute, so nothing is tried against it", server.Path)
		}
		select {
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(log.Name())
			t.Skipf("%s does not serve here, so nothing is tried against it: %v: %s", server.Path, err, said)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
