package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// namespace is that of files, as for ssh-keygen -Y sign -n file.
const namespace = "file"

func sign(manifest []byte, signer ssh.Signer) ([]byte, error) {
	signature, err := sshsig.Sign(bytes.NewReader(manifest), signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, err
	}
	return sshsig.Armor(signature), nil
}

// verify returns the key of a good signature, which must be the one of that
// fingerprint.
func verify(manifest, armored []byte, fingerprint string) (ssh.PublicKey, error) {
	signature, err := sshsig.Unarmor(armored)
	if err != nil {
		return nil, fmt.Errorf("it is not a signature: %w", err)
	}
	key := signature.PublicKey
	if !bytes.Equal(armored, sshsig.Armor(signature)) || ssh.FingerprintSHA256(key) != fingerprint {
		return nil, fmt.Errorf("it was changed: it is not the signature of %s", fingerprint)
	}
	if err := sshsig.Verify(bytes.NewReader(manifest), signature, key, signature.HashAlgorithm, namespace); err != nil {
		return nil, fmt.Errorf("it is no signature of this %s: %w", ManifestFile, err)
	}
	return key, nil
}

// Signers are the keys that somebody trusts, and whose they are.
type Signers []signer

type signer struct {
	key ssh.PublicKey
	who string
}

// ParseSigners reads a public key as ssh-keygen writes it, or the allowed signers
// of OpenSSH: principals, options and a key to a line. Of the options it knows
// namespaces; a line with another one is refused, as it would allow too much.
func ParseSigners(text []byte) (signers Signers, err error) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		s, options, err := parseSigner(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if forFiles, err := allows(options); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		} else if forFiles {
			signers = append(signers, s)
		}
	}
	if len(signers) == 0 {
		return nil, errors.New("there is no key in it that may sign files")
	}
	return signers, nil
}

func parseSigner(line string) (s signer, options []string, err error) {
	kind, _, _ := strings.Cut(line, " ")
	key := []byte(line)
	if !strings.HasPrefix(kind, "ssh-") && !strings.HasPrefix(kind, "ecdsa-") && !strings.HasPrefix(kind, "sk-") {
		principals, rest, _ := strings.Cut(line, " ")
		s.who, key = strings.Trim(principals, `"`), []byte(rest)
	}
	var comment string
	if s.key, comment, options, _, err = ssh.ParseAuthorizedKey(key); err != nil {
		return s, nil, errors.New("this is neither a public key nor an allowed signer")
	}
	if s.who == "" {
		s.who = comment
	}
	return s, options, nil
}

// allows reports whether options let a key sign files.
func allows(options []string) (bool, error) {
	allowed := true
	for _, option := range options {
		name, value, _ := strings.Cut(option, "=")
		if !strings.EqualFold(name, "namespaces") {
			return false, fmt.Errorf("the option %s is not known here", name)
		}
		allowed = matches(strings.Trim(value, `"`), namespace)
	}
	return allowed, nil
}

// matches reports whether a name is in a list of OpenSSH's patterns: in one of them,
// and in none with an exclamation mark before it.
func matches(patterns, name string) (found bool) {
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern, not := strings.CutPrefix(pattern, "!")
		// Of what path.Match knows, OpenSSH has * and ? alone, and * takes a slash.
		literal := strings.NewReplacer(`\`, `\\`, "[", `\[`, "/", "\x00").Replace(pattern)
		matched, err := path.Match(literal, strings.ReplaceAll(name, "/", "\x00"))
		switch {
		case err != nil || !matched:
		case not:
			return false
		default:
			found = true
		}
	}
	return found
}

// Of are those of the keys that somebody's identity may sign with, by the principals
// of allowed signers.
func (s Signers) Of(identity string) (its Signers) {
	for _, signer := range s {
		if matches(signer.who, identity) {
			its = append(its, signer)
		}
	}
	return its
}

// Find tells whose a key is, and whether it is trusted at all.
func (s Signers) Find(key ssh.PublicKey) (who string, trusted bool) {
	for _, signer := range s {
		if bytes.Equal(signer.key.Marshal(), key.Marshal()) {
			return signer.who, true
		}
	}
	return "", false
}
