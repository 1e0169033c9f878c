package observe

import (
	"context"
	"os/exec"
	"syscall"
)

// shell has the system's shell run a command. It takes the line as it is, and not
// quoted as programs are.
func shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /S /C "` + command + `"`}
	return cmd
}
