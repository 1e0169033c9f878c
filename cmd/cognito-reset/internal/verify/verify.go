// Package verify reads back whether the resets of runs are still in force.
package verify

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report"
)

// A Run is a run to look at, in a pool that is asked.
type Run struct {
	term.Streams
	JSON   bool
	Record *rundir.Record
	Pool   *userpool.Pool

	// Again, if set, reads the record anew, of which this process has a copy.
	Again func(context.Context) (*rundir.Record, error)
}

// Watch looks at each run once, or every so often until nobody is waited for. The
// exit is that of the worst.
func Watch(ctx context.Context, runs []*Run, every time.Duration) error {
	for {
		last, failed, err := lookAll(ctx, runs)
		if err != nil {
			return err
		}
		again := every > 0 && slices.ContainsFunc(last, func(v *verification) bool { return v != nil && v.effects[userpool.Waiting] > 0 })
		for i, s := range runs {
			if err := s.print(last[i], again, len(runs) > 1); err != nil {
				return err
			}
		}
		if !again {
			return cmp.Or(failed, worstOf(last))
		}
		select {
		case <-time.After(every):
			if err := readAgain(ctx, runs); err != nil {
				return err
			}
		case <-ctx.Done():
			for i, s := range runs {
				if s.JSON { // which has been printed
					continue
				}
				if err := s.print(last[i], false, false); err != nil {
					return err
				}
			}
			return exit.Early(context.Cause(ctx))
		}
	}
}

