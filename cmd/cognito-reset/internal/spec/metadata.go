package spec

import (
	"fmt"
	"maps"
	"strings"

	"github.com/go-json-experiment/json"
)

// ParseMetadata reads --client-metadata as the AWS CLI does: KEY=VALUE,KEY=VALUE, or
// a JSON object of strings. It also takes commas within a value, where no KEY= follows;
// JSON says any value.
func ParseMetadata(texts []string) (map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	values := make(map[string]string)
	for _, text := range texts {
		if strings.HasPrefix(text, "{") {
			var object map[string]string
			if err := json.Unmarshal([]byte(text), &object); err != nil {
				return nil, fmt.Errorf("--client-metadata: the JSON is not an object of strings: %w", err)
			}
			maps.Copy(values, object)
			continue
		}
		for _, pair := range splitPairs(text) {
			key, value, ok := strings.Cut(pair, "=")
			if key = strings.TrimSpace(key); !ok || key == "" {
				return nil, fmt.Errorf("--client-metadata takes KEY=VALUE, KEY=VALUE,KEY=VALUE or a JSON object, not %q", text)
			}
			values[key] = value
		}
	}
	return values, nil
}

// splitPairs splits text at the commas after which another KEY= comes.
func splitPairs(text string) (pairs []string) {
	for part := range strings.SplitSeq(text, ",") {
		if len(pairs) > 0 && !strings.Contains(part, "=") {
			pairs[len(pairs)-1] += "," + part
			continue
		}
		pairs = append(pairs, part)
	}
	return pairs
}

// MetadataPair is a key and a value as ParseMetadata reads them.
func MetadataPair(key, value string) (string, error) {
	if pair := key + "=" + value; !strings.HasPrefix(pair, "{") && len(splitPairs(pair)) == 1 {
		return pair, nil
	}
	text, err := json.Marshal(map[string]string{key: value})
	return string(text), err
}
