package sim

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
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
	setenv(t)
	n := *seeds
	if given("seed") && !given("seeds") {
		n = 1
	}
	began, told := time.Now(), map[string]int{}
	for i := range uint64(n) {
		p := newPlan(*seed + i)
		violations, story := playIn(t, p)
		if len(violations) == 0 {
			if n == 1 {
				t.Log(tellStory(p, violations, story))
			}
			continue
		}
		t.Errorf("seed %d: %s", p.Seed, violations[0])
		if sort := sortOf(violations[0]); told[sort] == 0 {
			p, violations, story = shorten(t, p, violations, story)
			t.Error(tellStory(p, violations, story))
		}
		told[sortOf(violations[0])]++
	}
	if t.Failed() || n > 1 {
		t.Logf("%d seeds from %d in %v", n, *seed, time.Since(began).Round(time.Millisecond))
	}
	for _, sort := range sorted(told) {
		t.Logf("%d times: %s", told[sort], sort)
	}
}

func given(name string) (ok bool) {
	flag.Visit(func(f *flag.Flag) { ok = ok || f.Name == name })
	return ok
}

func playIn(t *testing.T, p plan) (violations, story []string) {
	synctest.Test(t, func(*testing.T) { violations, story = play(p) })
	return violations, story
}

var particulars = regexp.MustCompile(`user-\d+|\d+`)

// sortOf is a violation without its particulars.
func sortOf(violation string) string { return particulars.ReplaceAllString(violation, "N") }

// shorten leaves out of a plan what its violation does not need.
func shorten(t *testing.T, p plan, violations, story []string) (plan, []string, []string) {
	sort := sortOf(violations[0])
	try := func(shorter plan) bool {
		v, s := playIn(t, shorter)
		if len(v) == 0 || sortOf(v[0]) != sort {
			return false
		}
		p, violations, story = shorter, v, s
		return true
	}
	for again := true; again; {
		again = false
		for size := max(1, len(p.Faults)/2); ; size /= 2 {
			for i := 0; i+size <= len(p.Faults); {
				if try(p.without(i, size)) {
					again = true
				} else {
					i += size
				}
			}
			if size <= 1 {
				break
			}
		}
		for _, simpler := range []func(*plan){
			func(p *plan) { p.Users-- }, func(p *plan) { p.Users /= 2 }, func(p *plan) { p.Processes-- },
			func(p *plan) { p.Latency = 0 }, func(p *plan) { p.Looked = false }, func(p *plan) { p.MovesDate = false },
			func(p *plan) { p.RetryUnknown = false }, func(p *plan) { p.InS3 = false }, func(p *plan) { p.Workers, p.Standby = 1, 1 },
		} {
			shorter := p
			if simpler(&shorter); shorter.Users > 0 && shorter.Processes > 0 && fmt.Sprint(shorter) != fmt.Sprint(p) && try(shorter) {
				again = true
			}
		}
	}
	return p, violations, story
}

// tellStory tells a plan and what came of it.
func tellStory(p plan, violations, story []string) string {
	what := "nothing was violated"
	if len(violations) > 0 {
		what = violations[0]
	}
	return fmt.Sprintf("seed %d: %s\n%s\n%s\n", p.Seed, what, p, strings.Join(story, "\n"))
}

func setenv(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "sim", "AWS_SECRET_ACCESS_KEY": "sim", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "", "AWS_CA_BUNDLE": "", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
}
