//go:build linux || darwin

package main

import (
	"os"
	"os/exec"
	"testing"
)

// A person at a zsh that has nothing set up loads the completion with one line, and the
// line that it completes does what it says.
func TestZshCompletesAtATerminal(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("there is no zsh here")
	}
	x, _ := onTerminal(t, 1, 80, "run", "--user-pool-id", "us-east-1_Sandbox", "--input", "users.csv", "--yes", "--quiet", "--run", "monday")
	x.ends(0)
	env := append(x.cmd.Env, "TERM=vt100", "PATH="+x.cmd.Dir+":"+os.Getenv("PATH"), "PS1=ready> ", "PAGER=cat")
	z := startTerminal(t, x.cmd.Dir, env, 200, zsh, "-f", "-i")
	z.sees("ready> ")
	z.types("source <(cognito-reset completion zsh); echo loaded $((1+1))\r")
	z.sees("loaded 2")
	z.types("cognito-reset run --ste\treset,\t--sandbox --input users.csv --print-conf\t\r")
	z.sees(`steps: "reset,sign-out"  # command line`)
	z.types("cognito-reset stat\tmon\t\r")
	z.sees("monday: finished")
	z.types("cognito-reset help brea\t\r")
	z.sees("# Breach")
	z.types("exit\r")
	z.ends(0)
}
