package users

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/roster"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
)

// A simulation is of two pools whose users come and go, and of the runs that rotate
// their passwords.
type simulation struct {
	t      *testing.T
	folder string
	users  map[string]map[string]bool // by pool
	resets map[string][]time.Time     // of a pool and user
	next   int                        // user
}

// rotate makes a run on a pool that takes some nights, and returns whom it took.
func (sim *simulation) rotate(path, pool string, begin time.Time, nights int, render bool) (took int) {
	t := sim.t
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir, err := journal.Create(path)
	check(err)
	record := &rundir.Record{Dir: dir}
	f := &Finder{Quiet: true, Record: record, Store: new(rundir.Store)}
	r := &record.Spec
	r.CreatedAt, r.UserPoolID, r.RotateEvery, r.History = begin, pool, "quarter", []string{sim.folder}
	r.ResetBefore, err = spec.PeriodStart(r.RotateEvery, begin)
	check(err)
	past, err := f.recentlyReset(context.Background())
	check(err)
	names := slices.Sorted(maps.Keys(sim.users[pool]))
	record.Found.Roster, err = dir.Spool(roster.Selection{Recent: func(e batch.Entry) bool { return past.Has(e.Username) }}.Apply(func(yield func(batch.Entry, error) bool) {
		for i, name := range names {
			if !yield(batch.Entry{Row: int64(i) + 1, Username: name}, nil) {
				return
			}
		}
	}))
	check(err)
	check(record.Save())
	for night := range nights {
		history, err := record.Replay()
		check(err)
		left, _ := history.Open()
		share := (left + int64(nights-night) - 1) / int64(nights-night)
		var todo []batch.Entry
		for e, err := range history.Remaining(nil) {
			if check(err); int64(len(todo)) < share {
				todo = append(todo, e)
			}
		}
		j, err := history.Start("", record.Found.Roster.SHA256)
		check(err)
		for i, e := range todo {
			at := begin.AddDate(0, 0, night).Add(time.Duration(i) * time.Second)
			check(j.WriteIntent(e))
			check(j.WriteResult(batch.Result{Row: e.Row, Username: e.Username, Outcome: batch.Reset, SettledBy: batch.ByAnswer, StartedAt: at, FinishedAt: at}))
			sim.resets[pool+" "+e.Username] = append(sim.resets[pool+" "+e.Username], at)
			took++
		}
		check(j.End(exit.Done, ""))
		check(j.Close())
	}
	if render {
		history, err := record.Replay()
		check(err)
		check(record.WriteIndexOf(dir, history))
		rows := record.Rows(history, nil)
		check(rows.Write())
		check(dir.WriteJSON(rundir.SummaryFile, rows.Summary))
	}
	check(dir.Close())
	return took
}

// change lets users come and go; one is renamed, whom the pool takes for another.
func (sim *simulation) change(random *rand.Rand, pool string) {
	names := slices.Sorted(maps.Keys(sim.users[pool]))
	for range min(len(names), 3) {
		delete(sim.users[pool], names[random.IntN(len(names))])
	}
	for range 4 {
		sim.next++
		sim.users[pool][fmt.Sprintf("User-%03d", sim.next)] = true
	}
}

// For four years of quarters, in which a rotation begins on any day and takes nights,
// everybody who is there is reset once in each: by shards and by fleets, whose records
// are pruned in between, and whatever else is started in the same quarter.
func TestFourYearsOfRotationResetEverybodyOnceAQuarter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pools := []string{"eu-west-1_One", "us-east-1_Two"}
	sim := &simulation{t: t, folder: t.TempDir(), users: make(map[string]map[string]bool), resets: make(map[string][]time.Time)}
	for _, pool := range pools {
		sim.users[pool] = make(map[string]bool)
		for range 5 {
			sim.change(random, pool)
		}
	}
	for quarter := range 16 {
		start := time.Date(2022, time.Month(1+3*quarter), 1, 0, 0, 0, 0, time.UTC)
		end := start.AddDate(0, 3, 0)
		nights := 1 + random.IntN(6)
		begin := start.AddDate(0, 0, random.IntN(90-20)).Add(2 * time.Hour)
		if quarter%3 == 0 {
			begin = start // the very first moment
		}
		for p, pool := range pools {
			sim.change(random, pool)
			there := slices.Collect(maps.Keys(sim.users[pool]))
			fleet := filepath.Join(sim.folder, fmt.Sprintf("[%d]", quarter), pool)
			sim.rotate(fleet, pool, begin, nights, quarter%2 == p)
			if n := sim.rotate(filepath.Join(sim.folder, "again", fmt.Sprint(quarter), "deeper", pool), pool, begin.AddDate(0, 0, nights), 1, true); n > 0 {
				t.Errorf("quarter %d: a second start took %d users again", quarter, n)
			}
			for _, name := range there {
				resets := sim.resets[pool+" "+name]
				n := 0
				for _, at := range resets {
					if !at.Before(start) && at.Before(end) {
						n++
					}
				}
				if n != 1 {
					t.Errorf("quarter %d: %s of %s was reset %d times", quarter, name, pool, n)
				}
			}
		}
		if quarter%4 != 2 {
			continue
		}
		runs, err := new(rundir.Store).List(t.Context(), sim.folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			if _, err := new(rundir.Store).Prune(t.Context(), run, end, false); err != nil {
				t.Fatal(err)
			}
		}
	}
}
