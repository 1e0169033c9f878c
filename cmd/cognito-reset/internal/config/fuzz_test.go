package config

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"cognito-reset/cmd/cognito-reset/internal/flags"
)

// Whatever a job's file holds, it is read without much memory, and what it says are
// flags that there are.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"rate: 10\ninput: [a.csv, b.csv]\ntargets:\n  - user-pool-id: eu-west-1_A\n    rate: 5\n",
		"client-metadata:\n  a: b\n  c: 1\n", "input: |\n  a\n  b\n", "? [a, b]\n: c\n", "a: &x b\nrate: *x\n", "<<: {rate: 1}\n",
		"- a\n", "rate: !!str 1\n", "--- \nrate: 1\n--- \nrate: 2\n", "rate:\n", "targets: 7\n", "{", "\"", "*a", "&a *a", "%YAML 9\n---\n",
		"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n", strings.Repeat("[", 99), strings.Repeat("- ", 45) + "a",
	} {
		f.Add([]byte(text))
	}
	known := slices.Concat(flags.Config(), flags.Source(), flags.Answer(), flags.Rates(), flags.Account())
	path := filepath.Join(f.TempDir(), "job.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		j, err := Read(path, known)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20+uint64(len(text))*8<<10 {
			t.Errorf("%d bytes took %d MiB", len(text), took>>20)
		}
		if err != nil {
			return
		}
		all := j.Common
		for _, target := range j.Targets {
			all = slices.Concat(all, target.Settings)
		}
		for _, s := range all {
			if s.Flag == "config" || !slices.ContainsFunc(known, func(f cli.Flag) bool { return f.Names()[0] == s.Flag }) {
				t.Errorf("a job sets %q", s.Flag)
			}
		}
	})
}
