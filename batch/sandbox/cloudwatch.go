package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// What CloudWatch knows of Cognito's usage (developer guide, "User pool metrics
// in CloudWatch"): how many calls of a category there were, throttled and
// failed ones included, and how many of them were throttled.
const (
	usageNamespace = "AWS/Usage"
	callCount      = "CallCount"
	throttleCount  = "ThrottleCount"
)

// usageDimensions name the metric of a category. The guide has it that Cognito
// "doesn't use" Class; the sandbox writes None, as other services do.
func usageDimensions(c Category) map[string]string {
	return map[string]string{"Service": "Cognito user pool", "Type": "API", "Resource": string(c), "Class": "None"}
}

const metricsPath = "/service/GraniteServiceVersion20100801/operation/"

// A metricRequest is that of GetMetricData.
type metricRequest struct {
	StartTime, EndTime time.Time
	ScanBy             string
	NextToken          string
	MetricDataQueries  []metricQuery
}

type metricQuery struct {
	ID         string `cbor:"Id"`
	Label      string
	MetricStat *struct {
		Metric struct {
			Namespace, MetricName string
			Dimensions            []struct{ Name, Value string }
		}
		Period int
		Stat   string
	}
}

type metricResult struct {
	ID         string `cbor:"Id"`
	Label      string
	Timestamps []time.Time
	Values     []float64
	StatusCode string
}

// times are written as Smithy's RPC v2 asks: seconds since 1970, tagged.
var cborMode = func() cbor.EncMode {
	mode, err := cbor.EncOptions{Time: cbor.TimeUnix, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// serveMetrics answers CloudWatch GetMetricData, in the one of its protocols
// that the AWS SDK for Go speaks: Smithy RPC v2, CBOR in and out. Other clients
// may speak JSON or the query protocol, which are not answered. It takes no time
// and knows no quota.
func (p *Pool) serveMetrics(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	var (
		in    metricRequest
		reply any
	)
	err := p.authorize(r, "monitoring", "cloudwatch:"+name)
	switch {
	case name != "GetMetricData" || r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor":
		name, err = "unknown", unknownOperation
	case err != nil:
	case cbor.Unmarshal(body, &in) != nil:
		err = serialization
	default:
		reply, err = p.getMetricData(&in, time.Now())
	}
	p.tally(name, err)
	status := http.StatusOK
	if err != nil {
		status, reply = err.status, map[string]string{"__type": "com.amazonaws.cloudwatch#" + err.code, "message": err.message}
		w.Header().Set("x-amzn-query-error", err.code+";Sender")
	}
	w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
	answer, failed := cborMode.Marshal(reply)
	if failed != nil {
		panic(failed) // replies are plain structs of the sandbox's own
	}
	write(w, status, "application/cbor", answer)
}

// getMetricData tells sums of the usage metrics, as far back as a [usage]
// reaches. A metric that nobody publishes has no values.
func (p *Pool) getMetricData(in *metricRequest, now time.Time) (any, *apiError) {
	switch {
	case len(in.MetricDataQueries) == 0 || len(in.MetricDataQueries) > 500:
		return nil, invalidMetric("MetricDataQueries must hold 1 to 500 queries")
	case !in.StartTime.Before(in.EndTime):
		return nil, invalidMetric("The parameter StartTime must be less than the parameter EndTime")
	case in.NextToken != "":
		return nil, refuse("InvalidNextToken", "The next token is not valid")
	}
	results := make([]metricResult, len(in.MetricDataQueries))
	for i, q := range in.MetricDataQueries {
		switch {
		case q.MetricStat == nil || q.MetricStat.Stat != "Sum":
			return nil, invalidMetric("The sandbox knows a MetricStat of Stat Sum alone")
		case q.MetricStat.Period <= 0 || q.MetricStat.Period%60 != 0:
			return nil, invalidMetric("The Period must be a multiple of 60")
		}
		metric := q.MetricStat.Metric
		result := metricResult{ID: q.ID, Label: q.Label, Timestamps: []time.Time{}, Values: []float64{}, StatusCode: "Complete"}
		if result.Label == "" {
			result.Label = metric.MetricName
		}
		dimensions := make(map[string]string, len(metric.Dimensions))
		for _, d := range metric.Dimensions {
			dimensions[d.Name] = d.Value
		}
		category := Category(dimensions["Resource"])
		if metric.Namespace == usageNamespace && maps.Equal(dimensions, usageDimensions(category)) {
			p.sum(&result, metric.MetricName, category, in, now, int64(q.MetricStat.Period))
		}
		if in.ScanBy != "TimestampAscending" {
			slices.Reverse(result.Timestamps)
			slices.Reverse(result.Values)
		}
		results[i] = result
	}
	return struct {
		MetricDataResults []metricResult
		Messages          []struct{}
	}{results, []struct{}{}}, nil
}

// sum adds to a result what a category used in each period, in seconds, that
// had any calls.
func (p *Pool) sum(result *metricResult, metric string, c Category, in *metricRequest, now time.Time, period int64) {
	used := p.quotas.used(c)
	from := max(in.StartTime.Unix(), now.Unix()-keptMinutes*60+60)
	to := min(in.EndTime.Unix(), now.Unix()+1)
	for start := from - from%period; start < to; start += period {
		total := 0.0
		for minute := max(start, from-from%60); minute < min(start+period, to); minute += 60 {
			at := time.Unix(minute, 0).UTC()
			switch m := used.at(at); metric {
			case callCount:
				total += float64(m.calls)
				if p.cfg.LiveTraffic != nil {
					total += 60 * p.cfg.LiveTraffic(c, at)
				}
			case throttleCount:
				total += float64(m.throttled)
			}
		}
		if total > 0 {
			result.Timestamps = append(result.Timestamps, time.Unix(start, 0))
			result.Values = append(result.Values, total)
		}
	}
}

func invalidMetric(message string) *apiError { return refuse("ValidationError", message) }
