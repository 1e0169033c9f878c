package journal_test

import (
	"os"
	"path/filepath"
	"testing"

	"cognito-reset/batch/internal/journaltest"
	"cognito-reset/batch/journal"
)

func TestADirectoryIsARunDirectory(t *testing.T) {
	journaltest.Test(t, func(t *testing.T) journaltest.Place {
		path := filepath.Join(t.TempDir(), "runs", "run")
		at := func(open func(string) (*journal.Dir, error)) func() (*journal.Dir, error) {
			return func() (*journal.Dir, error) { return open(path) }
		}
		return journaltest.Place{
			Create: at(journal.Create), Open: at(journal.Open), View: at(journal.View),
			Litter: func() error {
				if err := os.MkdirAll(path, 0o700); err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(path, "letter.txt"), nil, 0o600)
			},
		}
	})
}
