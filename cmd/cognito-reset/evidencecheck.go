package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"cognito-reset/batch/journal"
	"cognito-reset/report/evidence"
)

// checkEvidence is evidence check FILE.
func (c *command) checkEvidence(ctx *cli.Context) error {
	if err := only(ctx, "sha256", "signer"); err != nil {
		return err
	}
	if ctx.NArg() != 2 {
		return usagef("evidence check takes one bundle: cognito-reset evidence check FILE")
	}
	path := ctx.Args().Get(1)
	signers, err := readSigners(ctx.String("signer"))
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return &exit{exitUsage, err}
	}
	defer f.Close() // it was only read
	b, err := openBundle(f)
	if err == nil {
		err = expect(b, ctx.String("sha256"), signers)
	}
	var results []string
	if err == nil {
		results, err = reproduce(ctx.Context, b)
	}
	if ctx.Context.Err() != nil {
		return (&session{command: c}).stopError(context.Cause(ctx.Context))
	}
	if altered, ok := errors.AsType[*evidence.AlteredError](err); ok {
		return usagef("%s: %w", path, altered)
	} else if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.sayWhole(b, path, results, signers, ctx.IsSet("sha256"))
}

func readSigners(path string) (evidence.Signers, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--signer: %w", err)
	}
	signers, err := evidence.ParseSigners(text)
	if err != nil {
		return nil, usagef("--signer: %s: %w", path, err)
	}
	return signers, nil
}

// expect compares a bundle with what is known of it elsewhere, as far as it is.
func expect(b *evidence.Bundle, sum string, signers evidence.Signers) error {
	if sum != "" && !strings.EqualFold(sum, b.SHA256) {
		return &evidence.AlteredError{Part: "the bundle", What: fmt.Sprintf("its SHA-256 is %s, not %s: it is another one, or was made anew", b.SHA256, sum)}
	}
	if signers == nil {
		return nil
	}
	if b.Signer == nil {
		return &evidence.AlteredError{Part: "the bundle", What: "it is not signed"}
	}
	if _, trusted := signers.Find(b.Signer); !trusted {
		return &evidence.AlteredError{Part: evidence.SignatureFile, What: fmt.Sprintf("it was signed by %s, who is not one of --signer", ssh.FingerprintSHA256(b.Signer))}
	}
	return nil
}

// reproduce makes the reports again from the record in a bundle, in a folder for
// temporary files, and compares them with those in it. It returns their names.
func reproduce(ctx context.Context, b *evidence.Bundle) (names []string, err error) {
	path, err := os.MkdirTemp("", "cognito-reset-evidence-*") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(path)) }()
	dir := &journal.Dir{Path: path}
	for _, name := range []string{journal.RunFile, journal.RosterFile, journal.JournalFile} {
		if name == journal.JournalFile && b.Manifest.Journal.Lines == 0 && !b.Has(name) { // a look, without a call
			continue
		}
		if err := dir.Write(name, func(f *os.File) error { return b.Copy(f, name) }); err != nil {
			return nil, err
		}
	}
	var r request
	if err := dir.ReadJSON(journal.RunFile, &r); err != nil {
		return nil, &evidence.AlteredError{Part: journal.RunFile, What: "it is not that of a run"}
	}
	history, err := replay(dir, r)
	if damage, ok := errors.AsType[*journal.DamageError](err); ok {
		return nil, &evidence.AlteredError{Part: filepath.Base(damage.Path), What: fmt.Sprintf("line %d: %s", damage.Line, damage.What)}
	} else if err != nil {
		return nil, &evidence.AlteredError{Part: journal.RosterFile, What: strings.ReplaceAll(err.Error(), path+string(filepath.Separator), "")}
	}
	if lines, sum := history.Head(); (evidence.Head{Lines: lines, SHA256: sum}) != b.Manifest.Journal {
		return nil, &evidence.AlteredError{Part: journal.JournalFile, What: fmt.Sprintf("it ends after %d lines with %s, and %s says otherwise", lines, sum, evidence.ManifestFile)}
	}
	for _, m := range during(ctx, rendered(dir, history, r, b.Manifest.Run)) {
		if err := b.Compare(m.Name, m.Write); err != nil {
			if by := b.Manifest.Tool; by.Version != version() {
				err = fmt.Errorf("%w; it was sealed by cognito-reset %s, and this is %s, whose reports may be others: check it with that version", err, by.Version, version())
			}
			return nil, err
		}
		names = append(names, m.Name)
	}
	return names, nil
}

// sayWhole tells what was proved of a bundle, and what was not.
func (c *command) sayWhole(b *evidence.Bundle, path string, reproduced []string, signers evidence.Signers, noted bool) error {
	m := b.Manifest
	var text strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&text, "%-9s  %s\n", label, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&text, "%s: no byte was changed\n", path)
	line("Run", "%s, %s", m.Run, m.State)
	line("Sealed", "%s by cognito-reset %s", m.SealedAt.Format(verifyTime), m.Tool.Version)
	line("Journal", "%d lines, up to %s", m.Journal.Lines, cmp.Or(m.Journal.SHA256, "none"))
	line("Reports", "%s say what the journal says", strings.Join(reproduced, ", "))
	var carried []string
	for _, name := range carriedFiles {
		if b.Has(name) {
			carried = append(carried, name)
		}
	}
	if carried != nil {
		line("As sealed", "%s, which do not follow from the journal", strings.Join(carried, ", "))
	}
	if p := m.Pseudonyms; p != nil {
		line("Users", "are pseudonyms, by key %s", p.Key)
	}
	if b.Signer != nil {
		who, trusted := signers.Find(b.Signer)
		if !trusted {
			who = "whoever that is: say --signer FILE to trust it"
		}
		line("Signed by", "%s, %s", ssh.FingerprintSHA256(b.Signer), who)
	}
	line("SHA-256", "%s", b.SHA256)
	if signers == nil && !noted {
		say(c.stderr, "Who can write the file could have made all of it anew: compare its SHA-256 with the one that was noted (--sha256), or check who signed it (--signer).")
	}
	_, err := fmt.Fprint(c.stdout, text.String())
	return err
}
