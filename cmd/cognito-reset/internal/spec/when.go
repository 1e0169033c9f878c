package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// When reads a date, a time, how long ago, or a period of the calendar, whose beginning
// is meant.
func When(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, ok := Ago(text, now); ok {
		return at, nil
	}
	if slices.Contains([]string{"quarter", "month", "year"}, text) {
		return PeriodStart(text, now)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date such as 2026-01-31, a time such as 2026-01-31T09:00:00Z, a while ago such as 90d or 12h, or quarter, month or year for when that began", text)
}

// Ago reads how long before now a time was: 90d, 12w, or as Go has it, 12h30m.
func Ago(text string, now time.Time) (time.Time, bool) {
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.Atoi(number)
			return now.AddDate(0, 0, -n*days), err == nil && n >= 0 && n < 1e6
		}
	}
	d, err := time.ParseDuration(text)
	return now.Add(-d), err == nil && d >= 0
}

// PeriodStart is when the period of a time began, by calendars in UTC: of quarter,
// month or year, or of so many days or weeks (90d, 13w), counted from 1970-01-01.
func PeriodStart(period string, at time.Time) (time.Time, error) {
	at = at.UTC()
	switch period {
	case "year":
		return time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC), nil
	case "quarter":
		return time.Date(at.Year(), (at.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC), nil
	case "month":
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), nil
	}
	for unit, days := range map[string]int64{"d": 1, "w": 7} {
		if number, ok := strings.CutSuffix(period, unit); ok {
			if n, err := strconv.ParseInt(number, 10, 32); err == nil && n > 0 {
				length := n * days * 24 * 60 * 60
				return time.Unix(at.Unix()/length*length, 0).UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a period: write quarter, month, year, or days or weeks such as 90d or 13w", period)
}

// Share reads a share, such as 33%.
func Share(text string) (float64, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, exit.Usagef("%q is not a share from 0%% to 100%%", text)
	}
	return percent / 100, nil
}

// nextTime is when a clock on the wall shows a time of day next. Of an hour that
// comes twice, as summer time ends, both count; of one that never comes, the time
// that is in its place.
func nextTime(now time.Time, hour, minute int) time.Time {
	const most, step = 3 * time.Hour, 15 * time.Minute // of which clocks are set
	for day := 0; ; day++ {
		noted := time.Date(now.Year(), now.Month(), now.Day()+day, hour, minute, 0, 0, now.Location())
		comes := false
		for shift := -most; shift <= most; shift += step {
			at := noted.Add(shift)
			if at.Hour() != hour || at.Minute() != minute || at.YearDay() != noted.YearDay() {
				continue
			}
			if comes = true; at.After(now) {
				return at
			}
		}
		if !comes && noted.After(now) {
			return noted
		}
	}
}
