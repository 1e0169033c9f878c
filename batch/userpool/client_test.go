package userpool_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"cognito-reset/batch"
	"cognito-reset/batch/userpool"
)

// A server that hears a call and goes silent leaves a doubt, after as long as an
// answer may take: nobody knows whether it reset the user.
func TestACallWithoutAnAnswerEndsInDoubt(t *testing.T) {
	for _, silent := range []struct{ when, answer, says string }{
		{"at once", "", "no answer within 30s"},
		{"inside the answer", "HTTP/1.1 200 OK\r\nX-Amzn-Requestid: 1\r\nContent-Length: 1000\r\n\r\n{\"", "not plain who answered"},
	} {
		t.Run(silent.when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pool, err := userpool.Open(t.Context(), userpool.Options{
					PoolID: "eu-west-1_AbCdEfGhI", EndpointURL: "http://cognito", Credentials: anyCredentials,
					HTTPClient: awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
						transport.Proxy = nil
						transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
							ours, theirs := net.Pipe()
							go func() {
								call, err := http.ReadRequest(bufio.NewReader(theirs))
								if err != nil {
									t.Error(err)
									return
								}
								io.Copy(io.Discard, call.Body)
								io.WriteString(theirs, silent.answer)
							}()
							return ours, nil
						}
					}),
				})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err = pool.Reset(t.Context(), batch.Entry{Username: "ann"})
				if took := time.Since(began); took != userpool.Timeout {
					t.Errorf("it ended after %v", took)
				}
				doubt, ok := errors.AsType[*batch.Error](err)
				if !ok || doubt.Class != batch.ClassInDoubt || !strings.Contains(err.Error(), silent.says) {
					t.Errorf("it is %#v: %v", doubt, err)
				}
			})
		})
	}
}
