package manual

import (
	"embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/term"
	"cognito-reset/examples/playbooks"
)

// Notices are the licenses and notices of what is in the tool. The file says that they
// are missing; a release puts those of its modules in its place.
//
//go:embed notices.txt
var Notices string

//go:embed topics/*.md
var topics embed.FS

// Topics are the names of the manual's topics, in the order in which one reads them.
var Topics = []string{
	"start", "permissions", "security", "input", "pool", "excluding", "dry-run", "run", "pace", "waves", "plan", "steering", "resume", "report",
	"verify", "evidence", "record", "exit-codes", "environment", "troubleshooting", "shards", "s3", "fleet", "notify", "breach", "message", "aws-cli", "sandbox", "library", "benchmarks",
}

// Playbooks are the names of the pages to go through from top to bottom, and of the texts
// that go with them.
var Playbooks = []string{
	"playbook-breach", "playbook-rotation", "playbook-audit", "text-help-desk", "text-mail-to-users", "text-status-page", "text-lawyer",
}

// playbookFile is where a playbook or text lies below its folder.
func playbookFile(name string) string {
	if text, ok := strings.CutPrefix(name, "text-"); ok {
		return "texts/" + text + ".md"
	}
	return strings.TrimPrefix(name, "playbook-") + ".md"
}

// links is the beginning of a link of a playbook, up the folder or not.
var links = regexp.MustCompile(`\]\((\.\./)*`)

// Playbook is a playbook or text, with links from the top of the source.
func Playbook(name string) (text string, ok bool) {
	if !slices.Contains(Playbooks, name) {
		return "", false
	}
	raw, err := playbooks.Files.ReadFile(playbookFile(name))
	return links.ReplaceAllStringFunc(string(raw), func(link string) string {
		at := path.Join("examples/playbooks", path.Dir(playbookFile(name)), strings.TrimPrefix(link, "]("))
		return "](" + at + "/"
	}), err == nil
}

// Otherwise are words that people try, and the topics that they mean.
var Otherwise = map[string]string{
	"intro": "start", "introduction": "start", "getting-started": "start", "quickstart": "start", "quick-start": "start", "tutorial": "start", "first": "start", "demo": "start", "example": "start", "examples": "start",
	"csv": "input", "excel": "input", "users": "input", "exclude": "excluding", "rate": "pace", "quota": "pace", "benchmark": "benchmarks", "performance": "benchmarks", "speed": "benchmarks", "canary": "waves", "env": "environment", "iam": "permissions", "policy": "permissions",
	"exit": "exit-codes", "codes": "exit-codes", "error": "troubleshooting", "errors": "troubleshooting", "stop": "steering", "pause": "steering", "keys": "steering", "watch": "steering", "files": "record", "kubernetes": "shards", "slack": "notify", "email": "message", "sms": "message",
	"playbook": "breach", "playbooks": "breach", "lawyer": "breach", "help-desk": "waves",
}

// Topic is a topic as it stands in its file; ok is false if there is none of that name.
func Topic(name string) (text string, ok bool) {
	if !slices.Contains(Topics, name) {
		return "", false
	}
	raw, err := topics.ReadFile(path.Join("topics", name+".md"))
	return string(raw), err == nil
}

// Title is the heading of a topic or playbook.
func Title(name string) string {
	text, ok := Topic(name)
	if !ok {
		text, _ = Playbook(name)
	}
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(first, "# ")
}

// List names topics or playbooks, a line each.
func List(names []string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "   %-19s %s\n", name, Title(name))
	}
	return b.String()
}

// Show is a topic in so many columns: paragraphs and tables are wrapped, and what stands
// in blocks of code is left as it is, to be copied.
func Show(text string, columns int) string {
	var b strings.Builder
	fenced := false
	for _, block := range strings.SplitAfter(text, "\n\n") {
		if fences := strings.Count(block, "```"); fenced || fences > 0 {
			fenced = fenced != (fences%2 == 1)
			b.WriteString(block)
			continue
		}
		if strings.HasPrefix(block, "|") {
			b.WriteString(showTable(block, columns) + "\n")
			continue
		}
		for _, item := range items(block) {
			indent := strings.Repeat(" ", len(marker.FindString(item)))
			b.WriteString(strings.Join(term.Wrap(plainLinks(item), columns-len(indent)), "\n"+indent) + "\n")
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// marker begins an item of a list.
var marker = regexp.MustCompile(`^(- |\d+\. )`)

// items are the paragraphs of a block: the items of a list, each by itself.
func items(block string) (all []string) {
	for line := range strings.Lines(strings.TrimSpace(block)) {
		line = strings.TrimSpace(line)
		if len(all) == 0 || marker.MatchString(line) {
			all = append(all, line)
		} else {
			all[len(all)-1] += " " + line
		}
	}
	return all
}

// plainLinks are links without their brackets, with where they lead from the top of the
// source.
func plainLinks(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "](")
		at := strings.LastIndex(before, "[")
		target, after, closed := strings.Cut(rest, ")")
		if !found || !closed || at < 0 {
			return b.String() + text
		}
		target = strings.TrimLeft(target, "./")
		if name, topic := strings.CutSuffix(target, ".md"); topic && slices.Contains(Topics, name) {
			target = "cognito-reset help " + name
		}
		if file, ok := strings.CutPrefix(target, "examples/playbooks/"); ok {
			if i := slices.IndexFunc(Playbooks, func(name string) bool { return playbookFile(name) == file }); i >= 0 {
				target = "cognito-reset help " + Playbooks[i]
			}
		}
		b.WriteString(before[:at] + before[at+1:] + " (" + target + ")")
		text = after
	}
}
