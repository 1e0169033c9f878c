package flags

import (
	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
	"cognito-reset/cmd/cognito-reset/internal/render"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// Values are what a flag of a command may be, where that is one of a few words; nil where
// it may be anything.
func Values(command, flag string) []string {
	if command == "report" && flag == "format" {
		return render.Formats
	}
	switch flag {
	case "only", "exclude-only":
		return rowWords()
	case "match":
		return userpool.MatchAttributes
	case "status":
		return statuses()
	}
	return values[flag]
}

var (
	formats = []string{"auto", "csv", "jsonl", "json", "xlsx"}
	periods = []string{"quarter", "month", "year"}
	values  = map[string][]string{
		"format": formats, "exclude-format": formats,
		"rotate-every": periods, "created-after": periods, "created-before": periods, "modified-after": periods, "modified-before": periods,
		"steps":             stepLists,
		"if-unresettable":   {"report", "lock", "disable", "invite"},
		"if-reset-required": {"skip", "again"},
		"username-case":     {"sensitive", "insensitive"},
		"sign-in":           {"username", "email"},
		"dry-run":           {"live", "offline"},
		"rate":              {"auto"},
		"shard":             {"auto"},
		"delimiter":         {"tab"},
		"on-message-limit":  {"stop", "wait"},
		"on-unknown":        {"report", "retry"},
		"stop-on-failures":  {"off"},
		"retry":             {"failed", "unknown"},
		"log-level":         {"debug", "info", "warn", "error"},
		"log-format":        {"text", "json"},
	}
)

// rowWords are the words of a report that choose among its rows.
func rowWords() (words []string) {
	for _, o := range batch.Outcomes {
		words = append(words, string(o))
	}
	for _, r := range batch.Reasons {
		words = append(words, string(r))
	}
	return words
}

func statuses() (words []string) {
	for _, status := range types.UserStatusType("").Values() {
		words = append(words, string(status))
	}
	return words
}
