package sim

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Int("seeds", 300, "how many seeds the simulation plays")
	seed  = flag.Uint64("seed", 0, "the seed to play alone, or to begin with if -seeds is given as well")
)

// Each seed is a plan: a run, and what goes wrong with it. A plan that violates
// what may never be violated is made as short as it still does, and told.
func TestNobodyIsResetTwiceMissedOrMisreported(t *testing.T) {
	if given("seed") && !given("seeds") {
		playAgain(t, *seed)
		return
	}
	if *seeds >= 10*chunk && runtime.NumCPU() > 1 {
		share(t)
		return
	}
	began, failures := time.Now(), make(map[string][]played)
	for i := range uint64(*seeds) {
		if p := playIn(t, newPlan(*seed+i)); p.failed() {
			failures[p.sort()] = append(failures[p.sort()], p)
		}
	}
	var told []played
	for _, sort := range sorted(failures) {
		all := failures[sort]
		t.Errorf("%d of %d seeds, first %d: %s", len(all), *seeds, all[0].plan.Seed, sort)
		told = append(told, shorten(t, all[0]))
	}
	slices.SortStableFunc(told, func(a, b played) int { return cmp.Compare(len(a.String()), len(b.String())) })
	for _, p := range told {
		t.Error(p)
	}
	t.Logf("%d seeds from %d in %v", *seeds, *seed, time.Since(began).Round(time.Millisecond))
}

// Each of these plans violated something once.
var regressions = map[string]plan{
	"a folder whose maker died before it was durable": {
		Users: 1, Processes: 3, Workers: 1, Standby: 1, MaxAttempts: 3, Rate: 0.5, Quota: 2, Faults: []fault{
			{Kind: killedAfter, Process: 1, N: 2},
			{Kind: powerLost, Process: 3, N: 33},
		},
	},
	"a read-back whose answer waits in a process that is stopped": {
		Users: 4, Processes: 2, Workers: 1, Standby: 1, MaxAttempts: 3, Rate: 200, Quota: 10, Latency: 50 * time.Millisecond, Faults: []fault{
			{Kind: signalled, Process: 1, At: 4833 * time.Millisecond},
			{Kind: signalled, Process: 2, At: 867 * time.Millisecond},
			{Kind: paused, Process: 2, At: 24 * time.Millisecond, For: 2*time.Minute + 12908*time.Millisecond},
			{Kind: lateWork, N: 4, At: 50833 * time.Millisecond},
		},
	},
	"a summary of what a failing disk had not kept": {
		Users: 2, Processes: 3, Workers: 1, Standby: 1, MaxAttempts: 2, Rate: 200, Quota: 2, Faults: []fault{
			{Kind: signalled, Process: 1, At: time.Millisecond},
			{Kind: diskError, Process: 2, N: 63},
			{Kind: powerLost, Process: 3, N: 13},
			{Kind: lostRequest, N: 1},
		},
	},
	"a mark as far as what a killed process left unsynced": {
		Users: 6, Processes: 1, Workers: 16, Standby: 2, MaxAttempts: 2, Rate: 200, Quota: 10, Faults: []fault{
			{Kind: killedTorn, Process: 1, N: 29},
			{Kind: killedAfter, Process: 2, N: 117},
			{Kind: powerLost, Process: 3, N: 43},
		},
	},
	"a mark that is behind when nobody is left": {
		InS3: true, Users: 2, Processes: 4, Workers: 1, Standby: 1, MaxAttempts: 1, Rate: 2, Quota: 10, Faults: []fault{
			{Kind: killed, Process: 1, N: 105}, {Kind: recordCut, Process: 4, N: 2},
		},
	},
	"a roster whose first version comes after its second": {
		InS3: true, Users: 4, Processes: 1, Workers: 1, Standby: 1, MaxAttempts: 1, Rate: 10, Quota: 2, Looked: true, Faults: []fault{
			{Kind: s3CutAfter, N: 7}, {Kind: s3Broken, N: 8}, {Kind: s3SlowDown, N: 14}, {Kind: s3Late, N: 17},
		},
	},
	"a write of run.json that comes after the run was given up": {
		InS3: true, Users: 1, Processes: 1, Workers: 1, Standby: 1, MaxAttempts: 3, Rate: 50, Quota: 10, Faults: []fault{
			{Kind: s3SlowDown, N: 7}, {Kind: s3SlowDown, N: 15}, {Kind: s3Late, N: 16}, {Kind: s3SlowDown, N: 17}, {Kind: s3Conflict, N: 18},
			{Kind: s3Broken, N: 19}, {Kind: s3SlowDown, N: 21}, {Kind: s3CutBefore, N: 22}, {Kind: s3Conflict, N: 23}, {Kind: s3Broken, N: 25},
		},
	},
}

