package journal

import (
	"errors"
	"fmt"
	"os"

	"cognito-reset/batch/journal/disk"
)

// CloseToOthers does with a folder of run directories what [Open] does with one of them:
// it fails if the folder is another user's, and takes away the permission of others to
// write into it.
func CloseToOthers(folder string) error { return (&Dir{Path: folder}).closeToOthers() }

// closeToOthers fails if the directory is somebody else's, and takes away the permission
// of others to write into it, where that was given since it was made.
func (d *Dir) closeToOthers() error {
	const others = 0o022
	if err := d.checkOwner(); err != nil {
		return err
	}
	info, err := d.on().Stat(d.Path)
	if err != nil || info.Mode().Perm()&others == 0 {
		return err
	}
	if err := d.on().Chmod(d.Path, 0o700); err != nil {
		return fmt.Errorf("others on this machine can write into %s, and so could have changed whom it names: make it private, such as by chmod 700 (%w)", d.Path, err)
	}
	return nil
}

// root may change every directory anyway.
const root = 0

// checkOwner fails if the directory belongs to another user of this machine, who could
// have changed whom it names, and can at any time. A file system may have owners of its
// own, as NFS can: there it is ours if what we make is that owner's, too.
func (d *Dir) checkOwner() error {
	info, err := d.on().Stat(d.Path)
	if err != nil {
		return err
	}
	owner, known := disk.Owner(info)
	if !known || owner == os.Geteuid() || owner == root {
		return nil
	}
	if ours, err := d.ownerOfNew(); err == nil && ours == owner {
		return nil
	}
	return fmt.Errorf("%s belongs to the user with the id %d, who could have changed whom it names, and this process runs as %d: work as that user, or make the directory yours, such as by chown -R",
		d.Path, owner, os.Geteuid())
}

// ownerOfNew is to whom a file belongs that this process makes in the directory.
func (d *Dir) ownerOfNew() (owner int, err error) {
	f, err := d.on().CreateTemp(d.Path, "owner.*"+disk.Unfinished)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close(), d.on().Remove(f.Name())); err != nil {
		return 0, err
	}
	owner, known := disk.Owner(info)
	if !known {
		return 0, errors.ErrUnsupported
	}
	return owner, nil
}
