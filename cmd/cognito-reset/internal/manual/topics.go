package manual

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"cognito-reset/cmd/cognito-reset/internal/term"
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
	"verify", "evidence", "record", "exit-codes", "environment", "troubleshooting", "shards", "s3", "fleet", "notify", "breach", "message", "aws-cli", "sandbox", "library",
}

// Otherwise are words that people try, and the topics that they mean.
var Otherwise = map[string]string{
	"intro": "start", "introduction": "start", "getting-started": "start", "quickstart": "start", "quick-start": "start", "tutorial": "start", "first": "start", "demo": "start", "example": "start", "examples": "start",
	"csv": "input", "excel": "input", "users": "input", "exclude": "excluding", "rate": "pace", "quota": "pace", "canary": "waves", "env": "environment", "iam": "permissions", "policy": "permissions",
	"exit": "exit-codes", "codes": "exit-codes", "error": "troubleshooting", "errors": "troubleshooting", "stop": "steering", "pause": "steering", "keys": "steering", "watch": "steering", "files": "record", "kubernetes": "shards", "slack": "notify", "email": "message", "sms": "message",
}

// Topic is a topic as it stands in its file; ok is false if there is none of that name.
func Topic(name string) (text string, ok bool) {
	if !slices.Contains(Topics, name) {
		return "", false
	}
	raw, err := topics.ReadFile(path.Join("topics", name+".md"))
	return string(raw), err == nil
}

// Title is the heading of a topic.
func Title(name string) string {
	text, _ := Topic(name)
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimPrefix(first, "# ")
}

// List names the topics, a line each.
func List() string {
	var b strings.Builder
	for _, name := range Topics {
		fmt.Fprintf(&b, "   %-16s %s\n", name, Title(name))
	}
	return b.String()
}

// Show is a topic in so many columns: paragraphs and tables are wrapped, and what stands
// in blocks of code is left as it is, to be copied.
func Show(text string, columns int) string {
	var b strings.Builder
	fenced := false
	for _, block := range strings.SplitAfter(text, "\n\n") {
		if fences := strings.Count(block, "```"); fenced || fences > 0 || strings.HasPrefix(block, "#") {
			fenced = fenced != (fences%2 == 1)
			b.WriteString(block)
			continue
		}
		if strings.HasPrefix(block, "|") {
			b.WriteString(showTable(block, columns) + "\n")
			continue
		}
		for _, item := range items(block) {
			indent := ""
			if strings.HasPrefix(item, "- ") {
				indent = "  "
			}
			b.WriteString(strings.Join(term.Wrap(plainLinks(item), columns-len(indent)), "\n"+indent) + "\n")
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// items are the paragraphs of a block: the items of a list, each by itself.
func items(block string) (all []string) {
	for line := range strings.Lines(strings.TrimSpace(block)) {
		line = strings.TrimSpace(line)
		if len(all) == 0 || strings.HasPrefix(line, "- ") {
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
		b.WriteString(before[:at] + before[at+1:] + " (" + target + ")")
		text = after
	}
}
