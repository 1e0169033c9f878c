package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cognito-reset/cmd/cognito-reset/internal/exit"
)

// rewritten is the workbook of the tests with one part replaced.
func rewritten(t *testing.T, name string, write func(io.Writer)) string {
	t.Helper()
	r, err := zip.OpenReader("testdata/cases/users.xlsx")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, part := range r.File {
		if part.Name != name {
			if err := w.Copy(part); err != nil {
				t.Fatal(err)
			}
			continue
		}
		p, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		write(p)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "users.xlsx")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readInput reads an input and says how it ended and how much memory that took, in
// MiB.
func readInput(t *testing.T, input string) (code int, said string, peak int64) {
	t.Helper()
	cmd := exec.Command("cognito-reset", "run", "--user-pool-id", "us-east-1_Sandbox", "--input", input, "--dry-run=offline", "--run", filepath.Join(t.TempDir(), "record"))
	cmd.Env = noAccount()
	out, _ := cmd.CombinedOutput() // the exit code tells
	return cmd.ProcessState.ExitCode(), string(out), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
}

// raceDetector reports whether the tool, which is this test's own program, was built
// with the race detector, whose shadow memory is several times what the tool takes.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// A workbook of 64 KiB that unpacks to a thousand times as much is refused, with little
// memory.
func TestAZipBombIsRefused(t *testing.T) {
	for _, part := range []string{"xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"} {
		t.Run(filepath.Base(part), func(t *testing.T) {
			t.Parallel()
			block := []byte(strings.Repeat("a", 1<<20))
			path := rewritten(t, part, func(w io.Writer) {
				io.WriteString(w, "<x><si><t>")
				for range 64 {
					w.Write(block)
				}
			})
			code, said, peak := readInput(t, path)
			if code != exit.Usage || !strings.Contains(said, "users.xlsx: ") || !strings.Contains(said, "nothing was sent") || peak > 200 && !raceDetector() {
				t.Errorf("ended with %d, at %d MiB: %.400s", code, peak, said)
			}
		})
	}
}

// A workbook is not held in memory: with 100,000 rows the tool stays far below the
// 300 MB that a million may take.
func TestALargeWorkbookIsReadInLittleMemory(t *testing.T) {
	const rows = 100_000
	path := rewritten(t, "xl/worksheets/sheet1.xml", func(w io.Writer) {
		io.WriteString(w, `<worksheet><sheetData><row><c t="inlineStr"><is><t>username</t></is></c></row>`)
		for i := range rows {
			fmt.Fprintf(w, `<row><c t="inlineStr"><is><t>%032d-user</t></is></c></row>`, i)
		}
		io.WriteString(w, `</sheetData></worksheet>`)
	})
	code, said, peak := readInput(t, path)
	if code != exit.Done || !strings.Contains(said, "100,000") && !strings.Contains(said, "100000") {
		t.Errorf("ended with %d: %.400s", code, said)
	}
	if peak > 150 && !raceDetector() {
		t.Errorf("%d MiB", peak)
	}
}
