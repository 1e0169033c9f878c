package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/urfave/cli/v2"

	"cognito-reset/batch"
	"cognito-reset/report"
)

func watchFlags() []cli.Flag {
	return []cli.Flag{
		stringFlag(groupOutput, "metrics-listen", "", "serve /metrics for Prometheus, and /healthz, at `ADDRESS`, such as 127.0.0.1:9090"),
		&cli.DurationFlag{Category: groupOutput, Name: "stall-after", Value: 10 * time.Minute, Usage: "/healthz turns bad when no user was settled for this `LONG`, unless the run waits on purpose", EnvVars: env("stall-after")},
		stringFlag(groupOutput, "notify-exec", "", "have the shell run `COMMAND` at the end, an early stop and a stall, with the summary as JSON on its standard input"),
	}
}

// An observer tells others how the runs of this process stand. A nil one tells nobody.
type observer struct {
	*command
	stallAfter time.Duration
	notify     func(event string, sum report.Summary)
	patience   *patience // of notify; nil in tests

	registry  *prometheus.Registry
	users     *prometheus.CounterVec
	answers   *prometheus.CounterVec
	durations *prometheus.HistogramVec

	mu   sync.Mutex
	runs []*watched
	told bool // how it ended
}

// A watched is a run that works now.
type watched struct {
	*observer
	session  *session
	ctl      *control
	began    time.Time
	progress atomic.Int64 // when a user was settled, or the run waited on purpose, in ns since 1970
	stalled  bool         // of the one goroutine that looks
}

// observe begins to tell what --metrics-listen and --notify-exec ask for.
func (c *command) observe(ctx *cli.Context) error {
	address, command := ctx.String("metrics-listen"), ctx.String("notify-exec")
	if address == "" && command == "" {
		return nil
	}
	patience := newPatience(ctx.Context, ctx.Duration("grace"))
	c.observer = newObserver(c, ctx.Duration("stall-after"), c.notifier(command, patience))
	c.observer.patience = patience
	if c.observer.stallAfter <= 0 {
		return usagef("--stall-after is a time, such as 10m")
	}
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return usagef("--metrics-listen: %w; nothing was sent", err)
	}
	say(c.stderr, "Metrics at http://%s/metrics, health at /healthz.", listener.Addr())
	server := &http.Server{Handler: c.observer.handler(), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener) // until the process ends: the last figures are worth a scrape, too
	return nil
}

func newObserver(c *command, stallAfter time.Duration, notify func(string, report.Summary)) *observer {
	const pool = "user_pool_id"
	o := &observer{
		command: c, stallAfter: stallAfter, notify: notify, registry: prometheus.NewRegistry(),
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
		Name: "cognito_reset_build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": version()},
	})
	build.Set(1)
	o.registry.MustRegister(o.users, o.answers, o.durations, build, o,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

func (o *observer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		ill := o.ill()
		if ill != "" {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(rw, cmp.Or(ill, "ok"))
	})
	return mux
}

