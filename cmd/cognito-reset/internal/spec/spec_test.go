package spec

import (
	"testing"
	"time"

	"cognito-reset/batch/awsaccount"
)

func TestNobodyApprovesForThemselves(t *testing.T) {
	for _, c := range []struct {
		caller, approver string
		refused          bool
	}{
		{"arn:aws:iam::123456789012:user/team/ann", "ann", true},
		{"arn:aws:iam::123456789012:user/team/ann", " ANN ", true},
		{"arn:aws:iam::123456789012:user/team/ann", "arn:aws:iam::123456789012:user/team/ann", true},
		{"arn:aws:iam::123456789012:user/team/ann", "team", false},
		{"arn:aws:sts::123456789012:assumed-role/Admin/bob@example.com", "bob@example.com", true},
		{"arn:aws:sts::123456789012:assumed-role/Admin/bob@example.com", "ann@example.com", false},
		{"arn:aws:iam::123456789012:root", "root", true},
		{"arn:aws:iam::123456789012:user/ann", "", true},
		{"", "ann", true},
	} {
		if err := (Approval{ApprovedBy: c.approver}).Missing(awsaccount.Caller{ARN: c.caller}); (err != nil) != c.refused {
			t.Errorf("%q for %q: %v", c.approver, c.caller, err)
		}
	}
}

// Whoever assumes a role is who calls, whatever the role is called.
func TestNobodyApprovesThroughARole(t *testing.T) {
	caller := awsaccount.Caller{ARN: "arn:aws:sts::123456789012:assumed-role/ops/cognito-reset-ann", Base: "arn:aws:iam::123456789012:user/ann"}
	for approver, refused := range map[string]bool{"ann": true, "cognito-reset-ann": true, "bob": false} {
		if err := (Approval{ApprovedBy: approver}).Missing(caller); (err != nil) != refused {
			t.Errorf("%s: %v", approver, err)
		}
	}
}

// An hour that comes twice comes the second time, too, and one that is left out
// is no reason to go on for another day.
func TestUntilIsTheFirstThatIsStillToCome(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	lordHowe, err := time.LoadLocation("Australia/Lord_Howe") // which sets its clocks by half an hour
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, now, until, want string
		in                     *time.Location
	}{
		{"later today", "2026-06-01T10:00:00Z", "18:00", "2026-06-01T16:00:00Z", berlin},
		{"tomorrow", "2026-06-01T20:00:00Z", "06:00", "2026-06-02T04:00:00Z", berlin},
		{"at this very minute", "2026-06-01T04:00:00Z", "06:00", "2026-06-02T04:00:00Z", berlin},
		{"before the hour that comes twice", "2026-10-24T23:00:00Z", "02:30", "2026-10-25T00:30:00Z", berlin},
		{"after it came once", "2026-10-25T00:40:00Z", "02:30", "2026-10-25T01:30:00Z", berlin},
		{"after it came twice", "2026-10-25T01:40:00Z", "02:30", "2026-10-26T01:30:00Z", berlin},
		{"within it, for later", "2026-10-25T00:40:00Z", "06:00", "2026-10-25T05:00:00Z", berlin},
		{"half an hour that comes twice", "2026-04-04T14:45:00Z", "01:40", "2026-04-04T15:10:00Z", lordHowe},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, _ := time.Parse(time.RFC3339, c.now)
			at, _, err := (Settings{Until: c.until}).End(now.In(c.in))
			if err != nil || at.UTC().Format(time.RFC3339) != c.want {
				t.Errorf("until %s, %v; want %s", at.UTC().Format(time.RFC3339), err, c.want)
			}
		})
	}
	left := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC).In(berlin) // 01:30, before 02:00 becomes 03:00
	if at, _, _ := (Settings{Until: "02:30"}).End(left); at.Sub(left) > 2*time.Hour {
		t.Errorf("an hour that is left out ends the session at %s", at)
	}
}

// A period begins by the calendar, in UTC.
func TestPeriodsBeginByTheCalendar(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 9, 30, 23, 59, 59, 0, time.FixedZone("", -2*60*60)) // it is October in UTC
	for period, want := range map[string]string{"quarter": "2026-10-01", "month": "2026-10-01", "year": "2026-01-01", "90d": "2026-07-26", "1w": "2026-10-01", "1d": "2026-10-01"} {
		got, err := PeriodStart(period, at)
		if err != nil || period != "90d" && got.Format(time.DateOnly) != want || got.After(at) {
			t.Errorf("%s: %v, %v", period, got, err)
		}
	}
	if a, err := PeriodStart("90d", at); err != nil || a.Unix()%(90*24*60*60) != 0 || at.Sub(a) >= 90*24*time.Hour {
		t.Errorf("90d: %v, %v", a, err)
	}
	for _, period := range []string{"", "0d", "-1d", "quarterly", "d", "1.5d"} {
		if _, err := PeriodStart(period, at); err == nil {
			t.Errorf("%q is a period", period)
		}
	}
}
