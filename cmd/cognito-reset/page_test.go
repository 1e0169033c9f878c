package main

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A page is a document whose commands are run, from top to bottom: every line of
// its blocks of sh. What stands behind # says how a command ends: "exit N", where
// that is not 0, or "until Ctrl-C". One that ends in & goes on beside those of its
// block that come after it; one whose note ends with "in the end", beside the blocks that
// come before the next heading.
type page struct {
	*testing.T
	dir    string                                // where the commands run
	env    []string                              // what they see of the environment besides the usual
	beside func() (env []string, restore func()) // prepares for a command that goes on beside others, if there is anything to prepare
}

// run runs every command of a document, and counts them.
func (p *page) run(document string) (commands int) {
	p.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		p.Fatal(err)
	}
	var ends []func() // of what goes on beside
	longer := false   // beside more than its block
	finish := func() {
		for _, end := range ends {
			end()
		}
		ends, longer = nil, false
	}
	defer finish()
	for i, block := range strings.Split(strings.ReplaceAll(string(text), "\\\n", " "), "```sh\n") {
		if i == 0 {
			continue
		}
		block, prose, _ := strings.Cut(block, "```")
		for line := range strings.Lines(block) {
			command, note, _ := strings.Cut(strings.TrimSpace(line), " # ")
			commands++
			switch alone, beside := strings.CutSuffix(command, " &"); {
			case command == "go test ./..." || command == "go build ./cmd/cognito-reset": // this very test, and what it began with
			case strings.HasSuffix(note, inTheEnd):
				longer = true
				ends = append(ends, p.begin(command, strings.TrimSuffix(note, inTheEnd)))
			case beside:
				ends = append(ends, p.begin(alone, note))
			default:
				p.start(command, note, p.env).check()
			}
		}
		if !longer || strings.Contains(prose, "\n## ") {
			finish()
		}
	}
	return commands
}

// inTheEnd ends the note of a command that goes on beside other blocks.
const inTheEnd = " in the end"

// crawl is a rate, in calls a second, at which a run is there to be steered.
const crawl = "0.001"

// begin starts a run that goes on beside others, and returns once it can be
// steered: it waits for its next wave, or crawls.
func (p *page) begin(command, note string) (end func()) {
	p.Helper()
	env, restore := p.env, func() {}
	if p.beside != nil {
		env, restore = p.beside()
	}
	_, run, _ := strings.Cut(command, "--run ")
	run, _, _ = strings.Cut(run, " ")
	c := p.start(command, note, env)
	for steerable := regexp.MustCompile("waits for (wave|rate, " + crawl + "/s)"); ; time.Sleep(10 * time.Millisecond) {
		status := exec.Command("cognito-reset", "status", run)
		status.Dir = p.dir
		if out, _ := status.Output(); steerable.Match(out) { // until there is a run, it fails
			return func() {
				c.check()
				restore()
			}
		}
		select {
		case <-c.over:
			c.check()
			p.Fatalf("%s: it is not there to be steered", command)
		default:
		}
	}
}

// noAccount is an environment in which no AWS account is found.
func noAccount() []string {
	return append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
}

// A shown is a command of a page that was started.
type shown struct {
	*page
	command, note string
	cmd           *exec.Cmd
	stderr        strings.Builder
	over          chan struct{}
}

func (p *page) start(command, note string, env []string) *shown {
	p.Helper()
	text := strings.Replace(command, "go run ./cmd/cognito-reset ", "cognito-reset ", 1)
	text = strings.Replace(text, ":9229", ":0", 1) // whatever port is free
	c := &shown{page: p, command: command, note: note, cmd: exec.Command("sh", "-c", "exec "+text), over: make(chan struct{})}
	c.cmd.Dir, c.cmd.Stderr = p.dir, &c.stderr
	c.cmd.Env = noAccount()
	if !strings.Contains(text, " --sandbox") {
		c.cmd.Env = append(c.cmd.Env, env...)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		p.Fatalf("%s: %v", command, err)
	}
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if note == "until Ctrl-C" {
				c.cmd.Process.Signal(os.Interrupt)
			}
		}
		c.cmd.Wait()
		close(c.over)
	}()
	return c
}

// check waits until the command has ended, which it must as its note says.
func (c *shown) check() {
	c.Helper()
	<-c.over
	want := 0
	if code, ok := strings.CutPrefix(c.note, "exit "); ok {
		want, _ = strconv.Atoi(code)
	}
	if c.cmd.ProcessState.ExitCode() != want {
		c.Errorf("%s ended with %v, not %d:\n%s", c.command, c.cmd.ProcessState, want, c.stderr.String())
	}
}
