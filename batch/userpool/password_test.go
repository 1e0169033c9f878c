package userpool

import (
	"strings"
	"testing"
)

func TestAPasswordHasEveryClassAndIsNeverTheSame(t *testing.T) {
	const alphabet = lowers + uppers + digits + symbols
	if len(alphabet) != 64 {
		t.Fatalf("%d characters are not chosen from evenly by six bits", len(alphabet))
	}
	seen, counts := make(map[string]bool), make(map[rune]int)
	const draws = 5000
	for i := range draws {
		length := 8 + i%92
		password := newPassword(length)
		for _, class := range []string{lowers, uppers, digits, symbols} {
			if !strings.ContainsAny(password, class) {
				t.Fatalf("%d characters, none of %s", length, class)
			}
		}
		if len(password) != length || seen[password] {
			t.Fatalf("%d characters, not %d, or drawn before", len(password), length)
		}
		seen[password] = true
		if length == 99 {
			for _, c := range password {
				counts[c]++
			}
		}
	}
	// 54 passwords of 99 characters: 84 of each on average, and a few more of
	// the two symbols, of which there must be one.
	for _, c := range alphabet {
		if n := counts[c]; n < 30 || n > 160 {
			t.Errorf("%c was drawn %d times", c, n)
		}
	}
}
