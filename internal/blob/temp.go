package blob

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Permissions, less the umask: the server writes, its group (the gateway) reads.
const (
	fileMode   = 0o640
	sealedMode = 0o440 // a blob that is known to be durable; see Dir.Commit
	dirMode    = 0o750
)

// tempDir makes temporary files, on the file system they will stay on.
type tempDir struct {
	path string
	// unnamed says to make files that have no name at all (O_TMPFILE), so that the kernel removes them however the
	// process ends. See canUnnamed for where that is right.
	unnamed bool
}

// tempFile is a file that has no place in the store yet.
type tempFile struct {
	dir tempDir

	mu   sync.Mutex
	f    *os.File // reads and writes; nil once discarded
	path string   // its name under dir; empty when it has none, or no longer
}

// errDiscarded is a mistake of the caller.
var errDiscarded = errors.New("blob: the file was discarded")

func (d tempDir) create() (*tempFile, error) {
	t := &tempFile{dir: d}
	var err error
	if d.unnamed {
		t.f, err = openUnnamed(d.path)
	} else {
		t.path = d.randomName()
		t.f, err = os.OpenFile(t.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	}
	if err != nil {
		return nil, storageError("make a temporary file", err)
	}
	return t, nil
}

func (d tempDir) randomName() string { return filepath.Join(d.path, rand.Text()) }

// reader opens the file once more, for reading only.
func (t *tempFile) reader() (*os.File, error) {
	if t.dir.unnamed {
		return reopenUnnamed(t.f)
	}
	return os.Open(t.path)
}

// nameNew gives the file the name final, or returns fs.ErrExist when that is taken. The caller holds mu.
func (t *tempFile) nameNew(final string) error {
	if t.dir.unnamed {
		return linkUnnamed(t.f, final)
	}
	// Between the look and the rename another process may take the name. Then the rename replaces its file by ours,
	// which is as durable and holds the same bytes; a hard link would be stricter, but not every file system has them.
	if _, err := os.Lstat(final); err == nil {
		return fs.ErrExist
	}
	return t.nameOver(final)
}

// nameOver gives the file the name final, in place of what has it now: a reader sees the old file or the new one. The
// caller holds mu.
func (t *tempFile) nameOver(final string) error {
	if !t.dir.unnamed {
		if err := os.Rename(t.path, final); err != nil {
			return err
		}
		t.path = ""
		return nil
	}
	aside := t.dir.randomName() // a link cannot replace, a rename needs a name
	if err := linkUnnamed(t.f, aside); err != nil {
		return err
	}
	if err := os.Rename(aside, final); err != nil {
		_ = os.Remove(aside) // best effort: the sweep finds it
		return err
	}
	return nil
}

// discard closes the file and deletes it, unless it was named. It may be called again.
func (t *tempFile) discard() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.f == nil {
		return
	}
	_ = t.f.Close() // what had to be kept was synced before it was named
	t.f = nil
	if t.path != "" {
		_ = os.Remove(t.path) // best effort: the sweep finds it
		t.path = ""
	}
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	// Some network and FUSE file systems cannot sync a folder and say so; their names are as durable as they get.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
