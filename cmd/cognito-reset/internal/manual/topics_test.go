package manual

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"cognito-reset/batch"
	"cognito-reset/report"
)

// Every file is a topic, every topic is one that the README links to, and none is long.
func TestTopicsAreFoundAndShort(t *testing.T) {
	files, err := filepath.Glob("topics/*.md")
	if err != nil || len(files) != len(Topics) {
		t.Errorf("%d files, %d topics, %v", len(files), len(Topics), err)
	}
	readme, err := os.ReadFile("../../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Topics {
		text, ok := Topic(name)
		if !ok || Title(name) == "" {
			t.Errorf("%s is not there, or has no title", name)
		}
		if words := len(strings.Fields(text)); words > 900 {
			t.Errorf("%s has %d words", name, words)
		}
		if !strings.Contains(string(readme), "internal/manual/topics/"+name+".md") {
			t.Errorf("the README does not link to %s", name)
		}
	}
	if words := len(strings.Fields(string(readme))); words > 1600 {
		t.Errorf("the README has %d words", words)
	}
	if lines := strings.Count(string(readme), "\n"); lines > 150 {
		t.Errorf("the README has %d lines", lines)
	}
}

// Whatever a report says, a topic says what to do, in the same words.
func TestEveryReasonIsExplained(t *testing.T) {
	text, _ := Topic("troubleshooting")
	for _, reason := range batch.Reasons {
		if row := fmt.Sprintf("| `%s` | %s |", reason, report.Advice(reason)); !strings.Contains(text, row) {
			t.Errorf("the topic does not have %s", row)
		}
	}
}

func TestATopicFitsItsColumns(t *testing.T) {
	for _, name := range slices.Concat(Topics, Playbooks) {
		text, ok := Topic(name)
		if !ok {
			text, _ = Playbook(name)
		}
		for _, columns := range []int{60, 80, 120} {
			fenced := false
			for line := range strings.Lines(Show(text, columns)) {
				line = strings.TrimRight(line, "\n")
				if strings.HasPrefix(line, "```") {
					fenced = !fenced
				}
				if utf8.RuneCountInString(line) > columns && !fenced && strings.Contains(strings.TrimSpace(line), " ") {
					t.Errorf("%s at %d columns: %q", name, columns, line)
				}
			}
		}
	}
}

func TestATableIsWrappedBetweenWords(t *testing.T) {
	const table = "| code | meaning |\n|---|---|\n| 4 | stopped early by a guard |\n| 129, 130 | a signal |\n"
	for columns, want := range map[int]string{
		40: "code      meaning\n4         stopped early by a guard\n129, 130  a signal\n",
		22: "code      meaning\n4         stopped\n          early by a\n          guard\n129, 130  a signal\n",
		10: "code\n    meaning\n4\n    stopped\n    early\n    by a\n    guard\n129, 130\n    a\n    signal\n",
	} {
		if got := showTable(table, columns); got != want {
			t.Errorf("at %d columns:\n%s", columns, got)
		}
	}
}

func TestALinkIsShownAsWhereItLeads(t *testing.T) {
	for text, want := range map[string]string{
		"see [how](message.md), and [the page](../../../../../examples/playbooks/breach.md).": "see how (cognito-reset help message), and the page (cognito-reset help playbook-breach).",
		"a [b] c": "a [b] c",
	} {
		if got := plainLinks(text); got != want {
			t.Errorf("%q", got)
		}
	}
}

func TestOtherWordsLeadToTopics(t *testing.T) {
	for word, topic := range Otherwise {
		if !slices.Contains(Topics, topic) || slices.Contains(Topics, word) {
			t.Errorf("%s leads to %s", word, topic)
		}
	}
}

// Every benchmark and test that the manual says how to run is there.
func TestEveryBenchmarkOfTheManualIsThere(t *testing.T) {
	text, _ := Topic("benchmarks")
	commands := regexp.MustCompile(`(?m)^go test .*-(?:bench|run) (\w+).* \./(\S+?)(?: -.*)?$`).FindAllStringSubmatch(text, -1)
	if n := strings.Count(text, "go test "); len(commands) != n || n < 5 {
		t.Errorf("%d commands, %d of them understood", n, len(commands))
	}
	for _, command := range commands {
		files, _ := filepath.Glob("../../../../" + command[2] + "/*_test.go")
		if !slices.ContainsFunc(files, func(file string) bool {
			source, _ := os.ReadFile(file)
			return strings.Contains(string(source), "func "+command[1]+"(")
		}) {
			t.Errorf("%s is not in %s", command[1], command[2])
		}
	}
}

// Every playbook and text can be read where there is nothing but the binary, and leads on
// by commands there and by paths from the top of the source.
func TestPlaybooksAreInTheBinary(t *testing.T) {
	const root = "../../../../"
	pages, err := filepath.Glob(root + "examples/playbooks/*.md")
	texts, failed := filepath.Glob(root + "examples/playbooks/texts/*.md")
	if err != nil || failed != nil || len(pages)+len(texts) != len(Playbooks) {
		t.Errorf("%v and %v, but %v", pages, texts, Playbooks)
	}
	for _, name := range Playbooks {
		text, ok := Playbook(name)
		if !ok || Title(name) == "" {
			t.Errorf("%s is not there, or has no title", name)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(root + link[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
