package fleet

import (
	"testing"

	"cognito-reset/batch/roster"
)

func TestEveryQuotaGroupIsAssignedOnce(t *testing.T) {
	for groups := 1; groups < 12; groups++ {
		for shards := 1; shards < 30; shards++ {
			for group := range groups {
				parts, count := make(map[int]bool), 0
				for i := range shards {
					p, mine := part(group, groups, roster.Shard{Index: i + 1, Count: shards})
					if !mine {
						continue
					}
					parts[p.Index], count = true, max(p.Count, 1)
				}
				if len(parts) != count || count != 1 && !parts[1] && !parts[count] {
					t.Fatalf("group %d of %d is assigned to %d shards as %v of %d", group, groups, shards, parts, count)
				}
			}
		}
	}
}
