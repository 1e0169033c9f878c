package userpool_test

import (
	"net/http"
	"reflect"
	"testing"

	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

func TestThePoolTellsItsSettings(t *testing.T) {
	for _, c := range []struct {
		body string
		want userpool.Settings
	}{
		{`{"UserPool":{"Name":"old"}}`,
			userpool.Settings{Name: "old", CaseSensitive: true, Recovery: true, EmailSender: "COGNITO_DEFAULT"}},
		{`{"UserPool":{"Name":"new","EstimatedNumberOfUsers":1200,"UsernameConfiguration":{"CaseSensitive":false},` +
			`"AliasAttributes":["email","preferred_username"],"AccountRecoverySetting":{"RecoveryMechanisms":[{"Name":"verified_email","Priority":1}]},` +
			`"EmailConfiguration":{"EmailSendingAccount":"DEVELOPER","SourceArn":"arn:aws:ses:us-east-1:1:identity/a"}}}`,
			userpool.Settings{Name: "new", EstimatedUsers: 1200, AliasAttributes: []string{"email", "preferred_username"}, Recovery: true, RecoverBy: []string{"verified_email"},
				EmailSender: "DEVELOPER", EmailSourceARN: "arn:aws:ses:us-east-1:1:identity/a"}},
		{`{"UserPool":{"UsernameAttributes":["phone_number"],"UsernameConfiguration":{"CaseSensitive":true},` +
			`"AccountRecoverySetting":{"RecoveryMechanisms":[{"Name":"admin_only","Priority":1}]},"EmailConfiguration":{}}}`,
			userpool.Settings{CaseSensitive: true, UsernameAttributes: []string{"phone_number"}, EmailSender: "COGNITO_DEFAULT"}},
	} {
		got, err := open(t, transport(func(*http.Request) (*http.Response, error) { return jsonResponse(200, c.body), nil })).Settings(t.Context())
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s\nis %+v, %v\nnot %+v", c.body, got, err, c.want)
		}
	}

	users := sandbox.New(sandbox.Config{CaseInsensitive: true, AdminOnlyRecovery: true, DailyMessages: 50})
	n := users.PopulateN(500)
	got, err := open(t, &http.Client{Transport: users}).Settings(t.Context())
	want := userpool.Settings{Name: "sandbox", EstimatedUsers: n, AliasAttributes: []string{"email"}, EmailSender: "COGNITO_DEFAULT",
		SMS: true, MFA: "OFF", DeletionProtection: "ACTIVE", PasswordLength: 8}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the sandbox is %+v, %v", got, err)
	}

	users = sandbox.New(sandbox.Config{
		Trigger: "UserLambdaValidationException", Triggers: []string{"PreSignUp", "CustomEmailSender"}, FirstFactors: []string{"EMAIL_OTP", "WEB_AUTHN"}, MFA: "OPTIONAL", Unprotected: true, NoSMS: true,
	})
	pool, err := open(t, &http.Client{Transport: users}).Settings(t.Context())
	want = userpool.Settings{Name: "sandbox", CaseSensitive: true, AliasAttributes: []string{"email"}, Recovery: true,
		RecoverBy: []string{"verified_email", "verified_phone_number"}, EmailSender: "DEVELOPER",
		EmailSourceARN: "arn:aws:ses:us-east-1:123456789012:identity/example.com",
		Triggers:       []string{"CustomEmailSender", "CustomMessage", "PreSignUp"}, MFA: "OPTIONAL", DeletionProtection: "INACTIVE", PasswordLength: 8,
		FirstFactors: []string{"EMAIL_OTP", "WEB_AUTHN"}}
	if err != nil || !reflect.DeepEqual(pool, want) {
		t.Errorf("the sandbox is %+v, %v", pool, err)
	}
	if got.Fold("Änn") != "änn" || (userpool.Settings{CaseSensitive: true}).Fold("Änn") != "Änn" {
		t.Error("case counts where it should not, or the other way round")
	}
}
