package evidence

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Whatever allowed_signers hold, a key is trusted only if its line has it, and no line
// with an option that is not known here is taken for one without.
func FuzzSigners(f *testing.F) {
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key(f).PublicKey())))
	for _, text := range []string{
		public, "ann@example.com " + public, "*@example.com,!bob@example.com namespaces=\"file\" " + public,
		"ann namespaces=\"!file,*\" " + public, "ann cert-authority " + public, "ann valid-before=\"20200101\" " + public,
		"# " + public, "a" + strings.Repeat("*a", 200) + " " + public, "\"a b\" " + public, "ann NAMESPACES=\"FILE\" " + public, "ann namespaces=\"a\",namespaces=\"file\" " + public,
	} {
		f.Add(text, "ann@example.com")
	}
	f.Fuzz(func(t *testing.T, text, identity string) {
		signers, err := ParseSigners([]byte(text))
		if err != nil {
			return
		}
		if len(signers) == 0 {
			t.Error("it is no error that nobody may sign")
		}
		for _, s := range signers {
			if _, trusted := signers.Find(s.key); !trusted {
				t.Errorf("the key of %q is not trusted", s.who)
			}
		}
		for _, s := range signers.Of(identity) {
			if !matches(s.who, identity) {
				t.Errorf("%q is taken for %q", s.who, identity)
			}
		}
		for line := range strings.Lines(text) {
			for _, option := range []string{"cert-authority", "valid-after", "valid-before", "verify-required"} {
				fields := strings.Fields(line)
				if len(fields) > 2 && fields[1] == option && !strings.HasPrefix(fields[0], "#") && !strings.ContainsAny(fields[0], "\"\\") {
					t.Errorf("%q is taken", line)
				}
			}
		}
	})
}
