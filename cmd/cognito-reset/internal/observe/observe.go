// Package observe tells others how runs stand: metrics for Prometheus, a health
// check, and a command that is run when something happened.
package observe

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// Options are what is asked for.
type Options struct {
	term.Streams
	Version    string        // of the tool
	Listen     string        // address of the page, metrics and health; "" is none
	StallAfter time.Duration // how long no user may be settled
	Exec       string        // the command that is run; "" is none
	Every      time.Duration // how often it is told of progress; 0 is never
	Grace      time.Duration // how long that may take after a signal
}

// An Observer tells others how the runs of this process stand. A nil one tells nobody.
type Observer struct {
	term.Streams
	stallAfter time.Duration
	every      time.Duration // 0 is never
	notify     func(event string, sum report.Summary, ahead string)
	patience   *patience // of notify; nil in tests
	board      *board    // the page; nil where nobody can look

	registry  *prometheus.Registry
	users     *prometheus.CounterVec
	answers   *prometheus.CounterVec
	durations *prometheus.HistogramVec

	mu   sync.Mutex
	runs []*watched
	told bool // how it ended

	about report.Summary // what was asked for, before anything is known of it
}

// A Run is what an observer must know of a run that works.
type Run struct {
	PoolID string
	Users  int64 // that the session is to work on
	Log    *slog.Logger
	Live   func() control.Live
	Counts func() batch.Counts
	Stands func(why string) report.Summary // how it stands before it has ended

	// Page and SoFar are what is known of the rows that the session does not work on,
	// where the observer [Observer.Shows] runs.
	Page  *report.Page
	SoFar report.Summary
}

// watched is a run that works now.
type watched struct {
	*Observer
	Run
	began    time.Time
	progress atomic.Int64 // when a user was settled, or the run waited on purpose, in ns since 1970
	stalled  bool         // of the one goroutine that looks
}

// New begins to tell what is asked for; nil if that is nothing. ctx ends with a
// signal.
func New(ctx context.Context, o Options) (*Observer, error) {
	if o.Listen == "" && o.Exec == "" {
		return nil, nil
	}
	patience := newPatience(ctx, o.Grace)
	ob := newObserver(o, notifier(o.Streams, o.Exec, patience))
	ob.patience = patience
	if o.StallAfter <= 0 {
		return ob, exit.Usagef("--stall-after is a time, such as 10m")
	}
	if o.Every < 0 || o.Every > 0 && o.Exec == "" {
		return ob, exit.Usagef("--notify-every is a time, such as 15m, and goes with --notify-exec")
	}
	if o.Listen == "" {
		return ob, nil
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return ob, exit.Refusef("--listen: %w", err)
	}
	term.Linef(o.Err, "The run shows at http://%s/, its metrics at /metrics, its health at /healthz.", listener.Addr())
	ob.board = newBoard()
	go ob.board.keepDrawing()
	server := &http.Server{Handler: ob.handler(), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener) // until the process ends: the last figures are worth a scrape, too
	return ob, nil
}

func newObserver(options Options, notify func(event string, sum report.Summary, ahead string)) *Observer {
	const pool = "user_pool_id"
	o := &Observer{
		Streams: options.Streams, stallAfter: options.StallAfter, every: options.Every, notify: notify, registry: prometheus.NewRegistry(),
		users: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cognito_reset_users_total", Help: "Users settled by this process.",
		}, []string{pool, "outcome", "reason"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cognito_reset_calls_total", Help: "Calls to Cognito by how they were answered: ok, or a reason.",
		}, []string{pool, "operation", "answer"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cognito_reset_call_duration_seconds", Help: "How long Cognito took to answer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30}, // a trigger of the pool may take 15 s
		}, []string{pool, "operation"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "cognito_reset_build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": options.Version},
	})
	build.Set(1)
	o.registry.MustRegister(o.users, o.answers, o.durations, build, o,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

func (o *Observer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		ill := o.ill()
		if ill != "" {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(rw, cmp.Or(ill, "ok"))
	})
	if o.board != nil {
		mux.HandleFunc("GET /{$}", o.board.servePage)
		mux.HandleFunc("GET /events", o.board.serveEvents)
	}
	return mux
}

// Calls is a [userpool.Options.Observe] for a pool.
func (o *Observer) Calls(poolID string) func(operation string, answer *batch.Error, took time.Duration) {
	if o == nil {
		return nil
	}
	return func(operation string, answer *batch.Error, took time.Duration) {
		how := "ok"
		if answer != nil {
			how = string(answer.Reason)
		}
		o.answers.WithLabelValues(poolID, operation, how).Inc()
		o.durations.WithLabelValues(poolID, operation).Observe(took.Seconds())
	}
}

