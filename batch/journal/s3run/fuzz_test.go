package s3run

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Whatever lease.json holds, a holder is believed in for a time that ends, and what is
// said of them is short.
func FuzzClaim(f *testing.F) {
	f.Add([]byte(`{"fence":3,"id":"ABC","holder":"process 7 on a since 2026-01-02T03:04:05Z","ttl_seconds":60,"renewed":9,"mark":{"lines":2,"bytes":200}}`))
	f.Add([]byte(`{"fence":3,"id":"ABC","holder":"","ttl_seconds":60}`))
	f.Add([]byte(`{"holder":"x","ttl_seconds":-1}`))
	f.Add([]byte(`{"holder":"x","ttl_seconds":1e300}`))
	f.Add([]byte(`{"holder":"` + strings.Repeat("é", 200) + `","ttl_seconds":1}`))
	f.Add([]byte(`{"mark":` + strings.Repeat("[", 200)))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseClaim(text)
		if err != nil {
			if c != (claim{}) {
				t.Errorf("%+v of no lease", c)
			}
			return
		}
		if c.Holder != "" && (c.ttl() < 0 || c.ttl() > 24*time.Hour) {
			t.Errorf("a holder is believed in for %v", c.ttl())
		}
		if len(c.Holder) > longestHolder+len("…") {
			t.Errorf("a holder of %d bytes", len(c.Holder))
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := parseClaim(again); err != nil || second.Fence != c.Fence || second.ID != c.ID || second.TTL != c.TTL || (second.Mark == nil) != (c.Mark == nil) {
			t.Errorf("%s comes back as %+v, %v", again, second, err)
		}
	})
}
