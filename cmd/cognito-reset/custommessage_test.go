package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"cognito-reset/batch/sandbox"
)

// A messageEvent is what Cognito hands to a CustomMessage trigger, and takes from
// it, by the developer guide.
type messageEvent struct {
	Version       string         `json:"version"`
	TriggerSource string         `json:"triggerSource"`
	Region        string         `json:"region"`
	UserPoolID    string         `json:"userPoolId"`
	UserName      string         `json:"userName"`
	CallerContext map[string]any `json:"callerContext"`
	Request       struct {
		UserAttributes    map[string]string `json:"userAttributes"`
		CodeParameter     string            `json:"codeParameter"`
		UsernameParameter *string           `json:"usernameParameter"`
		ClientMetadata    map[string]string `json:"clientMetadata,omitempty"`
	} `json:"request"`
	Response struct {
		SMSMessage   *string `json:"smsMessage"`
		EmailMessage *string `json:"emailMessage"`
		EmailSubject *string `json:"emailSubject"`
	} `json:"response"`
}

func newMessageEvent(source, name string, metadata map[string]string) (e messageEvent) {
	e.Version, e.TriggerSource, e.Region, e.UserPoolID, e.UserName = "1", source, "eu-west-1", "eu-west-1_AbCdEfGhI", "ann"
	e.CallerContext = map[string]any{"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "CLIENT_ID_NOT_APPLICABLE"}
	e.Request.UserAttributes = map[string]string{"sub": "1", "email": "ann@example.com", "email_verified": "true", "name": name}
	e.Request.CodeParameter, e.Request.ClientMetadata = "{####}", metadata
	return e
}

// trigger hands events to the example's function, one after the other.
func trigger(t *testing.T, events ...messageEvent) (answers []messageEvent) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node, to run the trigger with, is not here")
	}
	in, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	function, err := filepath.Abs("../../examples/custom-message/index.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, "--input-type=module", "--eval", `
		import { readFileSync } from "node:fs";
		import { pathToFileURL } from "node:url";
		const { handler } = await import(pathToFileURL(process.argv[1]));
		const answers = [];
		for (const event of JSON.parse(readFileSync(0, "utf8"))) answers.push(await handler(event));
		console.log(JSON.stringify(answers));`, function)
	var stderr strings.Builder
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &answers)
	}
	if err != nil || len(answers) != len(events) {
		t.Fatalf("%d answers, %v: %s%s", len(answers), err, out, &stderr)
	}
	return answers
}

// The message says why, in words that nobody else can put there.
func TestCustomMessageExample(t *testing.T) {
	t.Parallel()
	const reset = "CustomMessage_ForgotPassword"
	long := strings.Repeat("<\u200d&{####}\x00'\"", 2000)
	emailBody := regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P}\s]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s]*$`) // as the API reference has it
	for i, answer := range trigger(t,
		newMessageEvent(reset, "Ann", map[string]string{"reason": "leak", "seen": "2026-07-01"}),
		newMessageEvent(reset, "<b>Ann</b> {####}", map[string]string{"reason": "leak", "seen": "<script>"}),
		newMessageEvent(reset, long, map[string]string{"reason": "rotation", "seen": long}),
	) {
		r := answer.Response
		if r.EmailMessage == nil || r.SMSMessage == nil || r.EmailSubject == nil {
			t.Fatalf("event %d: no message: %+v", i, r)
		}
		for text, most := range map[string]int{*r.EmailSubject: 140, *r.EmailMessage: 20000, *r.SMSMessage: 140} {
			if n := utf8.RuneCountInString(text); n > most {
				t.Errorf("event %d: %d characters, more than %d: %s", i, n, most, text)
			}
			if text != *r.EmailSubject && (strings.Count(text, "{####}") != 1 || !emailBody.MatchString(text)) {
				t.Errorf("event %d: not what Cognito takes: %s", i, text)
			}
		}
		want := []string{"Hello Ann,", "&#60;b&#62;Ann&#60;/b&#62;", "due for a change"}[i]
		if !strings.Contains(*r.EmailMessage, want) || strings.Contains(*r.EmailMessage, "<script>") {
			t.Errorf("event %d: no %q in %s", i, want, *r.EmailMessage)
		}
		if dated := strings.Contains(*r.EmailMessage, "on 2026-07-01."); dated != (i == 0) {
			t.Errorf("event %d: %s", i, *r.EmailMessage)
		}
	}

	for i, answer := range trigger(t,
		newMessageEvent(reset, "Ann", nil), // a user who forgot it
		newMessageEvent(reset, "Ann", map[string]string{"seen": "2026-07-01"}),
		newMessageEvent(reset, "Ann", map[string]string{"reason": "toString"}),
		newMessageEvent("CustomMessage_SignUp", "Ann", map[string]string{"reason": "leak"}),
		newMessageEvent("CustomMessage_AdminCreateUser", "Ann", map[string]string{"reason": "leak"}),
	) {
		if r := answer.Response; r.EmailMessage != nil || r.SMSMessage != nil || r.EmailSubject != nil {
			t.Errorf("event %d: the usual message was replaced: %+v", i, r)
		}
	}
}

// What a run hands over of the columns is what the trigger takes.
func TestCustomMessageOfARun(t *testing.T) {
	t.Parallel()
	pool := sandbox.New(sandbox.Config{PoolID: "eu-west-1_AbCdEfGhI"})
	pool.Add(sandbox.NewUser("ann"), sandbox.NewUser("ben"))
	handed := make(chan messageEvent, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".AdminResetUserPassword") {
			var in struct {
				Username       string
				ClientMetadata map[string]string
			}
			if err := json.Unmarshal(body, &in); err != nil {
				t.Error(err)
			}
			handed <- newMessageEvent("CustomMessage_ForgotPassword", in.Username, in.ClientMetadata)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		pool.ServeHTTP(w, r)
	}))
	defer server.Close()

	p := &page{T: t, dir: t.TempDir(), env: []string{"COGNITO_RESET_ENDPOINT_URL=" + server.URL}}
	p.file("users.csv", "username,seen", "ann,2026-07-01", "ben,2026-07-02")
	p.start("cognito-reset run --user-pool-id eu-west-1_AbCdEfGhI --input users.csv --client-metadata reason=leak --client-metadata-from-columns seen --yes", "", p.env).check()
	close(handed)

	said := make(map[string]string)
	for e := range handed {
		name := e.Request.UserAttributes["name"]
		if m := trigger(t, e)[0].Response.EmailMessage; m != nil {
			said[name] = *m
		}
	}
	for name, day := range map[string]string{"ann": "2026-07-01", "ben": "2026-07-02"} {
		if !strings.Contains(said[name], "Hello "+name+",") || !strings.Contains(said[name], "on "+day+".") {
			t.Errorf("%s was told %q", name, said[name])
		}
	}
}
