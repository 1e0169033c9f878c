package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"cognito-reset/batch/journal/disk"
	"cognito-reset/cmd/cognito-reset/internal/exit"
	"cognito-reset/cmd/cognito-reset/internal/flags"
	"cognito-reset/cmd/cognito-reset/internal/rundir"
	"cognito-reset/cmd/cognito-reset/internal/seal"
	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/report/evidence"
)

func (a *app) evidenceCommand() *cli.Command {
	return &cli.Command{
		Name:      "evidence",
		Usage:     "seal the record of a run into one file, and check such a file",
		ArgsUsage: "DIR | check FILE | match",
		UsageText: "cognito-reset evidence DIR --output evidence.zip --sign ~/.ssh/id_ed25519\n" +
			"cognito-reset evidence check evidence.zip --signer id_ed25519.pub\n" +
			"cognito-reset evidence DIR --output outside.zip --pseudonymize --pseudonym-key FILE\n" +
			"cognito-reset evidence match --pseudonym-key FILE < usernames.txt",
		Description: "Note the SHA-256 that it prints where nobody can change it, or sign: without,\n" +
			"anyone who can write the file could forge it.\n\n" +
			"check finds, offline, any byte that was changed, and that the reports say what the\n" +
			"journal says. Ends with 0 if all is well, with 2 if the file is not what it should\n" +
			"be, and with 1 if it could not be checked.\n\n" +
			"match prints the pseudonyms of usernames, as CSV.",
		Flags: append(flags.Record(),
			flags.String(flags.Output, "output", "", "seal into `FILE`"),
			flags.Bool(flags.Output, "overwrite", "although there is such a file"),
			flags.String(flags.Safety, "sign", "", "sign with the SSH private key in `FILE`, such as an Ed25519 one"),
			flags.Bool(flags.Safety, "pseudonymize", "put keyed hashes in place of usernames, and leave out free text and paths"),
			flags.String(flags.Safety, "pseudonym-key", "", "key of these hashes, made if there is no such `FILE`: keep it, and keep it apart"),
			flags.String(flags.Safety, "sha256", "", "check: the bundle must have this SHA-256, in `HEX`"),
			flags.String(flags.Safety, "identity", "", "check: the signer must be `NAME` in the allowed_signers of --signer"),
			flags.String(flags.Safety, "signer", "", "check: it must be signed by a key in `FILE`, a public key or OpenSSH's allowed_signers"),
		),
		Action: func(ctx *cli.Context) error {
			switch ctx.Args().First() {
			case "check":
				return a.checkEvidence(ctx)
			case "match":
				return a.matchEvidence(ctx)
			}
			return a.sealEvidence(ctx)
		},
	}
}

func (a *app) sealEvidence(ctx *cli.Context) (err error) {
	if err := flags.Only(ctx, "profile", "region", "endpoint-url", "expected-bucket-owner", "s3-kms-key", "output", "overwrite", "sign", "pseudonymize", "pseudonym-key"); err != nil {
		return err
	}
	path, err := flags.OneDirectory(ctx)
	if err != nil {
		return err
	}
	output, keyFile := ctx.String("output"), ctx.String("pseudonym-key")
	switch _, err := os.Lstat(output); {
	case output == "":
		return exit.Usagef("say where the bundle goes with --output FILE.zip")
	case err == nil && !ctx.Bool("overwrite"):
		return exit.Usagef("%s is there already: name another file, or say --overwrite", output)
	case ctx.Bool("pseudonymize") != (keyFile != ""):
		return exit.Usagef("--pseudonymize and --pseudonym-key FILE go together: without the key nobody can match what is sealed")
	}
	signer, err := a.signer(ctx.String("sign"))
	if err != nil {
		return err
	}
	record, err := a.openStore(ctx).Ended(ctx.Context, path)
	if err != nil {
		return err
	}
	sealed, err := seal.Seal(ctx.Context, record, path, seal.Options{Output: output, Signer: signer, KeyFile: keyFile, Tool: tool()})
	if err != nil {
		return err
	}
	return a.printSealed(sealed, path, output)
}

// printSealed tells what was sealed.
func (a *app) printSealed(s *seal.Sealed, path, output string) error {
	if s.Open {
		term.Linef(a.Err, "This run is open: a resume would find users to work on. Better evidence comes of cognito-reset resume %s, and sealing after it.", term.Quote(path))
	}
	if s.Stale {
		term.Linef(a.Err, "report.csv in %s is not what the journal says, or was written with other flags: the bundle has it as the journal says.", path)
	}
	if s.Bundle.Signer == nil {
		term.Linef(a.Err, "Note this SHA-256 where nobody can change it, such as in the ticket: anyone who can write the file could forge it, and only that would tell.")
	}
	err := term.Write(a.Out, fmt.Sprintf("%s  %s\n", s.Bundle.SHA256, term.Visible(output)))
	return err
}

// tool is this program.
func tool() evidence.Tool {
	b := builtAs()
	return evidence.Tool{Version: b.Version, Revision: b.Revision, Modified: b.Modified, Go: b.Go}
}