// Shows reports whether runs are shown on a page.
func (o *Observer) Shows() bool { return o != nil && o.board != nil }

// Watch watches over a run until end is called. settled is to be told of each user.
func (o *Observer) Watch(r Run) (settled func(batch.Result), end func()) {
	if o == nil {
		return func(batch.Result) {}, func() {}
	}
	w := &watched{Observer: o, Run: r, began: time.Now()}
	w.progress.Store(w.began.UnixNano())
	o.mu.Lock()
	o.runs = append(o.runs, w)
	o.mu.Unlock()
	done := make(chan struct{})
	var guarding sync.WaitGroup
	guarding.Go(func() { w.guard(done) })
	settled, off := w.settled, func() {}
	if o.board != nil {
		run := o.board.add(r)
		settled, off = func(r batch.Result) { w.settled(r); run.settled(r) }, run.end
	}
	return settled, func() {
		off()
		close(done)
		guarding.Wait() // whoever is being told is told
		o.mu.Lock()
		defer o.mu.Unlock()
		o.runs = slices.DeleteFunc(o.runs, func(r *watched) bool { return r == w })
	}
}

// settled counts a user.
func (r *watched) settled(result batch.Result) {
	if result.Outcome == batch.NotAttempted {
		return
	}
	r.progress.Store(time.Now().UnixNano())
	r.users.WithLabelValues(r.PoolID, string(result.Outcome), string(result.Reason)).Inc()
}

// guard tells that the run has begun, how it goes on, and of a stall when it begins.
func (r *watched) guard(done <-chan struct{}) {
	r.tell("began", "")
	var progress <-chan time.Time // never
	if r.every > 0 {
		every := time.NewTicker(r.every)
		defer every.Stop()
		progress = every.C
	}
	look := time.NewTicker(max(min(r.stallAfter/10, 10*time.Second), time.Millisecond))
	defer look.Stop()
	for {
		select {
		case <-done:
			return
		case <-progress:
			r.tell("progress", "")
			continue
		case <-look.C:
		}
		still := r.still()
		if still > r.stallAfter && !r.stalled {
			r.Log.Warn("no user was settled for too long", "event", "stalled", "since", still.Round(time.Second).String(), "waits_for", r.Live().Why)
			r.tell("stalled", r.why(still))
		}
		r.stalled = still > r.stallAfter
	}
}

// tell tells of an event, and how the run stands.
func (r *watched) tell(event, why string) {
	sum := r.Stands(why)
	if sum.StartedAt.IsZero() {
		sum.StartedAt = r.began
	}
	r.notify(event, sum, r.Live().Ahead())
}

// still is how long no user was settled, though the run did not wait on purpose.
func (r *watched) still() time.Duration {
	now := time.Now()
	if r.Live().Resting {
		r.progress.Store(now.UnixNano())
	}
	return now.Sub(time.Unix(0, r.progress.Load()))
}

// why says that no user was settled for so long.
func (r *watched) why(still time.Duration) string {
	return fmt.Sprintf("no user was settled for %v; it waits for %s", still.Round(time.Second), r.Live().Why)
}

// working are the runs that work now.
func (o *Observer) working() []*watched {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.runs)
}

// ill says which runs have stalled; "" if none has.
func (o *Observer) ill() (text string) {
	for _, r := range o.working() {
		if still := r.still(); still > o.stallAfter {
			text += fmt.Sprintf("%s: %s\n", r.PoolID, r.why(still))
		}
	}
	return text
}

// Ended tells how a job ended.
func (o *Observer) Ended(sum report.Summary) {
	if o == nil {
		return
	}
	o.told = true
	event := "done"
	if sum.ExitCode != exit.Done && sum.ExitCode != exit.SomeFailed {
		event = "stopped"
	}
	if o.board != nil {
		o.board.end(sum)
	}
	o.notify(event, sum, "")
}

// About takes in what is asked for, for an end before there is a summary.
func (o *Observer) About(sum report.Summary) {
	if o != nil {
		o.about = sum
	}
}

// EndedEarly tells of an end before there was a summary.
func (o *Observer) EndedEarly(code int, err error) {
	if o == nil || o.told {
		return
	}
	sum := o.about
	sum.StartedAt = time.Now()
	sum.FinishedAt, sum.ExitCode, sum.StoppedBecause = sum.StartedAt, code, exit.Text(err)
	o.Ended(sum)
}