// calls is a [userpool.Options.Observe] for a pool.
func (o *observer) calls(poolID string) func(operation string, answer *batch.Error, took time.Duration) {
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

// over watches over a session until the function that it returns is called.
func (o *observer) over(s *session, ctl *control) (end func()) {
	if o == nil {
		return func() {}
	}
	run := &watched{observer: o, session: s, ctl: ctl, began: time.Now()}
	run.progress.Store(run.began.UnixNano())
	ctl.watched = run
	o.mu.Lock()
	o.runs = append(o.runs, run)
	o.mu.Unlock()
	done := make(chan struct{})
	go run.guard(done)
	return func() {
		close(done)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.runs = slices.DeleteFunc(o.runs, func(r *watched) bool { return r == run })
	}
}

// settled counts a user.
func (r *watched) settled(result batch.Result) {
	if r == nil || result.Outcome == batch.NotAttempted {
		return
	}
	r.progress.Store(time.Now().UnixNano())
	r.users.WithLabelValues(r.session.request.UserPoolID, string(result.Outcome), string(result.Reason)).Inc()
}

// guard tells of a stall when it begins.
func (r *watched) guard(done <-chan struct{}) {
	look := time.NewTicker(min(r.stallAfter/10, 10*time.Second))
	defer look.Stop()
	for {
		select {
		case <-done:
			return
		case <-look.C:
		}
		still := r.still()
		if still > r.stallAfter && !r.stalled {
			r.session.log.Warn("no user was settled for too long", "since", still.Round(time.Second).String(), "waits_for", r.ctl.live().Why)
			r.notify("stalled", r.standing(still))
		}
		r.stalled = still > r.stallAfter
	}
}

// still is how long no user was settled, though the run did not wait on purpose.
func (r *watched) still() time.Duration {
	now := time.Now()
	if r.ctl.live().resting {
		r.progress.Store(now.UnixNano())
	}
	return now.Sub(time.Unix(0, r.progress.Load()))
}

// standing is how a run stands that has not ended, by its journal.
func (r *watched) standing(still time.Duration) report.Summary {
	s, sum := r.session, report.Summary{StartedAt: r.began}
	if history, err := replay(s.dir, s.request); err == nil {
		record := newRecord(s.dir, history, s.request, nil)
		if record.pour() == nil {
			sum = record.summary
		}
	}
	sum.FinishedAt, sum.RunDirectory = time.Now(), s.dir.String()
	sum.StoppedBecause = fmt.Sprintf("no user was settled for %v; it waits for %s", still.Round(time.Second), r.ctl.live().Why)
	return sum
}

// working are the runs that work now.
func (o *observer) working() []*watched {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.runs)
}

// ill says which runs have stalled; "" if none has.
func (o *observer) ill() (text string) {
	for _, r := range o.working() {
		if still := r.still(); still > o.stallAfter {
			text += fmt.Sprintf("%s: no user was settled for %v; it waits for %s\n", r.session.request.UserPoolID, still.Round(time.Second), r.ctl.live().Why)
		}
	}
	return text
}

// What is read of the runs at the moment of a scrape.
var (
	scraped = []struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
		read func(*watched, live, batch.Counts) float64
	}{
		{gauge("users_planned", "Users that the session is to work on."), prometheus.GaugeValue,
			func(r *watched, _ live, _ batch.Counts) float64 { return float64(r.session.left) }},
		{gauge("in_flight", "Calls under way."), prometheus.GaugeValue,
			func(_ *watched, _ live, c batch.Counts) float64 { return float64(c.InFlight) }},
		{gauge("throttled_total", "Calls that were throttled."), prometheus.CounterValue,
			func(_ *watched, _ live, c batch.Counts) float64 { return float64(c.Throttled) }},
		{gauge("rate", "Calls a second that the pace lets go now."), prometheus.GaugeValue,
			func(_ *watched, l live, _ batch.Counts) float64 { return unlimited(l.Rate) }},
		{gauge("rate_ceiling", "Calls a second at most."), prometheus.GaugeValue,
			func(_ *watched, l live, _ batch.Counts) float64 { return unlimited(l.Ceiling) }},
		{gauge("waiting", "1 while the run waits on purpose: paused, between waves, or for the next day's messages."), prometheus.GaugeValue,
			func(_ *watched, l live, _ batch.Counts) float64 {
				if l.resting {
					return 1
				}
				return 0
			}},
		{gauge("eta_seconds", "How long the users who are left take, as fast as those before."), prometheus.GaugeValue,
			func(r *watched, _ live, c batch.Counts) float64 {
				done := doneOf(c)
				return time.Since(r.began).Seconds() * float64(r.session.left-done) / float64(max(done, 1))
			}},
		{gauge("last_progress_timestamp_seconds", "When a user was settled last, or the run waited on purpose."), prometheus.GaugeValue,
			func(r *watched, _ live, _ batch.Counts) float64 { return float64(r.progress.Load()) / 1e9 }},
	}
)

