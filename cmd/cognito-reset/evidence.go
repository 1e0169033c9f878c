package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"
	"golang.org/x/term"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/userpool"
	"cognito-reset/report"
	"cognito-reset/report/evidence"
)

func (c *command) evidenceCommand() *cli.Command {
	return &cli.Command{
		Name:      "evidence",
		Usage:     "seal the record of a run into one file, and check such a file",
		ArgsUsage: "DIR | check FILE | match",
		UsageText: "cognito-reset evidence DIR --output evidence.zip --sign ~/.ssh/id_ed25519\n" +
			"cognito-reset evidence check evidence.zip --signer id_ed25519.pub\n" +
			"cognito-reset evidence DIR --output outside.zip --pseudonymize --pseudonym-key FILE\n" +
			"cognito-reset evidence match --pseudonym-key FILE < usernames.txt",
		Description: "Note the SHA-256 that it prints where nobody can change it, or sign: without,\n" +
			"who can write the file could make all of it anew.\n\n" +
			"check finds, offline, any byte that was changed, and that the reports say what the\n" +
			"journal says. Ends with 0 if all is well, with 2 if the file is not what it should\n" +
			"be, and with 1 if it could not be checked.\n\n" +
			"match prints the pseudonyms of usernames, as CSV.",
		Flags: append(recordFlags(),
			stringFlag(groupOutput, "output", "", "seal into `FILE`"),
			boolFlag(groupOutput, "overwrite", "although there is such a file"),
			stringFlag(groupSafety, "sign", "", "sign with the SSH private key in `FILE`, such as an Ed25519 one"),
			boolFlag(groupSafety, "pseudonymize", "put keyed hashes in place of usernames, and leave out free text and paths"),
			stringFlag(groupSafety, "pseudonym-key", "", "key of these hashes, made if there is no such `FILE`: keep it, and keep it apart"),
			stringFlag(groupSafety, "sha256", "", "check: the bundle must have this SHA-256, in `HEX`"),
			stringFlag(groupSafety, "signer", "", "check: it must be signed by a key in `FILE`, a public key or OpenSSH's allowed_signers"),
		),
		Action: func(ctx *cli.Context) error {
			switch ctx.Args().First() {
			case "check":
				return c.checkEvidence(ctx)
			case "match":
				return c.matchEvidence(ctx)
			}
			return c.sealEvidence(ctx)
		},
	}
}

// only refuses flags that another form of the command takes. In the environment
// they may be meant for that.
func only(ctx *cli.Context, names ...string) error {
	for _, f := range ctx.Command.Flags {
		if name := f.Names()[0]; ctx.IsSet(name) && os.Getenv(env(name)[0]) == "" && !slices.Contains(names, name) {
			return usagef("--%s has no meaning here; see cognito-reset %s --help", name, ctx.Command.Name)
		}
	}
	return nil
}

// A sealing is the record that goes into a bundle, under a name.
type sealing struct {
	*command
	run   *journal.Dir // the one that was asked for
	size  int64        // of its journal
	stale bool         // its report is not what the journal says

	dir      *journal.Dir // with the record that is sealed
	request  request
	history  *journal.History
	manifest evidence.Manifest
}

func (c *command) sealEvidence(ctx *cli.Context) (err error) {
	if err := only(ctx, "profile", "region", "endpoint-url", "output", "overwrite", "sign", "pseudonymize", "pseudonym-key"); err != nil {
		return err
	}
	path, err := oneDirectory(ctx)
	if err != nil {
		return err
	}
	output, keyFile := ctx.String("output"), ctx.String("pseudonym-key")
	switch _, err := os.Lstat(output); {
	case output == "":
		return usagef("say where the bundle goes with --output FILE.zip")
	case err == nil && !ctx.Bool("overwrite"):
		return usagef("%s is there already: name another file, or say --overwrite", output)
	case ctx.Bool("pseudonymize") != (keyFile != ""):
		return usagef("--pseudonymize and --pseudonym-key FILE go together: without the key nobody can match what is sealed")
	}
	signer, err := c.signer(ctx.String("sign"))
	if err != nil {
		return err
	}
	s := &sealing{command: c, manifest: evidence.Manifest{SealedAt: time.Now().UTC().Truncate(time.Second), Tool: tool()}}
	if err := s.read(ctx, path); err != nil {
		return err
	}
	if keyFile != "" {
		folder, err := os.MkdirTemp(filepath.Dir(output), "pseudonymized-*.tmp") // mode 0700
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		if err := s.pseudonymize(keyFile, folder); err != nil {
			return err
		}
	}
	bundle, err := s.write(ctx.Context, output, signer)
	switch {
	case ctx.Context.Err() != nil:
		return (&session{command: c}).stopError(context.Cause(ctx.Context))
	case err != nil:
		return fmt.Errorf("%s was not written: %w", output, err)
	}
	return c.saySealed(bundle, s, path, output)
}

