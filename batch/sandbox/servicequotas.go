package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
)

// quotaCodes are the codes by which Service Quotas knows the categories that a
// mass reset meets, and whether Amazon raises them for the asking.
var quotaCodes = []struct {
	category   Category
	code       string
	adjustable bool
}{
	{UserAccountRecovery, "L-7D6E8ED3", false},
	{UserUpdate, "L-6621E65D", false},
	{UserRead, "L-D6BD5178", true},
	{UserList, "L-259E3368", false},
}

const quotaTarget = "ServiceQuotasV20190624."

// A quotaRequest is that of every operation of Service Quotas here.
type quotaRequest struct {
	ServiceCode string
	QuotaCode   string
	NextToken   string
}

var quotaOperations = map[string]func(*Pool, *quotaRequest) (any, *apiError){
	"GetServiceQuota":           (*Pool).getServiceQuota,
	"GetAWSDefaultServiceQuota": (*Pool).getDefaultServiceQuota,
	"ListServiceQuotas":         (*Pool).listServiceQuotas,
}

var noSuchQuota = refuse("NoSuchResourceException", "The request failed because the specified quota does not exist.")

// serveQuotas answers Service Quotas. It takes no time and knows no quota.
func (p *Pool) serveQuotas(w http.ResponseWriter, r *http.Request, body []byte) {
	var (
		in    quotaRequest
		reply any
	)
	name := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), quotaTarget)
	op, known := quotaOperations[name]
	err := p.authorize(r, "servicequotas", "servicequotas:"+name)
	switch {
	case !known || !isJSON(r):
		name, err = "unknown", unknownOperation
	case err != nil:
	case json.Unmarshal(body, &in) != nil:
		err = serialization
	case in.ServiceCode != "cognito-idp":
		err = refuse("NoSuchResourceException", "The request failed because the specified service does not exist.")
	default:
		reply, err = op(p, &in)
	}
	p.tally(name, err)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, reply)
}

// A serviceQuota is one quota as Service Quotas describes it.
type serviceQuota struct {
	ServiceCode, ServiceName       string
	QuotaArn, QuotaCode, QuotaName string
	Value                          float64
	Unit                           string
	Adjustable, GlobalQuota        bool
	Period                         struct {
		PeriodValue int
		PeriodUnit  string
	}
	UsageMetric struct {
		MetricNamespace, MetricName   string
		MetricDimensions              map[string]string
		MetricStatisticRecommendation string
	}
}

// quotas describes those of the categories that have a code and a quota.
func (p *Pool) listQuotas(values map[Category]float64) []serviceQuota {
	known := []serviceQuota{}
	for _, c := range quotaCodes {
		if values[c.category] <= 0 {
			continue
		}
		q := serviceQuota{
			ServiceCode: "cognito-idp",
			ServiceName: "Amazon Cognito User Pools",
			QuotaArn:    "arn:aws:servicequotas:" + p.region() + ":" + p.cfg.Account + ":cognito-idp/" + c.code,
			QuotaCode:   c.code,
			QuotaName:   "Rate of " + string(c.category) + " requests",
			Value:       values[c.category],
			Unit:        "None",
			Adjustable:  c.adjustable,
		}
		q.Period.PeriodValue, q.Period.PeriodUnit = 1, "SECOND"
		q.UsageMetric.MetricNamespace, q.UsageMetric.MetricName = usageNamespace, callCount
		q.UsageMetric.MetricDimensions = usageDimensions(c.category)
		q.UsageMetric.MetricStatisticRecommendation = "Sum"
		known = append(known, q)
	}
	return known
}

// getServiceQuota tells a quota that the pool enforces. Of one that it does
// not, only the default is known, as of some quotas of a live account.
func (p *Pool) getServiceQuota(in *quotaRequest) (any, *apiError) {
	return findQuota(p.listQuotas(p.cfg.Quotas), in.QuotaCode)
}

func (p *Pool) getDefaultServiceQuota(in *quotaRequest) (any, *apiError) {
	return findQuota(p.listQuotas(DefaultQuotas()), in.QuotaCode)
}

func findQuota(quotas []serviceQuota, code string) (any, *apiError) {
	for _, q := range quotas {
		if q.QuotaCode == code {
			return struct{ Quota serviceQuota }{q}, nil
		}
	}
	return nil, noSuchQuota
}

// listServiceQuotas lists them all at once, whatever MaxResults says.
func (p *Pool) listServiceQuotas(in *quotaRequest) (any, *apiError) {
	if in.NextToken != "" {
		return nil, refuse("InvalidPaginationTokenException", "Invalid pagination token")
	}
	return struct{ Quotas []serviceQuota }{p.listQuotas(p.cfg.Quotas)}, nil
}