// readAgain reads the records anew that may have gone on since they were copied.
func readAgain(ctx context.Context, runs []*Run) (err error) {
	for _, s := range runs {
		if s.Again == nil {
			continue
		}
		if s.Record, err = s.Again(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lookAll looks at each run, and finds nothing where the pool cannot be asked: that
// fails for one run, and is printed for one of several.
func lookAll(ctx context.Context, runs []*Run) (found []*verification, failed, err error) {
	for _, s := range runs {
		one, err := s.look(ctx)
		switch {
		case ctx.Err() != nil, err != nil && len(runs) == 1:
			return nil, nil, err
		case err != nil:
			failed = cmp.Or(failed, err)
			term.Linef(s.Err, "%s: %v", s.Record.Spec.UserPoolID, err)
		}
		found = append(found, one)
	}
	return found, failed, nil
}

// print prints what a look found, if it found anything: as a point of a curve if more
// will follow, under the pool's id if there are several.
func (s *Run) print(found *verification, follow, several bool) error {
	if found == nil {
		return nil
	}
	if several && !s.JSON {
		fmt.Fprintf(s.Out, "%s\n", s.Record.Spec.UserPoolID)
	}
	if follow {
		return s.printPoint(found)
	}
	return s.printVerified(found)
}

// worstOf is the exit that a look at several runs ends with.
func worstOf(found []*verification) (err error) {
	for _, v := range found {
		if v != nil {
			err = cmp.Or(err, v.err())
		}
	}
	return err
}

// look is one look at the pool of a run, which may be going on.
func (s *Run) look(ctx context.Context) (found *verification, err error) {
	history, err := s.Record.Replay()
	if err != nil {
		return nil, exit.With(exit.Usage, err)
	}
	found = &verification{at: time.Now(), effects: make(map[userpool.Effect]int64)}
	every := func(list report.Writer) error {
		return s.verified(ctx, concerned(history, s.Record.Spec.Steps), found, list)
	}
	if s.Record.Dir.Held() { // whoever works on the run writes its lists
		err = every(new(report.Summary))
	} else {
		err = render.Remaining(s.Record, every)
	}
	if ctx.Err() != nil {
		return nil, exit.Early(context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// verification is what one look at the pool found.
type verification struct {
	at      time.Time
	effects map[userpool.Effect]int64
	never   int64               // users whom the run did not reset, in doubt or not, and whose old password works or comes back
	settled int64               // users whom something else made safe since
	chase   []userpool.Verified // the first of those whose old password may work
}

// chased is how many users a person is shown; verify.csv has all.
const chased = 10

// add counts a user, and hands on who is not safe yet. That sessions were to end, too, no
// state tells.
func (v *verification) add(u userpool.Verified, asked spec.Response, list report.Writer) error {
	if !asked.Steps.Remains(u.Result) {
		v.note(u)
		return nil
	}
	if u.Outcome.Done() {
		v.note(u)
	}
	if u.Effect == userpool.Gone || u.Effect != userpool.NotInForce && !asked.SignsOut() {
		v.settled++
		return nil
	}
	if u.Effect == userpool.NotInForce && (asked.Steps.KeepsPassword(u.Result) || u.Outcome == batch.Unknown) {
		v.never++
	}
	return list.Write(u.Result)
}

// note counts a user who was done with.
func (v *verification) note(u userpool.Verified) {
	v.effects[u.Effect]++
	if u.Effect == userpool.NotInForce && len(v.chase) < chased {
		v.chase = append(v.chase, u)
	}
}

func (v *verification) all() (n int64) {
	for _, count := range v.effects {
		n += count
	}
	return n
}

// completed is the share of users who have a new password.
func (v *verification) completed() float64 {
	return float64(v.effects[userpool.Completed]) / float64(max(v.all(), 1))
}

func (v *verification) err() error {
	if v.effects[userpool.NotInForce]+v.never > 0 {
		return exit.Silent(exit.SomeFailed)
	}
	return nil
}

// concerned are the results of the run whose users were reset, or are not safe yet.
func concerned(history *journal.History, asked report.Steps) iter.Seq2[batch.Result, error] {
	return func(yield func(batch.Result, error) bool) {
		for r, err := range history.Results(batch.Interrupted) {
			if err == nil && !r.Outcome.Done() && !asked.Remains(r) {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// verified looks in the pool, writes verify.csv, and hands on who is not safe yet.
func (s *Run) verified(ctx context.Context, results iter.Seq2[batch.Result, error], found *verification, list report.Writer) error {
	err := s.Record.Dir.Write(rundir.VerifyFile, func(f io.Writer) error {
		w := csv.NewWriter(f)
		w.Write([]string{"row", "username", "effect", "state", "enabled", "reset_at", "modified_at", "sub"}) // buffered: an error shows later
		for v, err := range s.Pool.Verify(ctx, results) {
			if err != nil {
				return err
			}
			if err := found.add(v, s.Record.Spec.Response, list); err != nil {
				return err
			}
			if !v.Outcome.Done() {
				continue
			}
			cells := []string{strconv.FormatInt(v.Row, 10), v.Username, string(v.Effect), string(v.State), "", stamp(v.FinishedAt), stamp(v.Modified), v.Sub}
			if v.Effect != userpool.Gone {
				cells[4] = strconv.FormatBool(v.Enabled)
			}
			if err := w.Write(cells); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	})
	if answer, ok := errors.AsType[*batch.Error](err); ok && answer.Class == batch.ClassRun {
		return exit.With(exit.Stopped, err)
	}
	return err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// effectMeanings say what to do about each effect, the worst first.
var effectMeanings = []struct {
	effect  userpool.Effect
	meaning string
}{
	{userpool.NotInForce, "THE OLD PASSWORD MAY WORK: reset these again"},
	{userpool.Waiting, "have not chosen a new password yet"},
	{userpool.Completed, "have a new password"},
	{userpool.Shut, "have a password that nobody knows"},
	{userpool.Barred, "cannot sign in"},
	{userpool.Gone, "are not in the pool any more"},
}

func (s *Run) printVerified(found *verification) error {
	if s.JSON {
		return s.printCounts(found)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s resets, %.0f%% with a new password\n", found.at.UTC().Format(rundir.Minute), term.Comma(found.all()), 100*found.completed())
	for _, m := range effectMeanings {
		if n := found.effects[m.effect]; n > 0 {
			fmt.Fprintf(&b, "%8s  %-12s  %s\n", term.Comma(n), m.effect, m.meaning)
		}
	}
	if found.never > 0 {
		fmt.Fprintf(&b, "%8s  %-12s  %s\n", term.Comma(found.never), "never_reset", "STILL HAVE THEIR OLD PASSWORD: "+report.RemainingFile+" says what helps")
	}
	if found.settled > 0 {
		fmt.Fprintf(&b, "%8s  %-12s  %s\n", term.Comma(found.settled), "settled", "made safe since by something else: "+report.RemainingFile+" leaves them out")
	}
	if found.chase != nil {
		b.WriteString("\n     row  username, state, last changed\n")
	}
	for _, u := range found.chase {
		state := string(u.State)
		if !u.Enabled {
			state += " and disabled"
		}
		fmt.Fprintf(&b, "%8d  %q, %s, %s\n", u.Row, u.Username, state, u.Modified.UTC().Format(rundir.Minute))
	}
	fmt.Fprintf(&b, "\nWho: %s\n", term.Visible(s.Record.File(rundir.VerifyFile)))
	return term.Write(s.Out, b.String())
}

// printPoint is one point of the curve of those who have a new password.
func (s *Run) printPoint(found *verification) error {
	if s.JSON {
		return s.printCounts(found)
	}
	const width = 30
	bar := strings.Repeat("#", int(width*found.completed()))
	text := fmt.Sprintf("%s  %-*s %3.0f%%  %s waiting", found.at.UTC().Format(rundir.Minute), width, bar, 100*found.completed(), term.Comma(found.effects[userpool.Waiting]))
	if n := found.effects[userpool.NotInForce]; n > 0 {
		text += fmt.Sprintf(", %s NOT IN FORCE", term.Comma(n))
	}
	_, err := fmt.Fprintln(s.Out, text)
	return err
}

func (s *Run) printCounts(found *verification) error {
	_, err := fmt.Fprintf(s.Out, `{"at":%q,"resets":%d,"not_in_force":%d,"waiting":%d,"completed":%d,"locked":%d,"disabled":%d,"gone":%d,"never_reset":%d,"settled":%d}`+"\n",
		stamp(found.at), found.all(), found.effects[userpool.NotInForce], found.effects[userpool.Waiting],
		found.effects[userpool.Completed], found.effects[userpool.Shut], found.effects[userpool.Barred], found.effects[userpool.Gone], found.never, found.settled)
	return err
}
