package sandbox_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"cognito-reset/batch/sandbox"
)

// sign makes a request out to another service than Cognito.
func sign(r *http.Request, service string) *http.Request {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "cognito-idp", service, 1))
	return r
}

// quota calls an operation of Service Quotas.
func (c *client) quota(op, body string) answer {
	c.t.Helper()
	r := sign(request(c.t, "http://sandbox/", "", body), "servicequotas")
	r.Header.Set("X-Amz-Target", "ServiceQuotasV20190624."+op)
	a, err := c.try(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestServiceQuotasTellsWhatThePoolEnforces(t *testing.T) {
	quotas := sandbox.DefaultQuotas()
	quotas[sandbox.UserRead] = 240
	delete(quotas, sandbox.UserList)
	pool := sandbox.New(sandbox.Config{Quotas: quotas})
	c := connect(t, pool)

	for _, tc := range []struct {
		op, code, want string // a value, or a refusal
	}{
		{"GetServiceQuota", "L-7D6E8ED3", "Rate of UserAccountRecovery requests 30"},
		{"GetServiceQuota", "L-6621E65D", "Rate of UserUpdate requests 25"},
		{"GetServiceQuota", "L-D6BD5178", "Rate of UserRead requests 240"},
		{"GetAWSDefaultServiceQuota", "L-D6BD5178", "Rate of UserRead requests 120"},
		{"GetServiceQuota", "L-259E3368", "NoSuchResourceException"},
		{"GetAWSDefaultServiceQuota", "L-259E3368", "Rate of UserList requests 30"},
		{"GetServiceQuota", "L-00000000", "NoSuchResourceException"},
		{"MakeTea", "L-7D6E8ED3", "UnknownOperationException"},
	} {
		a := c.quota(tc.op, `{"ServiceCode":"cognito-idp","QuotaCode":"`+tc.code+`"}`)
		got := a.code
		if got == "" {
			q := a.body["Quota"].(map[string]any)
			value, _ := json.Marshal(q["Value"])
			got = q["QuotaName"].(string) + " " + string(value)
		}
		if got != tc.want {
			t.Errorf("%s %s: %s, not %s", tc.op, tc.code, got, tc.want)
		}
	}
	if a := c.quota("GetServiceQuota", `{"ServiceCode":"s3","QuotaCode":"L-7D6E8ED3"}`); a.code != "NoSuchResourceException" {
		t.Error("another service:", a.says())
	}
	if a := c.quota("GetServiceQuota", `{`); a.code != "SerializationException" {
		t.Error("no JSON:", a.says())
	}
	if all := c.quota("ListServiceQuotas", `{"ServiceCode":"cognito-idp"}`).body["Quotas"].([]any); len(all) != 3 {
		t.Errorf("listed %d quotas: %v", len(all), all)
	}
	if n := pool.Stats().Calls["GetServiceQuota"][sandbox.OK]; n != 3 {
		t.Errorf("%d calls counted", n)
	}
}

// A figure is one value that CloudWatch tells.
type figure struct {
	at    time.Time
	value float64
}

// metric asks CloudWatch for the sums of a category's usage.
func (c *client) metric(name, category string, from, to time.Time, period int, change func(in)) ([]figure, string) {
	c.t.Helper()
	ask := in{
		"StartTime": cbor.Tag{Number: 1, Content: float64(from.Unix())}, "EndTime": cbor.Tag{Number: 1, Content: float64(to.Unix())},
		"ScanBy": "TimestampAscending",
		"MetricDataQueries": []in{{"Id": "q", "MetricStat": in{
			"Stat": "Sum", "Period": period,
			"Metric": in{"Namespace": "AWS/Usage", "MetricName": name, "Dimensions": []in{
				{"Name": "Type", "Value": "API"}, {"Name": "Service", "Value": "Cognito user pool"},
				{"Name": "Class", "Value": "None"}, {"Name": "Resource", "Value": category},
			}},
		}}},
	}
	if change != nil {
		change(ask)
	}
	body, err := cbor.Marshal(ask)
	if err != nil {
		c.t.Fatal(err)
	}
	r := sign(request(c.t, "http://sandbox/service/GraniteServiceVersion20100801/operation/GetMetricData", "", string(body)), "monitoring")
	r.Header.Del("X-Amz-Target")
	r.Header.Set("Content-Type", "application/cbor")
	r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Smithy-Protocol"); got != "rpc-v2-cbor" {
		c.t.Errorf("answered in %q", got)
	}
	var reply struct {
		Type              string `cbor:"__type"`
		MetricDataResults []struct {
			ID         string `cbor:"Id"`
			Timestamps []time.Time
			Values     []float64
		}
	}
	if err := cbor.NewDecoder(res.Body).Decode(&reply); err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, reply.Type
	}
	result := reply.MetricDataResults[0]
	figures := make([]figure, len(result.Values))
	for i := range figures {
		figures[i] = figure{result.Timestamps[i].UTC(), result.Values[i]}
	}
	return figures, ""
}

func TestCloudWatchCountsCallsByTheMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := sandbox.New(sandbox.Config{Quotas: sandbox.DefaultQuotas()})
		c := connect(t, pool)
		began := time.Now().UTC().Round(0) // midnight
		for range 35 {                     // five of them too many
			c.reset("nobody")
		}
		time.Sleep(2 * time.Minute)
		c.reset("nobody")
		now := time.Now()

		expect := func(name string, period int, want ...figure) {
			t.Helper()
			got, refusal := c.metric(name, "UserAccountRecovery", began.Add(-time.Hour), now.Add(time.Minute), period, nil)
			if refusal != "" || len(got) != len(want) {
				t.Fatalf("%s every %d s: %v %s, not %v", name, period, got, refusal, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%s every %d s: %v, not %v", name, period, got, want)
				}
			}
		}
		expect("CallCount", 60, figure{began, 35}, figure{began.Add(2 * time.Minute), 1})
		expect("CallCount", 300, figure{began, 36})
		expect("ThrottleCount", 300, figure{began, 5})
		if got, _ := c.metric("CallCount", "UserRead", began, now, 60, nil); len(got) != 0 {
			t.Errorf("calls of a category that nobody called: %v", got)
		}

		for _, part := range []struct {
			from, to time.Duration
			want     float64
		}{{0, 2 * time.Minute, 35}, {time.Minute, time.Hour, 1}} {
			got, _ := c.metric("CallCount", "UserAccountRecovery", began.Add(part.from), began.Add(part.to), 300, nil)
			if len(got) != 1 || got[0] != (figure{began, part.want}) {
				t.Errorf("from %v to %v: %v", part.from, part.to, got)
			}
		}

		time.Sleep(26 * time.Hour) // round the clock, and over the same minutes
		now = time.Now().UTC().Round(0)
		c.reset("nobody")
		if got, _ := c.metric("CallCount", "UserAccountRecovery", began, now.Add(time.Minute), 60, nil); len(got) != 1 || got[0] != (figure{now, 1}) {
			t.Errorf("a day later: %v", got)
		}
	})
}

func TestCloudWatchCountsLiveUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC().Round(0) // midnight
		noon := now.Add(-12 * time.Hour)
		pool := sandbox.New(sandbox.Config{LiveTraffic: func(c sandbox.Category, at time.Time) float64 {
			if c == sandbox.UserAccountRecovery && at.Equal(noon) {
				return 6
			}
			return 0.5
		}})
		c := connect(t, pool)
		got, _ := c.metric("CallCount", "UserAccountRecovery", now.Add(-24*time.Hour), now, 60, nil)
		if len(got) != 24*60 || got[0] != (figure{now.Add(-24 * time.Hour), 30}) || got[12*60] != (figure{noon, 360}) {
			t.Errorf("%d figures, %v", len(got), got[:min(len(got), 3)])
		}
		newestFirst := func(ask in) { delete(ask, "ScanBy") }
		if got, _ := c.metric("CallCount", "UserAccountRecovery", noon, now, 3600, newestFirst); len(got) != 12 ||
			got[11] != (figure{noon, 360 + 59*30}) {
			t.Errorf("newest first, by the hour: %v", got)
		}
		if got, _ := c.metric("CallCount", "UserAccountRecovery", now.AddDate(0, 0, -60), now, 3600, nil); len(got) != 25 {
			t.Errorf("%d hours are kept", len(got))
		}
		if got, _ := c.metric("ThrottleCount", "UserAccountRecovery", noon, now, 3600, nil); len(got) != 0 {
			t.Errorf("live users were throttled: %v", got)
		}
	})
}

func TestCloudWatchRefusesWhatItCannotTell(t *testing.T) {
	pool := sandbox.New(sandbox.Config{})
	c := connect(t, pool)
	now := time.Now()
	stat := func(ask in) in { return ask["MetricDataQueries"].([]in)[0]["MetricStat"].(in) }
	for name, change := range map[string]func(in){
		"no query":     func(ask in) { ask["MetricDataQueries"] = []in{} },
		"backwards":    func(ask in) { ask["StartTime"] = ask["EndTime"] },
		"another stat": func(ask in) { stat(ask)["Stat"] = "Average" },
		"half minutes": func(ask in) { stat(ask)["Period"] = 30 },
	} {
		if _, refusal := c.metric("CallCount", "UserRead", now.Add(-time.Hour), now, 60, change); refusal != "com.amazonaws.cloudwatch#ValidationError" {
			t.Errorf("%s: %s", name, refusal)
		}
	}
	noClass := func(ask in) {
		metric := stat(ask)["Metric"].(in)
		metric["Dimensions"] = metric["Dimensions"].([]in)[:2]
	}
	c.reset("nobody")
	if got, refusal := c.metric("CallCount", "UserAccountRecovery", now.Add(-time.Hour), now.Add(time.Hour), 60, noClass); refusal != "" || len(got) != 0 {
		t.Errorf("dimensions that name no metric: %v %s", got, refusal)
	}
}

func TestSESTellsTheAccount(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  sandbox.Config
		want string
	}{
		"production": {sandbox.Config{}, `true true 50000 14 2`},
		"sandbox":    {sandbox.Config{SES: sandbox.SES{Sandbox: true, Paused: true, Sent: 7}}, `false false 200 1 9`},
		"configured": {sandbox.Config{SES: sandbox.SES{DailyQuota: -1, Rate: 90}}, `true true -1 90 2`},
		"own sender": {sandbox.Config{DailyMessages: 50, SES: sandbox.SES{Sent: 7}}, `true true 50000 14 7`},
	} {
		synctest.Test(t, func(t *testing.T) {
			pool := sandbox.New(tc.cfg)
			pool.Add(sandbox.NewUser("ann"), sandbox.NewUser("bob"), user("cat", func(u *sandbox.User) {
				u.EmailVerified, u.Phone, u.PhoneVerified = false, "+15550100", true
			}))
			c := connect(t, pool)
			c.must("AdminResetUserPassword", in{"Username": "ann"})
			time.Sleep(25 * time.Hour)
			for _, name := range []string{"ann", "bob", "cat"} {
				c.must("AdminResetUserPassword", in{"Username": name})
			}
			if got := c.account(); got != tc.want {
				t.Errorf("%s: %s, not %s", name, got, tc.want)
			}
		})
	}
}

