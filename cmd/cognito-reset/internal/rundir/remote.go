package rundir

import (
	"context"
	"fmt"

	"cognito-reset/batch/journal"
	"cognito-reset/batch/journal/s3run"
	"cognito-reset/report"
)

// listInS3 tells of the runs below a prefix. A run is copied as a whole only if its
// summary is not of all of its journal.
func (s *Store) listInS3(ctx context.Context, prefix string) (runs []Run, err error) {
	paths, err := s3run.Find(ctx, prefix, s.S3)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		run, err := s.lookInS3(ctx, path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (s *Store) lookInS3(ctx context.Context, path string) (run Run, err error) {
	dir, journalBytes, err := s.glance(ctx, path)
	if err != nil {
		return run, err
	}
	s.copies = append(s.copies, dir)
	if begun, err := Load(dir); err == nil && begun.Found.PrunedAt.IsZero() {
		var last report.Summary
		if dir.ReadJSON(SummaryFile, &last) != nil || last.JournalBytes != journalBytes {
			if dir, err = s.View(ctx, path); err != nil {
				return run, err
			}
			journalBytes = JournalSize(dir)
		}
	}
	if run, err = lookAt(dir, journalBytes); err != nil {
		return run, err
	}
	list, err := s3run.Contents(ctx, path, s.S3)
	run.files, run.Bytes = nil, 0
	for _, object := range list {
		run.Bytes += object.Bytes
		switch object.Name {
		case journal.RunFile, SummaryFile, IndexFile:
		default:
			run.files = append(run.files, object.Name)
		}
	}
	return run, err
}

// bytesInS3 is how many bytes the objects of a run have.
func (s *Store) bytesInS3(ctx context.Context, path string) (bytes int64, err error) {
	list, err := s3run.Contents(ctx, path, s.S3)
	for _, object := range list {
		bytes += object.Bytes
	}
	return bytes, err
}
