// Library resets the passwords of users whom a service of one's own keeps: it
// posts to URL/USERNAME/reset for every user of a CSV. The engine adds the pace,
// the record that a second start goes on from, and the report.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/batch/pace"
	"cognito-reset/batch/roster"
	"cognito-reset/report"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: library URL USERS.csv RUN-DIRECTORY")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, service(os.Args[1]), os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

// run takes every user of the input through the action, 50 a second, and writes
// report.csv into the run directory.
func run(ctx context.Context, action batch.Action, input, path string) (err error) {
	dir, err := begin(input, path)
	if errors.Is(err, journal.ErrExists) {
		dir, err = journal.Open(path)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	history, err := dir.Replay()
	if err != nil {
		return err
	}
	record, err := history.Start("example", history.RosterSHA256)
	if err != nil {
		return err
	}
	_, stopped := batch.Run(ctx, history.Remaining(nil), batch.ResetOnly(action, pace.New(50)), batch.Options{Journal: record})
	return errors.Join(stopped, record.Close(), write(dir))
}

// begin makes a run directory of the users in a CSV.
func begin(input, path string) (*journal.Dir, error) {
	file, err := os.Open(input)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	users, err := roster.Open(file, roster.Options{Name: input})
	if err != nil {
		return nil, err
	}
	dir, err := journal.Create(path)
	if err != nil {
		return nil, err
	}
	survey, err := dir.Spool(roster.Unique(users.Entries(), strings.ToLower))
	if err == nil {
		err = dir.WriteJSON(journal.RunFile, survey)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Remove())
	}
	return dir, nil
}

// write reports how every row has ended, as far as they have come.
func write(dir *journal.Dir) error {
	history, err := dir.Replay()
	if err != nil {
		return err
	}
	return dir.Write("report.csv", func(file io.Writer) error {
		csv := report.NewCSV(file)
		for result, err := range history.Results(batch.Interrupted) {
			if err != nil {
				return err
			}
			if err := csv.Write(result); err != nil {
				return err
			}
		}
		return csv.Close()
	})
}

// A service is the URL of one that resets passwords.
type service string

// Do implements [batch.Action].
func (s service) Do(ctx context.Context, e batch.Entry) (batch.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(s)+"/"+url.PathEscape(e.Username)+"/reset", nil)
	if err != nil {
		return batch.Answer{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return batch.Answer{}, &batch.Error{Class: batch.ClassInDoubt, Reason: batch.Network, Err: err} // it may have got there
	}
	res.Body.Close()
	answer := batch.Answer{RequestID: res.Header.Get("X-Request-Id")}
	switch res.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return answer, nil
	case http.StatusNotFound:
		return answer, &batch.Error{Class: batch.ClassUser, Reason: batch.UserNotFound}
	case http.StatusTooManyRequests:
		return answer, &batch.Error{Class: batch.ClassThrottle, Reason: batch.Throttled}
	case http.StatusUnauthorized, http.StatusForbidden:
		return answer, &batch.Error{Class: batch.ClassRun, Reason: batch.Credentials}
	}
	return answer, fmt.Errorf("the service answered %s", res.Status)
}
