package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"cognito-reset/batch"
)

// What the scanner takes, the general decoder takes for the same.
func FuzzScan(f *testing.F) {
	for _, members := range []string{
		`"event":"settled","row":12,"username":"é","outcome":"failed","reason":"other","attempts":2,"throttled":1,"started_at":"2026-01-02T03:04:05.6Z","settled_by":"answer"`,
		`"event":"promised","at":"2026-01-02T03:04:05Z","row":1,"username":"a"`,
		`"promised":1,"username":"a","since":12`, `"reset":1,"username":"a","request_id":"r","since":12,"took":3`, `"settled":1,"outcome":"failed","since":12,"took":3`,
		`"promised":1,"since":12,"took":3`, `"promised":1`, `"promised":1,"settled":1,"since":12`, `"reset":1,"outcome":"reset","since":1,"took":1`, `"reset":1,"since":1`, `"since":1`, `"settled":1,"row":1,"since":1,"took":1`,
		`"promised":1,"username":"a","since":999999999999999999`, `"event":"promised","promised":1,"since":1`, `"promised":0,"since":1`,
		`"row":1,"step":"sign-out","steps":[{"step":"reset","outcome":"reset","attempts":1}],"before":{"status":"CONFIRMED","enabled":true}`,
		`"steps":[{"step":"]"}]`, `"steps":{"step":"a"}`, `"steps":[`, `"before":{"status":"}"}`, `"before":{"status":"\""}`, `"before":null`, `"before":"a"`, `"before":{}{}`,
		`"row":01`, `"row":-1`, `"row":1.0`, `"row":1,`, `"row": 1`, `"row":"1"`, `"row":9999999999999999999`, `"username":1`, `"username":"a\"b"`, `"username":"a\u0062"`, "\"username\":\"a\tb\"",
		"\"username\":\"\xff\"", `"outcome":"lost"`, `"at":"2026-01-02t03:04:05Z"`, `"at":"2026-01-02T03:04:05+00:00"`, `"at":"2026-02-30T03:04:05Z"`, `"kept":["a"]`, `"row":{"a":1,"b":2}`, `"row`, `"row":`, `"username":"`, ``, `,`,
	} {
		f.Add([]byte(members))
	}
	lenient := jsontext.AllowDuplicateNames(true)
	seal := sealOpen + string(bytes.Repeat([]byte("0"), sumLen)) + sealClose
	f.Fuzz(func(t *testing.T, members []byte) {
		var l, wantLine line
		began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for _, end := range []string{seal, lineClose} {
			raw := []byte("{" + string(members) + end)
			if l = (line{}); !l.scan(raw, began) {
				continue
			}
			if what := wantLine.unmarshal(raw, began, lenient); what != "" || !reflect.DeepEqual(l, wantLine) {
				t.Errorf("%s was scanned as %+v; it is %+v, %v", raw, l, wantLine, what)
			}
		}
		var r, wantRow row
		if raw := []byte("{" + string(members) + "}\n"); r.scan(raw) {
			if err := json.Unmarshal(raw, &wantRow, lenient); err != nil || !reflect.DeepEqual(r, wantRow) {
				t.Errorf("%s was scanned as %+v; it is %+v, %v", members, r, wantRow, err)
			}
		}
	})
}

// Or nobody would notice that a long report takes ten times as long.
func TestThePlainLinesOfARunAreScanned(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)
	for _, l := range []line{
		{Event: eventIntent, At: at, Row: 1, Username: "jörg"},
		resultOf(batch.Result{
			Row: 1, Username: "alice", Outcome: batch.Failed, Reason: batch.UserNotFound, Attempts: 2, Throttled: 1, ErrorCode: "UserNotFoundException",
			ErrorMessage: "User does not exist.", RequestID: "r-1", StartedAt: at, FinishedAt: at, SettledBy: batch.ByAnswer,
		}),
	} {
		raw, err := newChain().append(nil, &l)
		if err != nil {
			t.Fatal(err)
		}
		if got := (line{}); !got.scan(raw, time.Time{}) || !reflect.DeepEqual(got, l) {
			t.Errorf("%s was scanned as %+v", raw, got)
		}
	}
	for _, raw := range []string{`{"row":1,"username":"alice"}`, `{"row":2,"input_row":1,"username":"a","outcome":"skipped","reason":"duplicate","detail":"same username as row 1"}`} {
		if r := (row{}); !r.scan([]byte(raw + "\n")) {
			t.Errorf("%s was not scanned", raw)
		}
	}
}

func TestWindowReadsAnyPartOfAFile(t *testing.T) {
	content := make([]byte, 3*blockSize+100)
	for i := range content {
		content[i] = byte(i * i >> 8)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := window{file: f}
	for _, at := range []struct {
		offset int64
		size   int
	}{{0, 10}, {blockSize - 5, 10}, {blockSize - 5, blockOver + 10}, {10, 2 * blockSize}, {3*blockSize + 90, 10}, {2 * blockSize, 1}, {0, 10}} {
		got, err := w.read(at.offset, at.size)
		if want := content[at.offset : at.offset+int64(at.size)]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes, %v", at, len(got), err)
		}
	}
	if _, err := w.read(3*blockSize+90, 11); err == nil {
		t.Error("there is something behind the end")
	}
}
