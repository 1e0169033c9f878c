package seal

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cognito-reset/batch"
	"cognito-reset/batch/journal"
	"cognito-reset/cmd/cognito-reset/internal/recordtest"
	"cognito-reset/cmd/cognito-reset/internal/render"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report/evidence"
)

// sealFates makes the record of a run of fifty rows, with all that can tell who
// somebody is, ready to be sealed.
func sealFates(t *testing.T) *sealing {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret-place")
	results := recordtest.Fates(50)
	for i, r := range results {
		if results[i].ErrorMessage = "of " + r.Username; r.Outcome != batch.NotAttempted {
			results[i].Before = &batch.Snapshot{Status: "CONFIRMED"}
		}
	}
	recordtest.Make(t, path, results)
	dir := &journal.Dir{Path: path}
	record, err := rundir.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, found := &record.Spec, &record.Found
	r.Inputs, found.InputSHA256, r.Where, r.Reason, r.ApprovedBy = []string{"/home/secret-place/users.csv"}, "secret-input", []string{"email=user-1@x"}, "user-1 asked", "secret-boss"
	found.Caller.ARN, r.Filter, r.Profile, r.EndpointURL = "arn:aws:iam::1:user/secret-caller", `email = "user-1"`, "secret-profile", "http://secret-host"
	r.RoleARN, r.ExternalID, r.SessionName, r.SourceIdentity = "arn:aws:iam::1:role/secret-role", "secret-external", "secret-session", "secret-person"
	r.ExpectedBucketOwner, r.S3KMSKey, found.Caller.Base = "secret-owner", "secret-key", "arn:aws:iam::1:user/secret-base"
	r.ClientMetadata, found.Findings = map[string]string{"k": "secret-note"}, []rundir.Finding{{Name: "caller", Level: rundir.OK, Text: "secret-caller"}}
	if err := record.Save(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		rundir.VerifyFile: "row,username,effect\n1,user-0,waiting\n", rundir.UncoveredFile: "username,status,enabled\nuser-99,CONFIRMED,true\n",
		rundir.PlanFile: "user-1", "report.html": "user-1", "lock": "process 1 on secret-host",
	} {
		if err := os.WriteFile(dir.File(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &sealing{manifest: evidence.Manifest{SealedAt: time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC), Tool: evidence.Tool{Version: "(devel)"}}}
	if err := s.read(record, path); err != nil {
		t.Fatal(err)
	}
	return s
}

// bundle is what a sealing makes.
func (s *sealing) bundle(t *testing.T, members ...evidence.Member) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "bundle.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if members == nil {
		members = s.members()
	}
	if err := evidence.Write(f, s.manifest, nil, members...); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checked is all that evidence check does with a bundle's bytes.
func checked(t *testing.T, bundle []byte) error {
	b, err := evidence.Open(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		return err
	}
	_, err = Reproduce(t.Context(), b, "(devel)")
	return err
}

func TestAThousandChangesOfEvidenceAreFoundAndNamed(t *testing.T) {
	t.Parallel()
	bundle := sealFates(t).bundle(t)
	if err := checked(t, bundle); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		at, change := rand.IntN(len(bundle)), byte(1+rand.IntN(255))
		bundle[at] ^= change
		err := checked(t, bundle)
		bundle[at] ^= change
		within := "" // a file; a zip's own bytes may have another date, say
		for _, f := range r.File {
			if first, err := f.DataOffset(); err != nil {
				t.Fatal(err)
			} else if int64(at) >= first && int64(at) < first+int64(f.CompressedSize64) {
				within = f.Name
			}
		}
		if err == nil && within == "" {
			continue
		}
		found, ok := errors.AsType[*evidence.AlteredError](err)
		if !ok || found.Part == "" || found.What == "" || within != "" && found.Part != within {
			t.Errorf("byte %d, in %q, changed by %#x: found %v", at, within, change, err)
		}
	}
}