func TestWhatWasFoundStaysFixed(t *testing.T) {
	for _, name := range sorted(regressions) {
		if p := playIn(t, regressions[name]); p.failed() {
			t.Errorf("%s: %v", name, p)
		}
	}
}

// playAgain plays one seed and tells of it. What happens at one instant happens in an
// order that the scheduler has a say in, so a seed that goes well is played again.
func playAgain(t *testing.T, seed uint64) {
	for range 10 {
		p := playIn(t, newPlan(seed))
		if p.failed() {
			t.Error(shorten(t, p))
			return
		}
		if testing.Verbose() {
			t.Log(p)
		}
	}
}

// chunk is how many seeds a process of its own plays.
const chunk = 500

// share has processes play the seeds, each on a processor of its own.
func share(t *testing.T) {
	began := time.Now()
	chunks := make(chan int)
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for first := range chunks {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNobodyIsResetTwiceMissedOrMisreported$",
					fmt.Sprint("-seed=", *seed+uint64(first)), fmt.Sprint("-seeds=", min(chunk, *seeds-first)))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			}
		})
	}
	for first := 0; first < *seeds; first += chunk {
		chunks <- first
	}
	close(chunks)
	workers.Wait()
	t.Logf("%d seeds from %d in %v", *seeds, *seed, time.Since(began).Round(time.Second))
}

func given(name string) (ok bool) {
	flag.Visit(func(f *flag.Flag) { ok = ok || f.Name == name })
	return ok
}

// A played plan is what came of one.
type played struct {
	plan              plan
	violations, story []string
}

// playIn plays a plan on one processor and with chance of its own, so that it comes
// to the same each time.
func playIn(t *testing.T, p plan) (done played) {
	t.Helper()
	once.Do(func() {
		runtime.GOMAXPROCS(1)
		debug.SetGCPercent(400)
		for name, value := range map[string]string{
			"AWS_ACCESS_KEY_ID": "sim", "AWS_SECRET_ACCESS_KEY": "sim", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
			"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "", "AWS_CA_BUNDLE": "", "AWS_PROFILE": "",
		} {
			os.Setenv(name, value)
		}
	})
	cryptotest.SetGlobalRandom(t, p.Seed)
	done.plan = p
	input, err := writeInput(t.TempDir(), p.Users)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(*testing.T) { done.violations, done.story = play(p, input) })
	return done
}

var once sync.Once

func (p played) failed() bool { return len(p.violations) > 0 }

var particulars = regexp.MustCompile(`user-\d+|\d+`)

// sort is the first violation without its particulars.
func (p played) sort() string { return particulars.ReplaceAllString(p.violations[0], "N") }

// String tells the story.
func (p played) String() string {
	what := "nothing was violated"
	if p.failed() {
		what = p.violations[0]
	}
	return fmt.Sprintf("seed %d: %s\n%s\n%s\n", p.plan.Seed, what, p.plan, strings.Join(p.story, "\n"))
}

// shorten leaves out of a plan what its violation does not need.
func shorten(t *testing.T, p played) played {
	sort := p.sort()
	try := func(shorter plan) bool {
		q := playIn(t, shorter)
		if !q.failed() || q.sort() != sort {
			return false
		}
		p = q
		return true
	}
	for again := true; again; {
		again = false
		for size := max(1, len(p.plan.Faults)/2); size > 0; size /= 2 {
			for i := 0; i+size <= len(p.plan.Faults); {
				if try(p.plan.without(i, size)) {
					again = true
				} else {
					i += size
				}
			}
		}
		for _, simplify := range []func(*plan){
			func(p *plan) { p.Users /= 2 }, func(p *plan) { p.Users-- }, func(p *plan) { p.Processes-- },
			func(p *plan) { p.Latency = 0 }, func(p *plan) { p.Looked = false }, func(p *plan) { p.MovesDate = false },
			func(p *plan) { p.RetryUnknown = false }, func(p *plan) { p.InS3 = false }, func(p *plan) { p.Workers, p.Standby = 1, 1 },
		} {
			shorter := p.plan
			simplify(&shorter)
			if shorter.Users > 0 && shorter.Processes > 0 && fmt.Sprint(shorter) != fmt.Sprint(p.plan) && try(shorter) {
				again = true
			}
		}
	}
	return p
}
