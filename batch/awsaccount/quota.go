package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	metrics "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotas "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"cognito-reset/batch/userpool"
)

// A Category is calls of Cognito that have one quota, in an account and Region.
type Category struct {
	name string // as CloudWatch has it
	code string // of its quota, in Service Quotas
}

// The categories of what a run does.
var (
	Recovery = Category{"UserAccountRecovery", "L-7D6E8ED3"} // AdminResetUserPassword, and all that live users do to recover their accounts
	Update   = Category{"UserUpdate", "L-6621E65D"}          // AdminUserGlobalSignOut and AdminDisableUser, with live users' own sign-outs and updates
)

// A Quota is what the account may take of a category in its Region, of
// all its pools together, and what it took. Each part may be missing for a
// reason of its own.
type Quota struct {
	// Limit is the quota, in calls a second.
	Limit    float64
	LimitErr error // why there is no Limit

	// Peak is the most calls a second of the last 24 hours. CloudWatch has
	// them by five minutes, so Peak is the mean of the busiest five minutes:
	// the busiest second had more. Throttled calls count. The resets of a run,
	// this tool's or another's, are in the same metric and cannot be told from
	// live users' calls: after a run, Peak is too high for a day.
	Peak    float64
	PeakErr error // why there is no Peak; ErrNoUsage if CloudWatch has no calls at all
}

// ErrNoUsage is that CloudWatch counted no calls: nobody made any, or the
// account's metric is not where it is documented to be. It cannot be told which.
var ErrNoUsage = errors.New("CloudWatch has no such calls in the last 24 hours")

// Quota asks Service Quotas and CloudWatch of a category, side by side. It takes
// permission for servicequotas:GetServiceQuota, servicequotas:GetAWSDefaultServiceQuota
// and cloudwatch:GetMetricData.
func (a *Account) Quota(ctx context.Context, of Category) Quota {
	ctx, cancel := context.WithTimeout(ctx, userpool.AsideTimeout)
	defer cancel()
	var (
		q  Quota
		wg sync.WaitGroup
	)
	wg.Go(func() { q.Limit, q.LimitErr = a.limit(ctx, of) })
	wg.Go(func() { q.Peak, q.PeakErr = a.peak(ctx, of, time.Now()) })
	wg.Wait()
	return q
}

// limit is the quota, in calls a second. Of some quotas Service Quotas
// knows only what they are by default.
func (a *Account) limit(ctx context.Context, of Category) (float64, error) {
	const service = "cognito-idp"
	var quota *quotas.ServiceQuota
	applied, err := a.quotas.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{
		ServiceCode: aws.String(service), QuotaCode: &of.code,
	})
	if err == nil {
		quota = applied.Quota
	} else if _, ok := errors.AsType[*quotas.NoSuchResourceException](err); ok {
		var standard *servicequotas.GetAWSDefaultServiceQuotaOutput
		standard, err = a.quotas.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{
			ServiceCode: aws.String(service), QuotaCode: &of.code,
		})
		if err == nil {
			quota = standard.Quota
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("reading Service Quotas: %w", userpool.Explain(err))
	case quota == nil || aws.ToFloat64(quota.Value) <= 0:
		return 0, errors.New("no value of " + of.name + " in Service Quotas")
	}
	return *quota.Value, nil
}

// usagePeriod is how often Cognito publishes what was used. Asked for by the
// minute, five minutes' calls could come as one's.
const usagePeriod = 5 * time.Minute

// peak is the mean rate of the busiest five minutes of the 24 hours
// before now, in calls a second, by the clock: those under way are left out.
func (a *Account) peak(ctx context.Context, of Category, now time.Time) (float64, error) {
	end := now.Truncate(usagePeriod)
	out, err := a.metrics.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(end.Add(-24 * time.Hour)), EndTime: &end,
		MetricDataQueries: []metrics.MetricDataQuery{
			of.usage("calls", nil),
			of.usage("calls_class_none", aws.String("None")),
		},
	})
	if err != nil {
		return 0, fmt.Errorf("reading CloudWatch: %w", userpool.Explain(err))
	}
	busiest := 0.0
	for _, result := range out.MetricDataResults {
		for _, calls := range result.Values {
			busiest = max(busiest, calls)
		}
	}
	if busiest == 0 {
		return 0, ErrNoUsage
	}
	return busiest / usagePeriod.Seconds(), nil
}

// usage asks for the calls of the category. A metric is found by exactly
// the dimensions it was published with. The developer guide lists Class and
// says that Cognito does not use it, where other services have None: so both
// are asked for, and only one can have values.
func (c Category) usage(id string, class *string) metrics.MetricDataQuery {
	dimensions := []metrics.Dimension{
		{Name: aws.String("Service"), Value: aws.String("Cognito user pool")},
		{Name: aws.String("Type"), Value: aws.String("API")},
		{Name: aws.String("Resource"), Value: &c.name},
	}
	if class != nil {
		dimensions = append(dimensions, metrics.Dimension{Name: aws.String("Class"), Value: class})
	}
	return metrics.MetricDataQuery{
		Id: &id,
		MetricStat: &metrics.MetricStat{
			Metric: &metrics.Metric{
				Namespace: aws.String("AWS/Usage"), MetricName: aws.String("CallCount"), Dimensions: dimensions,
			},
			Period: aws.Int32(int32(usagePeriod.Seconds())),
			Stat:   aws.String(string(metrics.StatisticSum)),
		},
	}
}