func TestEvidenceMadeAnewWithAnotherStoryIsFound(t *testing.T) {
	t.Parallel()
	s := sealFates(t)
	head := s.manifest.Journal
	for name, test := range map[string]struct{ file, old, new, want string }{
		"a row of the report":      {"report.csv", ",user-1,failed,", ",user-1,reset,", "report.csv: line 3 is not what the record says"},
		"a row of the JSON report": {"report.jsonl", `"username":"user-6"`, `"username":"user-7"`, "report.jsonl: line 7 is not"},
		"a count":                  {"summary.json", `"rows": 50`, `"rows": 51`, "summary.json: line "},
		"a check":                  {"preflight.json", "secret-caller", "somebody", "preflight.json: line "},
		"a line of the journal":    {"journal.jsonl", `"outcome":"failed"`, `"outcome":"reset"`, "journal.jsonl: line "},
		"a row of the roster":      {"roster.jsonl", "user-7", "user-8", "roster.jsonl: roster.jsonl is not what run.json says"},
		"a header":                 {"report.csv", "row,", "ROW,", "report.csv: line 1 is not"},
		"an end":                   {"report.csv", "\n50,", "\n50,,", "report.csv: line 51 is not"},
		"a user more in run.json":  {"run.json", `"rows": 50`, `"rows": 5O`, "run.json: it is not that of a run"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := false
			members := s.members()
			for i, m := range members {
				if m.Name != test.file {
					continue
				}
				members[i].Write = func(w io.Writer) error {
					var text bytes.Buffer
					if err := m.Write(&text); err != nil {
						return err
					}
					changed = strings.Contains(text.String(), test.old)
					_, err := io.WriteString(w, strings.Replace(text.String(), test.old, test.new, 1))
					return err
				}
			}
			err := checked(t, s.bundle(t, members...))
			if !changed {
				t.Fatal("the test changed nothing")
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("found %v, not %s", err, test.want)
			}
		})
	}
	s.manifest.Journal.Lines++
	if err := checked(t, s.bundle(t)); err == nil || !strings.HasPrefix(err.Error(), "journal.jsonl: it ends after") {
		t.Errorf("a journal of more lines: %v", err)
	}
	s.manifest.Journal = head
	if err := checked(t, s.bundle(t)); err != nil {
		t.Error(err)
	}
}

func TestNobodyIsNamedInPseudonymizedEvidence(t *testing.T) {
	t.Parallel()
	s := sealFates(t)
	keyFile := filepath.Join(t.TempDir(), "key")
	original := s.manifest.Journal
	if err := s.pseudonymize(keyFile, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	bundle := s.bundle(t)
	if err := checked(t, bundle); err != nil {
		t.Error(err)
	}
	key, err := evidence.ReadKey(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(bundle), int64(len(bundle)))
	if err != nil {
		t.Fatal(err)
	}
	contents := make(map[string]string)
	for _, f := range r.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		contents[f.Name] = string(text)
		for _, word := range []string{"user-", "team ", "secret", original.SHA256, fmt.Sprintf("%x", key)} {
			if at := bytes.Index(text, []byte(word)); at >= 0 {
				t.Errorf("%s holds %q: %q", f.Name, word, text[max(0, at-40):min(len(text), at+40)])
			}
		}
	}
	for name, want := range map[string]string{
		"report.csv":          "\n1," + key.User("user-0") + ",reset,",
		"verify.csv":          "\n1," + key.User("user-0") + ",waiting\n",
		"uncovered.csv":       "\n" + key.User("user-99") + ",CONFIRMED,true\n",
		"roster.jsonl":        `"kept":["` + key.Other("kept", "team 0") + `"]`,
		"run.json":            key.Other("actor", "secret-boss"),
		evidence.ManifestFile: key.Other("journal", original.SHA256),
	} {
		if !strings.Contains(contents[name], want) {
			t.Errorf("%s does not hold %q", name, want)
		}
	}
	if _, ok := contents[rundir.PlanFile]; ok || strings.Join(s.manifest.Pseudonyms.LeftOut, " ") != "plan.json report.html" {
		t.Errorf("left out are %v", s.manifest.Pseudonyms.LeftOut)
	}
}

// What is added to run.json must not be in what leaves the company, nor be left
// by pruning, before somebody has decided so.
func TestAnUnnamedRecordKeepsNoTextThatPeopleWrote(t *testing.T) {
	t.Parallel()
	s := sealFates(t)
	text, err := os.ReadFile(s.record.Dir.File(journal.RunFile))
	if err != nil || !bytes.Contains(text, []byte("secret")) {
		t.Fatalf("the request has no secret: %v", err)
	}
	var out bytes.Buffer
	if err := render.JSON(&out, s.record.Unnamed()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "secret") || strings.Contains(out.String(), "user-1") {
		t.Errorf("it says %s", &out)
	}
}