// read takes the record of a run that nobody works on.
func (s *sealing) read(ctx *cli.Context, path string) (err error) {
	if s.dir, err = s.ended(ctx, path, &s.request); err != nil {
		return err
	}
	s.run, s.size = s.dir, journalSize(s.dir)
	if s.history, err = replay(s.dir, s.request); err != nil {
		return &exit{exitUsage, err}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	m := &s.manifest
	m.Run, m.State = filepath.Base(absolute), "finished"
	if left, _ := s.history.Open(); left > 0 && !s.request.DryRun && !s.request.Sandbox {
		m.State = "open"
	}
	m.Journal.Lines, m.Journal.SHA256 = s.history.Head()
	return nil
}

// carriedFiles are those of a run directory that do not follow from its record. A
// bundle has them as they are.
var carriedFiles = []string{planFile, "report.html", uncoveredFile, verifyFile}

// members are the files of the bundle.
func (s *sealing) members() []evidence.Member {
	members := rendered(s.dir, s.history, s.request, s.manifest.Run)
	for _, name := range append([]string{journal.RunFile, journal.RosterFile, journal.JournalFile}, carriedFiles...) {
		if _, err := os.Stat(s.dir.File(name)); !errors.Is(err, fs.ErrNotExist) {
			members = append(members, evidence.Member{Name: name, Write: func(w io.Writer) error { return copyFile(w, s.dir.File(name)) }})
		}
	}
	return members
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	_, err = io.Copy(w, f)
	return err
}

// rendered are the files that follow from the record of a run, in its directory
// under that name.
func rendered(dir *journal.Dir, history *journal.History, r request, name string) []evidence.Member {
	pour := func(writers ...report.Writer) (report.Summary, error) {
		rec := newRecord(dir, history, r, nil)
		rec.summary.RunDirectory = name
		err := rec.pour(writers...)
		return rec.summary, err
	}
	return []evidence.Member{
		{Name: "preflight.json", Write: func(w io.Writer) error {
			return writeJSON(w, struct {
				UserPoolID string  `json:"user_pool_id"`
				Checks     []check `json:"checks"`
			}{r.UserPoolID, r.Preflight})
		}},
		{Name: "report.csv", Write: func(w io.Writer) error {
			_, err := pour(r.newCSV(w))
			return err
		}},
		{Name: "report.jsonl", Write: func(w io.Writer) error {
			_, err := pour(report.NewJSONL(w, r.Keep...))
			return err
		}},
		{Name: summaryFile, Write: func(w io.Writer) error {
			summary, err := pour()
			return cmp.Or(err, writeJSON(w, summary))
		}},
	}
}

func writeJSON(w io.Writer, v any) error {
	text, err := json.Marshal(v, jsontext.WithIndent("  "), json.Deterministic(true))
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

// write seals the record into a file, whole or not at all, and reads it back. What
// it returns tells of the file, and can read it no more.
func (s *sealing) write(ctx context.Context, output string, signer ssh.Signer) (bundle *evidence.Bundle, err error) {
	folder := journal.Dir{Path: filepath.Dir(output)}
	err = folder.Write(filepath.Base(output), func(f *os.File) error {
		if err := evidence.Write(f, s.manifest, signer, during(ctx, s.members())...); err != nil {
			return err
		}
		if s.run.Held() || journalSize(s.run) != s.size {
			return fmt.Errorf("%s was taken up in the meantime: seal it when that has ended", s.run.Path)
		}
		if bundle, err = openBundle(f); err != nil {
			return err
		}
		if s.dir == s.run {
			_, s.stale = errors.AsType[*evidence.AlteredError](bundle.Compare("report.csv", func(w io.Writer) error { return copyFile(w, s.run.File("report.csv")) }))
		}
		return nil
	})
	return bundle, err
}

// journalSize is in bytes; a journal that is not there has none.
func journalSize(dir *journal.Dir) int64 {
	info, err := os.Stat(dir.File(journal.JournalFile))
	if err != nil {
		return 0
	}
	return info.Size()
}

// during lets the writing of members end with a context.
func during(ctx context.Context, members []evidence.Member) []evidence.Member {
	for i, m := range members {
		members[i].Write = func(w io.Writer) error {
			return m.Write(writerFunc(func(p []byte) (int, error) {
				if err := context.Cause(ctx); err != nil {
					return 0, err
				}
				return w.Write(p)
			}))
		}
	}
	return members
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func openBundle(f *os.File) (*evidence.Bundle, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return evidence.Open(f, info.Size())
}

func (c *command) saySealed(b *evidence.Bundle, s *sealing, path, output string) error {
	if s.manifest.State == "open" {
		say(c.stderr, "This run is open: a resume would find users to work on. Better evidence comes of cognito-reset resume %s, and sealing after it.", quotePath(path))
	}
	if s.stale {
		say(c.stderr, "report.csv in %s is not what the journal says, or was written with other flags: the bundle has it as the journal says.", path)
	}
	if b.Signer == nil {
		say(c.stderr, "Note this SHA-256 where nobody can change it, such as in the ticket: who can write the file could make all of it anew, and only that would tell.")
	}
	_, err := fmt.Fprintf(c.stdout, "%s  %s\n", b.SHA256, output)
	return err
}

// tool is this program.
func tool() evidence.Tool {
	t := evidence.Tool{Version: version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	t.Go = info.GoVersion
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			t.Revision = setting.Value
		case "vcs.modified":
			t.Modified = setting.Value == "true"
		}
	}
	return t
}

// signer reads a private key; nil without one.
func (c *command) signer(path string) (ssh.Signer, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--sign: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
		if !term.IsTerminal(int(c.stdin.Fd())) {
			return nil, usagef("--sign: %s is encrypted, and there is no terminal to ask for its passphrase on", path)
		}
		fmt.Fprintf(c.stderr, "Passphrase of %s: ", path)
		passphrase, asked := term.ReadPassword(int(c.stdin.Fd()))
		say(c.stderr, "")
		if asked != nil {
			return nil, asked
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(text, passphrase)
	}
	if err != nil {
		return nil, usagef("--sign: %s: %w", path, err)
	}
	return signer, nil
}

// pseudonymize puts another record, in an empty folder, in the place of the run's:
// one in which nobody is named.
func (s *sealing) pseudonymize(keyFile, folder string) error {
	key, err := evidence.OpenKey(keyFile)
	if err != nil {
		return usagef("--pseudonym-key: %w", err)
	}
	from, to, m := s.dir, &journal.Dir{Path: folder}, &s.manifest
	m.Pseudonyms = &evidence.Pseudonyms{Key: key.ID(), Journal: m.Journal}
	if head := m.Journal.SHA256; head != "" {
		// As it is, names could be tried against it.
		m.Pseudonyms.Journal.SHA256 = key.Other("journal", head)
	}
	r := s.request.unnamed()
	m.Run = runName(r.CreatedAt, r.UserPoolID)
	actor := func(who string) string { return key.Other("actor", who) }
	if r.Roster, err = from.CopyMasked(to, journal.Mask{
		User: key.User, Actor: actor,
		Kept: func(value string) string { return key.Other("kept", value) },
	}); err != nil {
		return err
	}
	if r.InputSHA256 != "" {
		r.InputSHA256 = key.Other("input", r.InputSHA256)
	}
	if who := s.request.Caller; who.ARN != "" {
		r.Caller = userpool.Caller{Account: who.Account, ARN: actor(who.ARN)}
	}
	if who := s.request.ApprovedBy; who != "" {
		r.ApprovedBy = actor(who)
	}
	if err := to.WriteJSON(journal.RunFile, r); err != nil {
		return err
	}
	for _, name := range carriedFiles {
		switch _, err := os.Stat(from.File(name)); {
		case errors.Is(err, fs.ErrNotExist):
		case name == uncoveredFile || name == verifyFile:
			if err := pseudonymizeCSV(to, from, name, key); err != nil {
				return err
			}
		default:
			m.Pseudonyms.LeftOut = append(m.Pseudonyms.LeftOut, name)
		}
	}
	s.dir, s.request = to, r
	if s.history, err = replay(to, r); err != nil {
		return err
	}
	m.Journal.Lines, m.Journal.SHA256 = s.history.Head()
	return nil
}

// pseudonymizeCSV copies a file of a run directory with other usernames.
func pseudonymizeCSV(to, from *journal.Dir, name string, key evidence.Key) error {
	in, err := os.Open(from.File(name))
	if err != nil {
		return err
	}
	defer in.Close() // it was only read
	return to.Write(name, func(out *os.File) error {
		r, w := csv.NewReader(in), csv.NewWriter(out)
		column, sub := -1, -1
		for {
			cells, err := r.Read()
			switch {
			case errors.Is(err, io.EOF):
				w.Flush()
				return w.Error()
			case err != nil:
				return fmt.Errorf("%s: %w", in.Name(), err)
			case column >= 0:
				cells[column] = key.User(cells[column])
				if sub >= 0 && cells[sub] != "" {
					cells[sub] = key.User(cells[sub])
				}
			default:
				if column = slices.Index(cells, "username"); column < 0 {
					return fmt.Errorf("%s has no column username, so it cannot be told who is named there: delete it, or make it anew", in.Name())
				}
				sub = slices.Index(cells, "sub")
			}
			if err := w.Write(cells); err != nil {
				return err
			}
		}
	})
}

// matchEvidence prints the pseudonyms of the usernames on standard input.
func (c *command) matchEvidence(ctx *cli.Context) error {
	if err := only(ctx, "pseudonym-key"); err != nil {
		return err
	}
	if ctx.NArg() > 1 {
		return usagef("evidence match takes usernames on standard input, one a line, and no argument")
	}
	path := ctx.String("pseudonym-key")
	if path == "" {
		return usagef("say with --pseudonym-key FILE which key the pseudonyms were made with")
	}
	key, err := evidence.ReadKey(path)
	if err != nil {
		return usagef("--pseudonym-key: %w", err)
	}
	w := csv.NewWriter(c.stdout)
	w.Write([]string{"username", "pseudonym"}) // buffered: an error shows later
	lines := bufio.NewScanner(c.stdin)
	for lines.Scan() {
		if name := strings.TrimSuffix(lines.Text(), "\r"); name != "" {
			w.Write([]string{name, key.User(name)})
		}
	}
	w.Flush()
	return cmp.Or(lines.Err(), w.Error())
}
