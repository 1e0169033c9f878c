package users

import (
	"cmp"
	"context"
	"iter"

	"cognito-reset/batch"
	"cognito-reset/batch/roster"
	"cognito-reset/batch/roster/s3input"
	"cognito-reset/cmd/cognito-reset/internal/spec"
	"cognito-reset/cmd/cognito-reset/internal/term"
)

// places are where inputs come from that are not files.
func (f *Finder) places() roster.Places {
	r := f.Record.Spec
	return roster.Places{Stdin: f.In, Schemes: map[string]roster.Opener{
		s3input.Scheme: s3input.Opener(s3input.Options{
			Profile: r.Profile, Region: r.Region, EndpointURL: r.EndpointURL, ExpectedBucketOwner: r.ExpectedBucketOwner,
		}),
	}}
}

// inOrder counts the rows in the order in which they come, and remembers which
// row of the input each was.
func inOrder(entries iter.Seq2[batch.Entry, error]) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		row := int64(0)
		for e, err := range entries {
			if row++; e.Row != row {
				e.Row, e.InputRow = row, cmp.Or(e.InputRow, e.Row)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// column says how the input is read.
func column(in *roster.Inputs) string {
	how := string(in.Format)
	if in.Sheet != "" {
		how += ", sheet " + in.Sheet
	}
	return how + ", " + cmp.Or(in.Column, "username")
}

// OpenInputs opens the first of the inputs, and notes how it is read.
func (f *Finder) OpenInputs(ctx context.Context) (*roster.Inputs, error) {
	r := f.Record.Spec
	rows, _, err := r.Choices()
	if err != nil {
		return nil, err
	}
	o := r.Reading.Options("")
	o.Keep, o.Report, o.PoolID, o.ClientMetadata = rows.Columns(), r.FromReport, r.UserPoolID, r.ClientMetadata
	o.Phones, o.PhoneCountry = r.Match == "phone_number", r.PhoneCountry
	in, err := roster.OpenInputs(ctx, spec.Nearby(r.Inputs), f.places(), o)
	if err == nil {
		f.Understood = column(in)
	}
	return in, err
}

// openExclude opens a file of users to leave out.
func (f *Finder) openExclude(ctx context.Context, file string) (*roster.Inputs, error) {
	r := f.Record.Spec
	o := r.ExcludeAs.Options(spec.ExcludePrefix)
	o.PoolID, o.FindReport, o.AnyName, o.PhoneCountry = r.UserPoolID, true, true, r.PhoneCountry
	return roster.OpenInputs(ctx, spec.Nearby([]string{file}), f.places(), o)
}

// notices prints what a person should know of inputs that were read to their end.
func (f *Finder) notices(in *roster.Inputs) {
	for _, notice := range in.Notices {
		term.Linef(f.Err, "Note: %s.", notice)
	}
	f.Record.Found.Notices = append(f.Record.Found.Notices, in.Notices...)
}