// signer reads a private key; nil without one.
func (a *app) signer(path string) (ssh.Signer, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Usagef("--sign: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
		if !term.IsTerminal(a.In) {
			return nil, exit.Usagef("--sign: %s is encrypted, and there is no terminal to ask for its passphrase on", path)
		}
		fmt.Fprintf(a.Err, "Passphrase of %s: ", path)
		passphrase, asked := term.Password(a.In)
		term.Linef(a.Err, "")
		if asked != nil {
			return nil, asked
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(text, passphrase)
	}
	if err != nil {
		return nil, exit.Usagef("--sign: %s: %w", path, err)
	}
	return signer, nil
}

// matchEvidence prints the pseudonyms of the usernames on standard input.
func (a *app) matchEvidence(ctx *cli.Context) error {
	if err := flags.Only(ctx, "pseudonym-key"); err != nil {
		return err
	}
	if ctx.NArg() > 1 {
		return exit.Usagef("evidence match takes usernames on standard input, one a line, and no argument")
	}
	path := ctx.String("pseudonym-key")
	if path == "" {
		return exit.Usagef("say with --pseudonym-key FILE which key the pseudonyms were made with")
	}
	key, err := evidence.ReadKey(path)
	if err != nil {
		return exit.Usagef("--pseudonym-key: %w", err)
	}
	w := csv.NewWriter(a.Out)
	w.Write([]string{"username", "pseudonym"}) // buffered: an error shows later
	lines := bufio.NewScanner(a.In)
	for lines.Scan() {
		if name := strings.TrimSuffix(lines.Text(), "\r"); name != "" {
			w.Write([]string{name, key.User(name)})
		}
	}
	w.Flush()
	return cmp.Or(lines.Err(), w.Error())
}

// checkEvidence is evidence check FILE.
func (a *app) checkEvidence(ctx *cli.Context) error {
	if err := flags.Only(ctx, "sha256", "signer", "identity"); err != nil {
		return err
	}
	if ctx.NArg() != 2 {
		return exit.Usagef("evidence check takes one bundle: cognito-reset evidence check FILE")
	}
	path := ctx.Args().Get(1)
	signers, err := readSigners(ctx.String("signer"), ctx.String("identity"))
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	defer f.Close() // it was only read
	b, err := seal.Open(f)
	if err == nil {
		err = seal.Expect(b, ctx.String("sha256"), signers)
	}
	var results []string
	if err == nil {
		results, err = seal.Reproduce(ctx.Context, b, a.version)
	}
	if ctx.Context.Err() != nil {
		return exit.Early(context.Cause(ctx.Context))
	}
	if altered, ok := errors.AsType[*evidence.AlteredError](err); ok {
		return exit.Usagef("%s: %w", path, altered)
	} else if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return a.printWhole(b, path, results, signers, ctx.IsSet("sha256"))
}

// readSigners reads the keys that are trusted: those of one identity, if it is named.
func readSigners(path, identity string) (evidence.Signers, error) {
	if path == "" && identity != "" {
		return nil, exit.Usagef("--identity is a name in the allowed_signers of --signer FILE: give that, too")
	}
	if path == "" {
		return nil, nil
	}
	text, err := disk.ReadFile(disk.OS, path)
	if err != nil {
		return nil, exit.Usagef("--signer: %w", err)
	}
	signers, err := evidence.ParseSigners(text)
	if err != nil {
		return nil, exit.Usagef("--signer: %s: %w", path, err)
	}
	if identity == "" {
		return signers, nil
	}
	if signers = signers.Of(identity); signers == nil {
		return nil, exit.Usagef("--identity: %s has no key that %s may sign files with", path, identity)
	}
	return signers, nil
}

// printWhole tells what was proved of a bundle, and what was not.
func (a *app) printWhole(b *evidence.Bundle, path string, reproduced []string, signers evidence.Signers, noted bool) error {
	m := b.Manifest
	var text strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&text, "%-9s  %s\n", label, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&text, "%s: no byte of its files was changed\n", term.Visible(path))
	line("Run", "%s, %s", term.Visible(m.Run), term.Visible(m.State))
	line("Sealed", "%s by cognito-reset %s", m.SealedAt.Format(rundir.Minute), term.Visible(m.Tool.Version))
	line("Journal", "%d lines, up to %s", m.Journal.Lines, term.Visible(cmp.Or(m.Journal.SHA256, "none")))
	line("Reports", "%s say what the journal says", strings.Join(reproduced, ", "))
	var carried []string
	for _, name := range seal.Carried {
		if b.Has(name) {
			carried = append(carried, name)
		}
	}
	if carried != nil {
		line("As sealed", "%s, which do not follow from the journal", strings.Join(carried, ", "))
	}
	if p := m.Pseudonyms; p != nil {
		line("Users", "are pseudonyms, by key %s", term.Visible(p.Key))
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
		term.Linef(a.Err, "Anyone who can write the file could have forged it: compare its SHA-256 with the one that was noted (--sha256), or check who signed it (--signer).")
	}
	return term.Write(a.Out, text.String())
}
