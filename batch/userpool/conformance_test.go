package userpool_test

import (
	"context"
	"iter"
	"math"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"cognito-reset/batch"
	"cognito-reset/batch/internal/sourcetest"
	"cognito-reset/batch/sandbox"
	"cognito-reset/batch/userpool"
)

// A pool's own users are a source of entries as any other.
func TestConformance(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "")
	for _, test := range []struct {
		name  string
		users func(ctx context.Context, p *userpool.Pool) iter.Seq2[userpool.User, error]
	}{
		{"the whole pool", func(ctx context.Context, p *userpool.Pool) iter.Seq2[userpool.User, error] {
			return p.Users(ctx, userpool.Filter{})
		}},
		{"a filter", func(ctx context.Context, p *userpool.Pool) iter.Seq2[userpool.User, error] {
			return p.Users(ctx, userpool.Filter{Attribute: "username", Prefix: true, Value: "user-"})
		}},
		{"a group", func(ctx context.Context, p *userpool.Pool) iter.Seq2[userpool.User, error] {
			return p.Group(ctx, "all")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sourcetest.Test(t, sourcetest.Source{Unordered: true, Open: func(t *testing.T, ctx context.Context, usernames []string) (iter.Seq2[batch.Entry, error], error) {
				users := sandbox.New(sandbox.Config{PoolID: "us-east-1_Listed"})
				for _, username := range usernames {
					u := sandbox.NewUser(username)
					u.Groups = []string{"all"}
					users.Add(u)
				}
				pool, err := userpool.Open(ctx, userpool.Options{
					PoolID: "us-east-1_Listed", ListRate: math.MaxFloat64,
					Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
					HTTPClient:  &http.Client{Transport: users},
				})
				if err != nil {
					return nil, err
				}
				return userpool.Selection{}.Entries(test.users(ctx, pool)), nil
			}})
		})
	}
}
