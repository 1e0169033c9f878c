package flags

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// What a shell offers for a flag is what the help of that flag names.
func TestValuesAreThoseThatTheHelpNames(t *testing.T) {
	elsewhere := []string{"only", "exclude-only", "status", "created-before", "modified-after", "modified-before"} // said once, or in a topic
	seen := 0
	for _, f := range slices.Concat(Source(), Shards(), Answer(), Rates(), Guards(), Display(), []cli.Flag{SignInFlag()}) {
		name, usage := f.Names()[0], f.(cli.DocGenerationFlag).GetUsage()
		for _, value := range Values("run", name) {
			seen++
			if !strings.Contains(usage, value) && !slices.Contains(elsewhere, name) {
				t.Errorf("--%s may be %s, and its help does not say so: %s", name, value, usage)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d values were seen", seen)
	}
}
