package observe

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/control"
)

// What is read of the runs at the moment of a scrape.
var (
	scraped = []struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
		read func(*watched, control.Live, batch.Counts) float64
	}{
		{gauge("users_planned", "Users that the session is to work on."), prometheus.GaugeValue,
			func(r *watched, _ control.Live, _ batch.Counts) float64 { return float64(r.Users) }},
		{gauge("in_flight", "Calls under way."), prometheus.GaugeValue,
			func(_ *watched, _ control.Live, c batch.Counts) float64 { return float64(c.InFlight) }},
		{gauge("throttled_total", "Calls that were throttled."), prometheus.CounterValue,
			func(_ *watched, _ control.Live, c batch.Counts) float64 { return float64(c.Throttled) }},
		{gauge("rate", "Calls a second that the pace lets go now."), prometheus.GaugeValue,
			func(_ *watched, l control.Live, _ batch.Counts) float64 { return unlimited(l.Rate) }},
		{gauge("rate_ceiling", "Calls a second at most."), prometheus.GaugeValue,
			func(_ *watched, l control.Live, _ batch.Counts) float64 { return unlimited(l.Ceiling) }},
		{gauge("waiting", "1 while the run waits on purpose: paused, between waves, or for the next day's messages."), prometheus.GaugeValue,
			func(_ *watched, l control.Live, _ batch.Counts) float64 {
				if l.Resting {
					return 1
				}
				return 0
			}},
		{gauge("eta_seconds", "How long the users who are left take, with the pauses between waves; +Inf if nothing tells."), prometheus.GaugeValue,
			func(_ *watched, l control.Live, _ batch.Counts) float64 {
				if l.DoneAt.IsZero() {
					return math.Inf(1)
				}
				return max(0, time.Until(l.DoneAt).Seconds())
			}},
		{gauge("last_progress_timestamp_seconds", "When a user was settled last, or the run waited on purpose."), prometheus.GaugeValue,
			func(r *watched, _ control.Live, _ batch.Counts) float64 { return float64(r.progress.Load()) / 1e9 }},
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
func (o *Observer) Describe(to chan<- *prometheus.Desc) {
	for _, s := range scraped {
		to <- s.desc
	}
}

// Collect implements [prometheus.Collector].
func (o *Observer) Collect(to chan<- prometheus.Metric) {
	for _, r := range o.working() {
		l, counts := r.Live(), r.Counts()
		for _, s := range scraped {
			to <- prometheus.MustNewConstMetric(s.desc, s.kind, s.read(r, l, counts), r.PoolID)
		}
	}
}