// account is what SES says: production access, sending, a day, a second, sent.
// It is the refusal if there is one.
func (c *client) account() string {
	c.t.Helper()
	r := sign(request(c.t, "http://sandbox/v2/email/account", "", ""), "ses")
	r.Method = http.MethodGet
	r.Header.Del("X-Amz-Target")
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var a struct {
		ProductionAccessEnabled, SendingEnabled json.RawMessage
		SendQuota                               struct{ Max24HourSend, MaxSendRate, SentLast24Hours json.RawMessage }
	}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		return res.Header.Get("x-amzn-ErrorType")
	}
	return string(bytes.Join([][]byte{a.ProductionAccessEnabled, a.SendingEnabled,
		a.SendQuota.Max24HourSend, a.SendQuota.MaxSendRate, a.SendQuota.SentLast24Hours}, []byte(" ")))
}

func TestWhatIsDeniedIsRefused(t *testing.T) {
	pool := sandbox.New(sandbox.Config{
		Quotas: sandbox.DefaultQuotas(),
		Denied: []string{"servicequotas:GetServiceQuota", "cloudwatch:*", "ses:GetAccount", "cognito-idp:AdminGetUser"},
	})
	pool.Add(sandbox.NewUser("ann"))
	c := connect(t, pool)
	const quota = `{"ServiceCode":"cognito-idp","QuotaCode":"L-7D6E8ED3"}`
	got := c.quota("GetServiceQuota", quota)
	const want = "AccessDeniedException: User: arn:aws:iam::123456789012:user/sandbox is not authorized to perform: servicequotas:GetServiceQuota " +
		"because no identity-based policy allows the servicequotas:GetServiceQuota action"
	if got.says() != want {
		t.Error(got.says())
	}
	if got := c.quota("GetAWSDefaultServiceQuota", quota); got.code != "" {
		t.Error("another action:", got.says())
	}
	if _, refusal := c.metric("CallCount", "UserRead", time.Now().Add(-time.Hour), time.Now(), 60, nil); refusal != "com.amazonaws.cloudwatch#AccessDeniedException" {
		t.Error("CloudWatch:", refusal)
	}
	if got := c.account(); got != "AccessDeniedException" {
		t.Error("SES:", got)
	}
	if got := c.call("AdminGetUser", in{"Username": "ann"}); got.code != "AccessDeniedException" {
		t.Error("Cognito:", got.says())
	}
	c.must("AdminResetUserPassword", in{"Username": "ann"})
}

func TestWhatIsNotAllowedIsRefused(t *testing.T) {
	for _, allowed := range [][]string{nil, {}, {"cognito-idp:AdminGetUser"}, {"servicequotas:ListServiceQuotas"}} {
		pool := sandbox.New(sandbox.Config{Allowed: allowed})
		pool.Add(sandbox.NewUser("ann"))
		c := connect(t, pool)
		may := allowed == nil || slices.Contains(allowed, "cognito-idp:AdminGetUser")
		if got := c.call("AdminGetUser", in{"Username": "ann"}); (got.code == "") != may {
			t.Errorf("allowed %q: AdminGetUser: %s", allowed, got.says())
		}
		may = allowed == nil || slices.Contains(allowed, "servicequotas:ListServiceQuotas")
		if got := c.quota("ListServiceQuotas", `{"ServiceCode":"cognito-idp"}`); (got.code == "") != may {
			t.Errorf("allowed %q: ListServiceQuotas: %s", allowed, got.says())
		}
	}
}

func TestOtherServicesWantASignatureOfTheirOwn(t *testing.T) {
	c := connect(t, sandbox.New(sandbox.Config{}))
	for target, path := range map[string]string{
		"ServiceQuotasV20190624.ListServiceQuotas": "http://sandbox/",
		"": "http://sandbox/v2/email/account",
	} {
		r := request(t, path, "", "{}") // signed for Cognito
		if target == "" {
			r.Method = http.MethodGet
		}
		r.Header.Set("X-Amz-Target", target)
		res, err := c.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("x-amzn-ErrorType"); got != "MissingAuthenticationTokenException" {
			t.Errorf("%s: %d %s", path, res.StatusCode, got)
		}
	}
}
