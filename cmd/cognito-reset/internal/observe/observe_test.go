package observe

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/cmd/cognito-reset/internal/control"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/report"
)

// Health turns bad when nobody is settled for too long, good again when somebody
// is, and stays good while the run waits on purpose. A stall is told once.
func TestHealthIsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalls []report.Summary
		o := newObserver(Options{StallAfter: 10 * time.Minute}, func(event string, sum report.Summary, _ string) {
			if event == "stalled" {
				stalls = append(stalls, sum)
			}
		})
		ctl := control.New(control.NewPaces(spec.Spec{}), nil, nil)
		settled, end := o.Watch(Run{
			PoolID: "eu-west-1_AbCdEfGhI", Log: slog.New(slog.DiscardHandler), Live: ctl.Live, Counts: ctl.Tally.Counts,
			Stands: func(why string) report.Summary { return report.Summary{StoppedBecause: why} },
		})
		health := func(want int) string {
			t.Helper()
			w := httptest.NewRecorder()
			o.handler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
			if w.Code != want {
				t.Errorf("after %v: %d %s", time.Since(o.runs[0].began), w.Code, w.Body)
			}
			return w.Body.String()
		}
		health(http.StatusOK)
		time.Sleep(9 * time.Minute)
		settled(batch.Result{Outcome: batch.Reset})
		time.Sleep(9 * time.Minute)
		health(http.StatusOK)
		time.Sleep(2 * time.Minute)
		if text := health(http.StatusServiceUnavailable); !strings.Contains(text, "eu-west-1_AbCdEfGhI: no user was settled for 11m") {
			t.Errorf("it says %q", text)
		}
		time.Sleep(time.Hour)
		if len(stalls) != 1 || !strings.Contains(stalls[0].StoppedBecause, "no user was settled for 10m") {
			t.Errorf("one stall is told as %+v", stalls)
		}
		settled(batch.Result{Outcome: batch.Reset})
		health(http.StatusOK)
		ctl.Pause()
		time.Sleep(time.Hour)
		health(http.StatusOK)
		ctl.Resume()
		time.Sleep(9 * time.Minute)
		health(http.StatusOK)
		time.Sleep(2 * time.Minute)
		health(http.StatusServiceUnavailable)
		if len(stalls) != 2 {
			t.Errorf("%d stalls are told, not 2", len(stalls))
		}
		end()
		if text := o.ill(); text != "" {
			t.Errorf("a run that ended is ill: %s", text)
		}
	})
}

// A notification that hangs is over within the grace, counted from the signal if
// there was one.
func TestANotificationThatHangsEndsWithinTheGrace(t *testing.T) {
	const grace = 25 * time.Second
	for _, c := range []struct {
		name          string
		signal, begin time.Duration // -1: no signal
		end           time.Duration
	}{
		{"no signal", -1, 10 * time.Second, 35 * time.Second},
		{"after a signal", 0, 10 * time.Second, 25 * time.Second},
		{"a signal while it hangs", 12 * time.Second, 10 * time.Second, 35 * time.Second},
		{"calls took the whole grace", 0, 25 * time.Second, 26 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, signal := context.WithCancel(t.Context())
				defer signal()
				p, began := newPatience(ctx, time.Minute), time.Now()
				(&Observer{patience: p}).Allow(grace)
				if c.signal >= 0 {
					time.AfterFunc(c.signal, signal)
				}
				time.Sleep(c.begin)
				synctest.Wait()
				notification, cancel := p.within()
				defer cancel()
				<-notification.Done()
				if took := time.Since(began); took != c.end {
					t.Errorf("it ended after %v, not %v", took, c.end)
				}
			})
		})
	}
}

// However short the time is that somebody asks for, looking at the run is no fault.
func TestTheShortestStallIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newObserver(Options{StallAfter: 5}, func(string, report.Summary, string) {})
		ctl := control.New(control.NewPaces(spec.Spec{}), nil, nil)
		_, end := o.Watch(Run{
			Log: slog.New(slog.DiscardHandler), Live: ctl.Live, Counts: ctl.Tally.Counts,
			Stands: func(why string) report.Summary { return report.Summary{StoppedBecause: why} },
		})
		time.Sleep(time.Second)
		end()
	})
}
