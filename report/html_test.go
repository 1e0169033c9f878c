package report

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"cognito-reset/batch"
)

// hostile are usernames that would be more than text.
var hostile = []string{
	`<script>document.title="owned"</script>`, `</script><img src=x onerror="document.title='owned'">`, "\u202egro.elpmaxe@bob",
	strings.Repeat("long", 2500), "👩‍👩‍👧‍👦😀", `"'&<>`, "a\u2028b", "{{.}}",
}

// pageOf is a page of so many rows of every kind, hostile ones first.
func pageOf(tb testing.TB, rows int) string {
	tb.Helper()
	p := NewPage("team")
	p.Facts = []Fact{{"user pool", "eu-west-1_AbCdEfGhI"}, {"users", "leaked.csv"}}
	p.CSV, p.Reason, p.ApprovedBy = "report.csv", "INC-4711", "ann@example.com"
	long := time.Duration(rows) * time.Second / 20
	p.Went(Wave{"canary", start}, Wave{"wave 1", start.Add(long / 10)}, Wave{"wave 2", start.Add(long / 2)})
	p.Rests = []Rest{{"paused", start.Add(long / 5), start.Add(long / 3)}, {"stopped", start.Add(2 * long / 3), start.Add(2*long/3 + time.Second)}}
	s := Summary{
		UserPoolID: "eu-west-1_AbCdEfGhI", UserPoolName: "prod-eu", Account: "123456789012", Region: "eu-west-1", RunDirectory: "night", RateAsked: 20,
		ElapsedSeconds: float64(rows) / 20, StartedAt: start, FinishedAt: start.Add(time.Duration(rows) * time.Second / 20), StoppedBecause: "interrupted",
	}
	for i := range rows {
		r := batch.Result{Row: int64(i + 1), Username: fmt.Sprintf("user-%07d", i+1), Outcome: batch.Reset, Attempts: 1 + i%50/48, SettledBy: batch.ByAnswer, Kept: []string{"<b>team</b>"}}
		if rows > 10_000 { // as real ones are
			r.Kept = []string{"sales"}
		}
		r.StartedAt = start.Add(time.Duration(i) * time.Second / 20)
		r.FinishedAt = r.StartedAt.Add(time.Duration(80+i%400) * time.Millisecond)
		if r.Throttled = i % 50 / 49; i < len(hostile) {
			r.Username = hostile[i]
		}
		switch i % 20 {
		case 3:
			r.Outcome, r.Reason, r.ErrorMessage = batch.Failed, batch.NoVerifiedContact, "no <verified> contact"
		case 7:
			r.Outcome, r.Reason, r.Attempts, r.StartedAt, r.FinishedAt = batch.Skipped, batch.Duplicate, 0, time.Time{}, time.Time{}
		case 11:
			r.Outcome, r.Reason = batch.Unknown, batch.Network
		}
		if err := p.Write(r); err != nil {
			tb.Fatal(err)
		}
		if err := s.Write(r); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	if err := p.Render(&b, s); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// A visit is a page open in Chromium, with all that it did.
type visit struct {
	context.Context
	mu       sync.Mutex
	requests []string
	console  []string
}

// open opens a page with rows in a browser of its own, so wide, by whatever scheme.
func open(tb testing.TB, html string, width int64, dark bool) *visit {
	tb.Helper()
	return openUntil(tb, "#table tbody button", html, width, dark)
}

// openUntil opens a page, and waits until something of it is there.
func openUntil(tb testing.TB, ready, html string, width int64, dark bool) *visit {
	tb.Helper()
	var browser string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		tb.Skip("Chromium is not here to open the page")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, html)
	}))
	tb.Cleanup(server.Close)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(func() { chromedp.Cancel(ctx); cancel() })
	v := &visit{Context: ctx}
	err := chromedp.Listen(ctx, func(event any) {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "data:") {
				v.requests = append(v.requests, e.Request.URL)
			}
		case *runtime.EventConsoleAPICalled:
			v.console = append(v.console, fmt.Sprint(e.Type))
		case *runtime.EventExceptionThrown:
			v.console = append(v.console, e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(tb, v, network.Enable, network.EnableParams{})
	call(tb, v, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	v.do(tb, chromedp.EmulateViewport(width, 900),
		chromedp.Navigate(server.URL+"/"), chromedp.WaitReady(ready))
	return v
}

func (v *visit) do(tb testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	tb.Helper()
	if err := chromedp.Do(v, steps...); err != nil {
		tb.Fatal(err)
	}
}

func call[P, R any](tb testing.TB, v *visit, command cdp.Command[P, R], params P) {
	tb.Helper()
	if _, err := chromedp.Call(v, command, params); err != nil {
		tb.Fatal(err)
	}
}

func eval[T any](tb testing.TB, v *visit, script string) T {
	tb.Helper()
	result, err := chromedp.Run(v, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.Fatal(err)
	}
	return result
}

// choose sets what stands in a field, as a person does.
func (v *visit) choose(tb testing.TB, field, value string) {
	tb.Helper()
	eval[chromedp.Void](tb, v, fmt.Sprintf(`{ const f = document.getElementById(%q); f.value = %q; f.dispatchEvent(new Event("change")); f.form.requestSubmit(); null }`, field, value))
}

func (v *visit) matches(tb testing.TB) string {
	return eval[string](tb, v, `document.getElementById("matches").textContent`)
}

// first is what the table shows of the first row in a column, from 1.
func (v *visit) first(tb testing.TB, column int) string {
	return eval[string](tb, v, fmt.Sprintf(`document.querySelector("#table tbody tr[aria-rowindex='2'] td:nth-child(%d)").textContent`, column))
}

func TestThePageIsSearchedFilteredAndSorted(t *testing.T) {
	t.Parallel()
	v := open(t, pageOf(t, 2000), 1280, false)
	if got := v.matches(t); got != "2,000 of 2,000 rows" {
		t.Errorf("it shows %s", got)
	}
	if got := v.first(t, 1); got != "failed" {
		t.Errorf("the first row is %s, not one that needs attention", got)
	}
	v.choose(t, "outcome", "unknown")
	if got := v.matches(t); got != "100 of 2,000 rows" || v.first(t, 1) != "unknown" {
		t.Errorf("of unknown it shows %s, the first %s", got, v.first(t, 1))
	}
	v.choose(t, "outcome", "")
	v.choose(t, "reason", "duplicate")
	v.choose(t, "search", "USER-0000108")
	if got := v.matches(t); got != "1 of 2,000 rows" || v.first(t, 3) != "user-0000108" {
		t.Errorf("the search finds %s, the first %s", got, v.first(t, 3))
	}
	v.choose(t, "reason", "")
	v.choose(t, "search", "")
	v.do(t, chromedp.Click("#table thead th:nth-child(4) button"))
	if got := v.first(t, 4); got != "1" {
		t.Errorf("sorted by row it begins with %s", got)
	}
	v.do(t, chromedp.Focus("#table thead th:nth-child(4) button"), chromedp.KeyEvent("\r"))
	if got := v.first(t, 4); got != "2000" {
		t.Errorf("sorted the other way round, by the keyboard, it begins with %s", got)
	}
	if got := eval[string](t, v, `document.querySelector("#table thead th:nth-child(4)").getAttribute("aria-sort")`); got != "descending" {
		t.Errorf("it says that it is sorted %s", got)
	}
	v.do(t, chromedp.Focus("#table tbody tr[aria-rowindex='2'] button"), chromedp.KeyEvent("\r"))
	if got := eval[string](t, v, `document.getElementById("row").textContent`); !strings.Contains(got, "user-0002000") || !strings.Contains(got, "<b>team</b>") {
		t.Errorf("of the chosen row it tells %q", got)
	}
	eval[chromedp.Void](t, v, `{ const box = document.getElementById("table"); box.scrollTop = box.scrollHeight; null }`)
	v.do(t, chromedp.WaitReady("#table tbody tr[aria-rowindex='2001']"))
	if n := eval[int](t, v, `document.querySelectorAll("#table tbody tr").length`); n > 100 {
		t.Errorf("it draws %d rows at once", n)
	}
	v.quiet(t)
}

// quiet checks that the page did nothing that it should not.
func (v *visit) quiet(tb testing.TB) {
	tb.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.console) > 0 {
		tb.Errorf("the console has %q", v.console)
	}
	for _, url := range v.requests {
		if !strings.HasSuffix(url, "/") && !strings.HasSuffix(url, "/favicon.ico") { // the page, and what the browser asks by itself
			tb.Errorf("it asks for %s", url)
		}
	}
}

func TestHostileUsernamesAreInert(t *testing.T) {
	t.Parallel()
	v := open(t, pageOf(t, 200), 1280, false)
	v.do(t, chromedp.Click("#table thead th:nth-child(4) button"))
	for i, name := range hostile {
		got := eval[string](t, v, fmt.Sprintf(`document.querySelector("#table tbody tr[aria-rowindex='%d'] td:nth-child(3) bdi").textContent`, i+2))
		if got != name {
			t.Errorf("%.40q shows as %.40q", name, got)
		}
	}
	if title := eval[string](t, v, "document.title"); title != "Password resets" {
		t.Errorf("the title is %s", title)
	}
	if n := eval[int](t, v, `document.querySelectorAll("main img[src=x], main b").length`); n > 0 {
		t.Error("markup came alive")
	}
	v.quiet(t)
}

// What is filtered stands in the address, can be saved, and is told when it is nothing.
func TestWhatIsFilteredIsKept(t *testing.T) {
	t.Parallel()
	v := open(t, pageOf(t, 2000), 1280, false)
	v.do(t, chromedp.Click(".tiles button[data-outcome=unknown]"))
	if got := v.matches(t); got != "100 of 2,000 rows" {
		t.Errorf("the tile of unknown shows %s", got)
	}
	eval[chromedp.Void](t, v, `{ const kept = document.querySelectorAll("#filter input")[1]; kept.value = "TEAM"; document.getElementById("search").value = "user-00000"; kept.form.requestSubmit(); null }`)
	if got, want := eval[string](t, v, "location.hash"), "#search=user-00000&outcome=unknown&column+team=TEAM"; got != want {
		t.Errorf("the address is %s, not %s", got, want)
	}
	shown := v.matches(t)
	text := eval[string](t, v, `new Promise(done => {
		const make = URL.createObjectURL;
		URL.createObjectURL = blob => { blob.text().then(done); return make(blob); };
		document.getElementById("save").click();
	})`)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || fmt.Sprintf("%d of 2,000 rows", len(rows)-1) != shown || rows[1][2] != "unknown" || rows[1][13] != "<b>team</b>" {
		t.Errorf("saved are %d rows of %s, %v", len(rows)-1, shown, err)
	}
	v.do(t, chromedp.Click("#table tbody tr[aria-rowindex='2'] button"))
	if got := eval[string](t, v, `document.querySelector("#table tr[aria-current]").textContent + document.getElementById("row").textContent`); !strings.Contains(got, "Known by") {
		t.Errorf("the chosen row is not shown: %q", got)
	}
	if got := eval[string](t, v, `new Promise(done => {
		addEventListener("hashchange", () => done(document.getElementById("empty").hidden + ", " + document.getElementById("matches").textContent));
		location.hash = "#search=nobody+is+called+so";
	})`); got != "false, 0 of 2,000 rows" {
		t.Errorf("an address that finds nothing shows %s", got)
	}
	v.quiet(t)
}

// What is printed has the rows that need attention, and names the file with the others.
func TestThePrintedPageHasWhatNeedsAttention(t *testing.T) {
	t.Parallel()
	v := open(t, pageOf(t, 4000), 1280, false)
	eval[chromedp.Void](t, v, `dispatchEvent(new Event("beforeprint")); null`)
	text := eval[string](t, v, `document.getElementById("printed").textContent`)
	for _, want := range []string{"Rows that need attention: 400", "user-0000024", "200 more rows that need attention, and all others, are in report.csv."} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	call(t, v, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	if !eval[bool](t, v, `getComputedStyle(document.getElementById("table")).display === "none" && getComputedStyle(document.getElementById("printed")).display !== "none"`) {
		t.Error("the table of the screen is printed, or that for paper is not")
	}
}

func TestThePageFitsATelephone(t *testing.T) {
	t.Parallel()
	v := open(t, pageOf(t, 200), 390, false)
	if wide := eval[int](t, v, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("it is %d pixels wide", wide)
	}
}

// AXE_CORE is the path of axe.min.js, of the npm package axe-core.
func TestNothingStandsInTheWayOfAScreenReader(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile(os.Getenv("AXE_CORE"))
	if err != nil {
		t.Skip("AXE_CORE does not name axe.min.js, which finds what is in the way")
	}
	for _, c := range []struct {
		width int64
		dark  bool
	}{{1280, false}, {1280, true}, {390, false}, {390, true}} {
		v := open(t, pageOf(t, 200), c.width, c.dark)
		v.do(t, chromedp.Click("#table tbody tr[aria-rowindex='2'] button"))
		eval[chromedp.Void](t, v, string(axe)+"; null")
		for _, violation := range eval[[]string](t, v, `axe.run().then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" | ")))`) {
			t.Errorf("%+v: %s", c, violation)
		}
		live := openUntil(t, ".now", liveOf(t), c.width, c.dark)
		eval[chromedp.Void](t, live, string(axe)+"; null")
		for _, violation := range eval[[]string](t, live, `axe.run().then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).slice(0, 3).join(" | ")))`) {
			t.Errorf("live, %+v: %s", c, violation)
		}
		if wide := eval[int](t, live, `document.documentElement.scrollWidth`); wide > int(c.width) {
			t.Errorf("live, %+v: it is %d pixels wide", c, wide)
		}
	}
}

// liveOf is the page of two runs that work, one of them with all that can happen.
func liveOf(tb testing.TB) string {
	tb.Helper()
	p := NewPage()
	p.Went(Wave{"wave 1", start}, Wave{"wave 2", start.Add(time.Minute)})
	p.Rests = []Rest{{"paused", start.Add(20 * time.Second), start.Add(40 * time.Second)}}
	s := Summary{UserPoolID: "eu-west-1_AbCdEfGhI", UserPoolName: "prod-eu", Account: "123456789012", Region: "eu-west-1", Sandbox: true, RateAsked: 20, ElapsedSeconds: 90, StartedAt: start}
	for i := range 1000 {
		r := batch.Result{Row: int64(i + 1), Outcome: batch.Reset, Attempts: 1 + i%50/48, Throttled: i % 50 / 48, StartedAt: start.Add(time.Duration(i) * 90 * time.Millisecond)}
		r.FinishedAt = r.StartedAt.Add(80 * time.Millisecond)
		if i%20 == 3 {
			r.Outcome, r.Reason = batch.Failed, batch.NoVerifiedContact
		}
		p.Count(r)
		s.Write(r)
	}
	s.Wait(4000)
	pieces, err := p.Pieces("run-1-", s, &Now{Why: "paused", Ahead: "wave 2 of 6", Rate: "0.0 users a second, of at most 20 calls"})
	if err != nil {
		tb.Fatal(err)
	}
	more, err := NewPage().Pieces("run-2-", Summary{UserPoolName: "prod-us"}, &Now{Why: "answers"})
	if err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	if err := RenderLive(&b, nil, append(pieces, more...)); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// The page of a long run holds the rows that matter, and says what it leaves out.
func TestALongPageHoldsTheRowsThatNeedAttention(t *testing.T) {
	p := NewPage()
	p.CSV = "report.csv"
	var s Summary
	for i := range 3 * PageRows {
		r := batch.Result{Row: int64(i + 1), Username: fmt.Sprintf("user-%07d", i+1), Outcome: batch.Reset}
		if i%1000 == 999 {
			r.Outcome = batch.Failed
		}
		if err := p.Write(r); err != nil {
			t.Fatal(err)
		}
		s.Write(r)
	}
	s.Close()
	var b strings.Builder
	if err := p.Render(&b, s); err != nil {
		t.Fatal(err)
	}
	html := b.String()
	if n := strings.Count(html, `"user-`); n != PageRows {
		t.Errorf("%d rows are in the page", n)
	}
	for _, want := range []string{`[1000,"user-0001000","failed"`, `[300000,"user-0300000","failed"`, "The table has 100,000 of 300,000 rows", `<a href="report.csv">`} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is not in the page", want)
		}
	}
}

func TestASeriesGrowsCoarserAndLosesNothing(t *testing.T) {
	s := series{width: 1}
	for i := range 100_000 {
		s.add(start.Add(time.Duration((i*7919)%100_000)*time.Second), 1, 0.5)
	}
	users, throttles, times := s.perSecond()
	sum := 0.0
	for i := range users {
		sum += users[i] * float64(s.width)
		if users[i] != 2*throttles[i] {
			t.Fatal("the counts parted")
		}
	}
	if sum != 100_000 || len(times) > mostSteps || len(times) < mostSteps/4 {
		t.Errorf("%v users in %d steps of %d s", sum, len(times), s.width)
	}
}

// BenchmarkHTML is what a row of a page costs.
func BenchmarkHTML(b *testing.B) {
	p := NewPage()
	r := batch.Result{Row: 1, Username: "user-0000001", Outcome: batch.Reset, Attempts: 1, StartedAt: start, FinishedAt: start.Add(time.Second)}
	for b.Loop() {
		if err := p.Write(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBrowser is how long 100,000 rows take to their first paint, and to be
// searched.
func BenchmarkBrowser(b *testing.B) {
	html := pageOf(b, 100_000)
	for b.Loop() {
		v := open(b, html, 1280, false)
		b.ReportMetric(eval[float64](b, v, `performance.getEntriesByType("paint")[0].startTime`), "ms-first-paint")
		b.ReportMetric(eval[float64](b, v, `{ const t = performance.now(); const f = document.getElementById("search"); f.value = "user-00499"; f.form.requestSubmit(); performance.now() - t }`), "ms-search")
		b.ReportMetric(eval[float64](b, v, `{ const t = performance.now(); const f = document.getElementById("outcome"); f.value = "failed"; f.form.requestSubmit(); performance.now() - t }`), "ms-filter")
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			shoot(b, html, dir)
		}
	}
	b.ReportMetric(float64(len(html))/1e6, "MB")
}

// shoot leaves pictures to look at.
func shoot(b *testing.B, html, dir string) {
	for name, look := range map[string]struct {
		width int64
		dark  bool
	}{"1280": {1280, false}, "390": {390, false}, "dark": {1280, true}} {
		v := open(b, html, look.width, look.dark)
		png, err := chromedp.Run(v, chromedp.FullScreenshot(100))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
