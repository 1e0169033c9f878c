package rundir

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	s.keep(dir)
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

// leftoversInS3 finds the merged reports of runs that are pruned, now or before: they
// stand in the folders above them.
func (s *Store) leftoversInS3(ctx context.Context, root string, runs, old []Run) (list []Leftover, err error) {
	folders := make(map[string]bool)
	for _, run := range runs {
		if run.State != Pruned && !slices.ContainsFunc(old, func(o Run) bool { return o.Path == run.Path }) {
			continue
		}
		for at := strings.LastIndexByte(run.Path, '/'); at >= len(root); at = strings.LastIndexByte(run.Path[:at], '/') {
			folders[run.Path[:at]] = true
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		objects, err := s3run.Contents(ctx, folder, s.S3)
		if err != nil {
			return nil, err
		}
		l := Leftover{Folder: folder}
		for _, o := range objects {
			if o.Name == SummaryFile || isReport(o.Name) && !strings.Contains(o.Name, "/") {
				l.Files, l.bytes = append(l.Files, o.Name), l.bytes+o.Bytes
			}
		}
		if slices.Contains(l.Files, SummaryFile) { // else nobody knows whose they are
			list = append(list, l)
		}
	}
	return list, nil
}

// bytesInS3 is how many bytes the objects of a run have.
func (s *Store) bytesInS3(ctx context.Context, path string) (bytes int64, err error) {
	list, err := s3run.Contents(ctx, path, s.S3)
	for _, object := range list {
		bytes += object.Bytes
	}
	return bytes, err
}
