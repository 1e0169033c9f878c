package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"cognito-reset/batch/sandbox"
	"cognito-reset/report"
)

// A ferry passes connections on, until it is sunk.
type ferry struct {
	net.Listener
	mu    sync.Mutex
	to    string
	conns []net.Conn
	sunk  bool
}

func newFerry(t *testing.T, to string) *ferry {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &ferry{Listener: listener, to: to}
	t.Cleanup(func() { listener.Close(); f.sink(true) })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", f.to)
			f.mu.Lock()
			if err != nil || f.sunk {
				from.Close()
			} else {
				f.conns = append(f.conns, from, to)
				go func() { io.Copy(to, from); to.Close() }()
				go func() { io.Copy(from, to); from.Close() }()
			}
			f.mu.Unlock()
		}
	}()
	return f
}

// sink loses every connection, and takes no more until it is raised.
func (f *ferry) sink(sunk bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sunk = sunk
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

// browse opens a page in Chromium, and returns what evaluates a script there.
func browse(t *testing.T, url string) (eval func(script string) string) {
	t.Helper()
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("Chromium is not here to open the page")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { chromedp.Cancel(ctx); cancel() })
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return func(script string) string {
		t.Helper()
		text, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// What the live page says agrees with what status says at any moment, also after the
// connection was lost, and in the end with the summary.
func TestTheLivePageAgreesWithTheRecord(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI"})
	var input strings.Builder
	input.WriteString("username\n")
	const users = 3000 // more than a busy machine comes to while it looks at the page
	for i := range users {
		fmt.Fprintf(&input, "person%d\n", i)
		if i%50 != 0 {
			pool.Add(sandbox.NewUser(fmt.Sprint("person", i)))
		}
	}
	server := httptest.NewServer(pool)
	defer server.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), []byte(input.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	defer stop()
	tool := linkTool(t, t.TempDir())
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, tool, args...)
		cmd.Dir, cmd.Env = dir, noAccount()
		return cmd
	}
	run := command("run", "--user-pool-id", "eu-west-1_AbCdEfGhI", "--input", "users.csv", "--yes", "--endpoint-url", server.URL,
		"--rate", "20", "--listen", "127.0.0.1:0", "--run", "night")
	boat := newFerry(t, showing(t, run))
	eval := browse(t, "http://"+boat.Addr().String()+"/")
	tile := func(outcome string) string {
		return eval(fmt.Sprintf(`document.querySelector("main div[id$=outcomes] button[data-outcome='%s'] strong")?.textContent ?? "0"`, outcome))
	}
	// soon waits until two things are the same.
	soon := func(what string, one, other func() string) {
		t.Helper()
		for ctx.Err() == nil {
			if one() == other() {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("%s: the page says %s, not %s", what, one(), other())
	}
	status := func(outcome string) string {
		text, _ := command("status", "night", "--json").Output()
		var st struct {
			Outcomes map[string]int64 `json:"outcomes"`
		}
		json.Unmarshal(text, &st)
		return fmt.Sprint(st.Outcomes[outcome])
	}
	steer := func(args ...string) {
		t.Helper()
		if out, err := command(append([]string{"ctl", "night"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ctl %v: %v %s", args, err, out)
		}
	}
	for i := range 3 {
		for before := tile("reset"); tile("reset") == before && ctx.Err() == nil; {
			time.Sleep(50 * time.Millisecond) // the numbers move
		}
		steer("pause")
		soon("paused", func() string {
			return fmt.Sprint(strings.Contains(eval(`document.querySelector(".now")?.textContent ?? ""`), "paused"))
		}, func() string { return "true" })
		if i == 1 {
			boat.sink(true)
			steer("resume")
			soon("lost", func() string {
				return fmt.Sprint(strings.Contains(eval(`document.getElementById("connection").textContent`), "is lost"))
			}, func() string { return "true" })
			time.Sleep(time.Second)
			steer("pause")
			boat.sink(false)
		}
		for _, outcome := range []string{"reset", "failed"} {
			soon(outcome, func() string { return tile(outcome) }, func() string { return status(outcome) })
		}
		steer("resume")
	}
	steer("rate", "0")
	run.Wait()
	text, err := os.ReadFile(filepath.Join(dir, "night", "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sum report.Summary
	if err := json.Unmarshal(text, &sum); err != nil {
		t.Fatal(err)
	}
	soon("in the end", func() string { return eval(`document.querySelector(".verdict").textContent`) }, sum.Verdict)
	if got := eval(`document.getElementById("connection").textContent`); !strings.Contains(got, "has ended") {
		t.Errorf("it says %q", got)
	}
	if got := eval(`document.querySelector("main").textContent`); strings.Contains(got, "person") {
		t.Error("somebody is named")
	}
}
