package seal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/report/evidence"
)

// Expect compares a bundle with what is known of it elsewhere, as far as it is.
func Expect(b *evidence.Bundle, sum string, signers evidence.Signers) error {
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

// Reproduce makes the reports again from the record in a bundle, in a folder for
// temporary files, and compares them with those in it. It returns their names.
func Reproduce(ctx context.Context, b *evidence.Bundle, version string) (names []string, err error) {
	path, drop, err := disk.TempDir(disk.OS)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	dir := &journal.Dir{Path: path}
	for _, name := range []string{journal.RunFile, journal.RosterFile, journal.JournalFile} {
		if name == journal.JournalFile && b.Manifest.Journal.Lines == 0 && !b.Has(name) { // a look, without a call
			continue
		}
		if err := dir.Write(name, func(f io.Writer) error { return b.Copy(f, name) }); err != nil {
			return nil, err
		}
	}
	r, err := rundir.Load(dir)
	if err != nil {
		return nil, &evidence.AlteredError{Part: journal.RunFile, What: "it is not that of a run"}
	}
	history, err := r.Replay()
	if damage, ok := errors.AsType[*journal.DamageError](err); ok {
		return nil, &evidence.AlteredError{Part: filepath.Base(damage.Path), What: fmt.Sprintf("line %d: %s", damage.Line, damage.What)}
	} else if err != nil {
		return nil, &evidence.AlteredError{Part: journal.RosterFile, What: strings.ReplaceAll(err.Error(), path+string(filepath.Separator), "")}
	}
	if lines, sum := history.Head(); (evidence.Head{Lines: lines, SHA256: sum}) != b.Manifest.Journal {
		return nil, &evidence.AlteredError{Part: journal.JournalFile, What: fmt.Sprintf("it ends after %d lines with %s, and %s says otherwise", lines, sum, evidence.ManifestFile)}
	}
	members := during(ctx, rendered(r, history, b.Manifest.Run))
	errs, compared := make([]error, len(members)), new(sync.WaitGroup)
	for i, m := range members {
		compared.Go(func() {
			errs[i] = b.Compare(m.Name, m.Write)
			if _, altered := errors.AsType[*evidence.AlteredError](errs[i]); altered && !sameBuild(b.Manifest.Tool.Version, version) {
				errs[i] = agrees(b, m)
			}
		})
		names = append(names, m.Name)
	}
	compared.Wait()
	if err := cmp.Or(errs...); err != nil { // of the first file that differs
		return nil, err
	}
	return names, nil
}
