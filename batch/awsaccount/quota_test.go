package awsaccount_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/awsaccount"
	"cognito-reset/batch/internal/pooltest"
	"cognito-reset/batch/sandbox"
)

// traffic is live traffic of UserAccountRecovery alone: usual calls a second,
// and peak for five minutes that began ago before now.
func traffic(now time.Time, usual, peak float64, ago time.Duration) func(sandbox.Category, time.Time) float64 {
	busy := now.Add(-ago).Truncate(5 * time.Minute)
	return func(c sandbox.Category, at time.Time) float64 {
		switch {
		case c != sandbox.UserAccountRecovery:
			return 100
		case at.Before(busy) || !at.Before(busy.Add(5*time.Minute)):
			return usual
		}
		return peak
	}
}

func TestTheQuotaAndTheBusiestFiveMinutesOfTheDayAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Minute) // past midnight, into five minutes under way
		for name, tc := range map[string]struct {
			ago  time.Duration
			want float64
		}{
			"today":     {13 * time.Hour, 6},
			"just now":  {10 * time.Minute, 6},
			"under way": {0, 0.5},
			"yesterday": {24*time.Hour + 10*time.Minute, 0.5},
		} {
			cfg := sandbox.Config{
				Quotas:      map[sandbox.Category]float64{sandbox.UserAccountRecovery: 42, sandbox.UserRead: 7},
				LiveTraffic: traffic(time.Now(), 0.5, 6, tc.ago),
			}
			got := of(t, inProcess(cfg)).Quota(t.Context(), awsaccount.Recovery)
			if got.Limit != 42 || got.LimitErr != nil || math.Abs(got.Peak-tc.want) > 1e-9 || got.PeakErr != nil {
				t.Errorf("%s: %+v, not 42 and %v", name, got, tc.want)
			}
		}
	})
}

func TestARunsOwnResetsAreInThePeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := pooltest.Open(t, inProcess(sandbox.Config{}))
		account := awsaccount.Of(pool)
		for range 600 {
			_, _ = pool.Do(t.Context(), batch.Entry{Username: "nobody"}) // a failed call counts
		}
		if got := account.Quota(t.Context(), awsaccount.Recovery); !errors.Is(got.PeakErr, awsaccount.ErrNoUsage) {
			t.Errorf("calls under way: %+v", got)
		}
		time.Sleep(5 * time.Minute)
		if got := account.Quota(t.Context(), awsaccount.Recovery); got.Peak != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnAccountWithoutAnAppliedQuotaHasTheDefault(t *testing.T) {
	account := of(t, inProcess(sandbox.Config{}))
	if got := account.Quota(t.Context(), awsaccount.Recovery); got.Limit != 30 || got.LimitErr != nil {
		t.Errorf("%+v", got)
	}
}

func TestEitherHalfOfTheQuotaMayBeMissing(t *testing.T) {
	live := func(sandbox.Category, time.Time) float64 { return 3 }
	for _, tc := range []struct {
		denied      string
		limit, peak float64
	}{
		{"servicequotas:GetServiceQuota", 0, 3},
		{"cloudwatch:*", 30, 0},
	} {
		cfg := sandbox.Config{Quotas: sandbox.DefaultQuotas(), LiveTraffic: live, Denied: []string{tc.denied}}
		got := of(t, inProcess(cfg)).Quota(t.Context(), awsaccount.Recovery)
		if got.Limit != tc.limit || math.Abs(got.Peak-tc.peak) > 1e-9 {
			t.Errorf("without %s: %+v", tc.denied, got)
		}
		err := errors.Join(got.LimitErr, got.PeakErr)
		answer, ok := errors.AsType[*batch.Error](err)
		if !ok || answer.Reason != batch.AccessDenied || !strings.Contains(err.Error(), "is not authorized to perform: "+strings.TrimSuffix(tc.denied, "*")) {
			t.Errorf("without %s: %v", tc.denied, err)
		}
	}
}

// Nobody who waits for a reset waits long for a figure beside it.
func TestASilentServiceIsAGapOfItsOwn(t *testing.T) {
	pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas()})
	silent := pooltest.Transport(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Target") != "" {
			return pool.RoundTrip(r)
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		got := of(t, silent).Quota(t.Context(), awsaccount.Recovery)
		if got.Limit != 30 || got.PeakErr == nil || got.PeakErr.Error() != "reading CloudWatch: no answer within 5s" {
			t.Errorf("%+v", got)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// Whether Cognito publishes with a Class or without, nobody could tell.
func TestTheMetricIsAskedForWithAClassAndWithout(t *testing.T) {
	var asked string
	account := of(t, pooltest.Transport(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Target") != "" {
			return pooltest.JSON(400, `{"__type":"AccessDeniedException"}`), nil
		}
		body, err := io.ReadAll(r.Body)
		asked = string(body)
		return pooltest.Response(200, "application/cbor", "\xa1\x71MetricDataResults\x82"+
			"\xa1\x66Values\x80"+
			"\xa1\x66Values\x82\x19\x02\x58\x19\x04\xb0"), err // 600 and 1200 calls
	}))
	if got := account.Quota(t.Context(), awsaccount.Recovery); got.Peak != 4 || got.PeakErr != nil {
		t.Errorf("%+v", got)
	}
	if strings.Count(asked, "UserAccountRecovery") != 2 || strings.Count(asked, "Class") != 1 {
		t.Errorf("asked %q", asked)
	}
}