// unlimited makes of the 0 of no limit what an alert on a low rate understands.
func unlimited(rate float64) float64 {
	if rate == 0 {
		return math.Inf(1)
	}
	return rate
}

func gauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("cognito_reset_"+name, help, []string{"user_pool_id"}, nil)
}

// Describe implements [prometheus.Collector].
func (o *observer) Describe(to chan<- *prometheus.Desc) {
	for _, s := range scraped {
		to <- s.desc
	}
}

// Collect implements [prometheus.Collector].
func (o *observer) Collect(to chan<- prometheus.Metric) {
	for _, r := range o.working() {
		l, counts := r.ctl.live(), r.ctl.tally.Counts()
		for _, s := range scraped {
			to <- prometheus.MustNewConstMetric(s.desc, s.kind, s.read(r, l, counts), r.session.request.UserPoolID)
		}
	}
}

// ended tells how a job ended.
func (o *observer) ended(sum report.Summary) {
	if o == nil {
		return
	}
	o.told = true
	event := "done"
	if sum.ExitCode != exitDone && sum.ExitCode != exitSomeFailed {
		event = "stopped"
	}
	o.notify(event, sum)
}

// tell sees to it that an end before there was a summary is told, too.
func (c *command) tell(code int, err error) int {
	if c.observer != nil && !c.observer.told {
		now, because := time.Now(), ""
		if err != nil {
			because = err.Error()
		}
		c.observer.ended(report.Summary{StartedAt: now, FinishedAt: now, ExitCode: code, StoppedBecause: because})
	}
	return code
}

// notifyLeast is what --notify-exec has at least, if calls took the whole grace.
const notifyLeast = time.Second

// A patience is how long --notify-exec may take: as long as --grace allows and, once
// a signal came, no longer than that after it, for whoever sent it kills the
// process soon.
type patience struct {
	grace    atomic.Int64  // ns
	signal   chan struct{} // closed by a signal
	signaled time.Time     // when it was; not to be read before
}

// newPatience waits as long as grace, and counts it from when ctx ends.
func newPatience(ctx context.Context, grace time.Duration) *patience {
	p := &patience{signal: make(chan struct{})}
	p.grace.Store(int64(grace))
	context.AfterFunc(ctx, func() {
		p.signaled = time.Now()
		close(p.signal)
	})
	return p
}

// allow says what the grace of a session is that begins.
func (o *observer) allow(grace time.Duration) {
	if o != nil && o.patience != nil {
		o.patience.grace.Store(int64(grace))
	}
}

// within is a context for a notification that begins now.
func (p *patience) within() (context.Context, context.CancelFunc) {
	grace := time.Duration(p.grace.Load())
	ctx, cancel := context.WithTimeout(context.Background(), max(grace, notifyLeast))
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-p.signal:
		}
		select {
		case <-ctx.Done():
		case <-time.After(max(grace-time.Since(p.signaled), notifyLeast)):
			cancel()
		}
	}()
	return ctx, cancel
}

// notifier is what runs the command of --notify-exec. That it fails changes nothing.
func (c *command) notifier(command string, patience *patience) func(event string, sum report.Summary) {
	if command == "" {
		return func(string, report.Summary) {}
	}
	return func(event string, sum report.Summary) {
		began := time.Now()
		ctx, cancel := patience.within()
		defer cancel()
		if sum.Outcomes == nil {
			sum.Close() // so that nothing is null
		}
		text, err := json.Marshal(sum)
		if err == nil {
			cmd := shell(ctx, command)
			cmd.Env = append(os.Environ(), "COGNITO_RESET_EVENT="+event, "COGNITO_RESET_RUN_DIRECTORY="+sum.RunDirectory)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), c.stderr, c.stderr
			cmd.WaitDelay = notifyLeast
			err = cmd.Run()
			if ctx.Err() != nil {
				err = fmt.Errorf("it was ended after %v, for --grace allows no more", time.Since(began).Round(time.Second))
			}
		}
		if err != nil {
			say(c.stderr, "cognito-reset: --notify-exec, %s: %v", event, err)
		}
	}
}
