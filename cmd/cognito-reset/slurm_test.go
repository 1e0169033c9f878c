//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slurmConf is a cluster of one node on this machine. Nothing in it needs a right that
// its user has not.
const slurmConf = `ClusterName=test
SlurmctldHost=localhost
SlurmctldPort=%[1]d
SlurmdPort=%[2]d
SlurmUser=%[3]s
SlurmdUser=%[3]s
AuthType=auth/munge
AuthInfo=socket=%[4]s/munge.sock
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=0,bf_interval=1
StateSaveLocation=%[4]s/state
SlurmdSpoolDir=%[4]s/spool
SlurmctldPidFile=%[4]s/slurmctld.pid
SlurmdPidFile=%[4]s/slurmd.pid
NodeName=localhost CPUs=8 RealMemory=8000
PartitionName=all Nodes=localhost Default=YES
`

// A slurm is the array of the example, run by Slurm itself.
type slurm struct {
	*array
	ctx context.Context
	env []string
}

// newSlurm starts a cluster, which ends with the test.
func newSlurm(t *testing.T, a *array) *slurm {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	home := t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(home, "slurm.conf")
	for name, text := range map[string]string{
		conf: fmt.Sprintf(slurmConf, freePort(t), freePort(t), me.Username, home), filepath.Join(home, "key"): strings.Repeat("key", 400),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"state", "spool"} {
		if err := os.Mkdir(filepath.Join(home, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := &slurm{a, ctx, append(noAccount(), "SLURM_CONF="+conf, "PATH="+filepath.Dir(a.tool)+":/usr/bin:/bin", "COGNITO_RESET_ENDPOINT_URL="+a.url, "COGNITO_RESET_SETTLE_AFTER=200ms")}
	in := func(name string) string { return filepath.Join(home, name) }
	s.daemon(t, in("munged.log"), "munged", "--foreground", "--force", "--key-file="+in("key"), "--socket="+in("munge.sock"), "--pid-file="+in("munged.pid"), "--seed-file="+in("seed"))
	s.await("munged", func() bool { _, err := os.Stat(in("munge.sock")); return err == nil })
	s.daemon(t, in("slurmctld.log"), "slurmctld", "-D")
	s.daemon(t, in("slurmd.log"), "slurmd", "-D", "-N", "localhost")
	s.await("the node", func() bool { return strings.HasPrefix(s.ask("sinfo", "-h", "-o", "%T"), "idle") })
	t.Cleanup(func() { // before the daemons end
		s.ctx, cancel = context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		s.ask("scancel", "--signal=KILL", "--user", me.Username)
		s.await("the end of what runs", func() bool { return s.ask("squeue", "-h") == "" })
	})
	return s
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// daemon starts a daemon, and shows what it logged if the test failed.
func (s *slurm) daemon(t *testing.T, log, name string, args ...string) {
	t.Helper()
	path, _ := slurmTool(name)
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
		file.Close()
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("%s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
}

// slurmTool is where a program of Slurm is: daemons are not on everybody's path.
func slurmTool(name string) (string, error) {
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		return path, nil
	}
	return exec.LookPath(name)
}

// ask is what a command of Slurm prints, whatever becomes of it.
func (s *slurm) ask(name string, args ...string) string {
	cmd := exec.CommandContext(s.ctx, name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

// await waits until something is so.
func (s *slurm) await(what string, so func() bool) {
	s.Helper()
	for !so() {
		select {
		case <-s.ctx.Done():
			s.Fatalf("%s did not come about; Slurm has: %s", what, s.ask("squeue"))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// submit hands the job script to Slurm, and returns the job's number.
func (s *slurm) submit(flags ...string) string {
	s.Helper()
	id := s.ask("sbatch", append(append([]string{"--parsable"}, flags...), "cognito-reset.sh")...)
	if _, err := strconv.Atoi(id); err != nil {
		s.Fatalf("sbatch %s: %s", flags, id)
	}
	return id
}

// ended waits until Slurm has no more of a job, or of one task.
func (s *slurm) ended(job string) {
	s.Helper()
	s.await("the end of "+job, func() bool {
		out := s.ask("squeue", "-h", "-j", job)
		return out == "" || strings.Contains(out, "Invalid job id")
	})
}

// requeue has Slurm start a running task again, in seconds rather than in two minutes,
// and meanwhile does something. Sooner, slurmd would take the new start for the old
// one, whose credential it has revoked.
func (s *slurm) requeue(task string, meanwhile func()) {
	s.Helper()
	if out := s.ask("scontrol", "requeue", task); out != "" {
		s.Fatalf("scontrol requeue %s: %s", task, out)
	}
	s.await(task+" in the queue", func() bool { return s.ask("squeue", "-h", "-j", task, "-o", "%T") == "PENDING" })
	meanwhile()
	if out := s.ask("scontrol", "update", "jobid="+task, "StartTime=now+3seconds"); out != "" {
		s.Fatalf("scontrol update %s: %s", task, out)
	}
}

// record is where the record of a task stands, and log what its starts printed.
func (s *slurm) record(task int) string {
	return filepath.Join(s.dir, "parts", fmt.Sprintf("shard-%d-of-%d", task+1, s.shards))
}

func (s *slurm) log(task int) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, fmt.Sprintf("cognito-reset-%d.log", task)))
	return string(text)
}

// move moves the record of a task away, or back again.
func (s *slurm) move(from, to string) {
	s.Helper()
	if err := os.Rename(from, to); err != nil {
		s.Fatal(err)
	}
}

// working waits until a task has reset somebody.
func (s *slurm) working(task int) {
	s.Helper()
	s.await(fmt.Sprint("a reset by task ", task), func() bool {
		text, _ := os.ReadFile(filepath.Join(s.record(task), "journal.jsonl"))
		return bytes.Contains(text, []byte(`"reset"`))
	})
}

// kill ends the tool of a task with SIGKILL, and nothing else.
func (s *slurm) kill(task int) {
	s.Helper()
	environments, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range environments {
		env, _ := os.ReadFile(name)
		folder := filepath.Dir(name)
		command, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if bytes.Contains(env, []byte(s.url)) && bytes.Contains(env, fmt.Appendf(nil, "SLURM_ARRAY_TASK_ID=%d\x00", task)) && bytes.HasPrefix(command, []byte("cognito-reset\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				s.Fatal(err)
			}
			return
		}
	}
	s.Fatalf("task %d has no process", task)
}

// Slurm runs the example's array. A task that is killed, requeued or submitted again
// goes on with its shard; one whose record is gone is refused. Each user is reset once.
func TestAnArrayOfSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster and 400 resets at 30 a second take a while")
	}
	for _, name := range []string{"munged", "slurmctld", "slurmd"} {
		if _, err := slurmTool(name); err != nil {
			t.Skipf("%s is not installed, so the array is not tried with Slurm itself", name)
		}
	}
	t.Parallel()
	const shards, users, quota = 4, 400, 30
	s := newSlurm(t, newArray(t, linkTool(t, t.TempDir()), shards, users, quota))
	script, err := os.ReadFile("../../examples/slurm/cognito-reset.sh")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("eu-west-1_AbCdEfGhI", "us-east-1_Sandbox", "runs/2026-07", "parts").Replace(string(script))
	if err := os.WriteFile(filepath.Join(s.dir, "cognito-reset.sh"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	start, away := time.Now(), filepath.Join(s.dir, "away")
	job := s.submit()
	for task := range shards {
		s.working(task)
	}
	s.kill(1)
	s.ended(job + "_1")
	s.submit("--array=1")
	s.requeue(job+"_2", func() {})
	s.requeue(job+"_0", func() { s.move(s.record(0), away) })
	s.ended(job + "_0")
	if said := s.log(0); !strings.Contains(said, "this is restart 1 of Slurm, and parts/shard-1-of-4 holds no run") || !strings.Contains(said, "see to this one by hand") {
		t.Errorf("a task without its record was not refused: %s", said)
	}
	s.move(away, s.record(0))
	s.ended(s.submit("--array=0"))
	s.await("the end of all", func() bool { return s.ask("squeue", "-h") == "" })

	s.ended(s.submit("--array=3"))
	if said := s.log(3); !strings.Contains(said, "This run is finished; nothing was sent") {
		t.Errorf("an index that is submitted again does not go on: %s", said)
	}
	s.move(s.record(3), away)
	s.ended(s.submit("--array=3"))
	s.move(away, s.record(3))
	if said := s.log(3); !strings.Contains(said, "Slurm was given 1 of 4 tasks, and parts/shard-4-of-4 holds no run") || !strings.Contains(said, "Bring the record back") {
		t.Errorf("an index without its record was not refused: %s", said)
	}
	s.check(users)
	t.Logf("%d users by %d tasks in %v: %v", users, shards, time.Since(start).Round(time.Second), s.pool.Stats().Calls["AdminResetUserPassword"])
}
