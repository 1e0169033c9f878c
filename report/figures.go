package report

import (
	"slices"
	"time"

	"cognito-reset/batch"
)

// A Wave is when a group of users began to go.
type Wave struct {
	Name  string // such as canary, or wave 2
	Began time.Time
}

// A Rest is a stretch of time in which a run did not work.
type Rest struct {
	Name     string // why, in a word or two: paused, stopped
	From, To time.Time
}

// figures are the sums of results that a page draws.
type figures struct {
	pace    series
	latency [len(latencies) + 1]int64
	resets  [len(attemptCounts) + 1]int64 // users by the calls that their reset took
	others  [len(attemptCounts) + 1]int64 // and by those of their other steps
	waves   []waveSum
}

// A waveSum is what became of a wave.
type waveSum struct {
	Wave
	Users, Done int64
	Over        time.Time // when its last answer came; zero if there is none
}

var (
	latencies     = [...]time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
	attemptCounts = [...]int{1, 2, 3, 5, 10}
)

// place is where among rising upper bounds a value falls.
func place[T int | time.Duration](bounds []T, value T) int {
	at, _ := slices.BinarySearch(bounds, value)
	return at
}

// add takes in one result.
func (f *figures) add(r batch.Result) {
	if r.Attempts == 0 || r.FinishedAt.IsZero() {
		return
	}
	f.pace.add(r.FinishedAt, 1, float64(r.Throttled))
	steps := r.Steps
	if steps == nil {
		steps = []batch.StepResult{{Step: "reset", Attempts: r.Attempts, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt}}
	}
	others := 0
	for _, s := range steps {
		if s.Attempts == 1 { // of several, the time is mostly the wait between them
			f.latency[place(latencies[:], s.FinishedAt.Sub(s.StartedAt))]++
		}
		if s.Step != "reset" {
			others += s.Attempts
		} else if s.Attempts > 0 {
			f.resets[place(attemptCounts[:], s.Attempts)]++
		}
	}
	if others > 0 {
		f.others[place(attemptCounts[:], others)]++
	}
	f.intoWave(r)
}

// intoWave counts a result in the wave that had begun last when it was first called.
func (f *figures) intoWave(r batch.Result) {
	at, found := slices.BinarySearchFunc(f.waves, r.StartedAt, func(w waveSum, t time.Time) int { return w.Began.Compare(t) })
	if !found {
		at--
	}
	if at < 0 {
		return
	}
	w := &f.waves[at]
	if w.Users++; r.Outcome.Done() {
		w.Done++
	}
	if r.FinishedAt.After(w.Over) {
		w.Over = r.FinishedAt
	}
}

// A series counts over time, in as many steps as a chart has room for.
type series struct {
	width int64 // seconds
	steps map[int64]*[2]float64
	first int64
	last  int64
}

const mostSteps = 160

func (s *series) add(at time.Time, counts ...float64) {
	if s.steps == nil {
		s.steps = make(map[int64]*[2]float64)
		s.first, s.last = at.Unix()/s.width, at.Unix()/s.width
	}
	step := at.Unix() / s.width
	s.first, s.last = min(s.first, step), max(s.last, step)
	s.at(step, counts)
	for s.last-s.first >= mostSteps {
		old := s.steps
		s.steps, s.width = make(map[int64]*[2]float64), 2*s.width
		s.first, s.last = s.first/2, s.last/2
		for step, counts := range old {
			s.at(step/2, counts[:])
		}
	}
}

func (s *series) at(step int64, counts []float64) {
	sums := s.steps[step]
	if sums == nil {
		sums = new([2]float64)
		s.steps[step] = sums
	}
	for i, n := range counts {
		sums[i] += n
	}
}

// perSecond are the counts a second, and when each step began.
func (s *series) perSecond() (users, throttles []float64, times []time.Time) {
	for step := s.first; s.steps != nil && step <= s.last; step++ {
		var sums [2]float64
		if found := s.steps[step]; found != nil {
			sums = *found
		}
		users = append(users, sums[0]/float64(s.width))
		throttles = append(throttles, sums[1]/float64(s.width))
		times = append(times, time.Unix(step*s.width, 0).UTC())
	}
	return users, throttles, times
}
