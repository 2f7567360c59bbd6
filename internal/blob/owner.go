package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ownerFile lies beside the folders of the store.
const ownerFile = "instance"

// Owner returns the id of the instance whose files these are, or "" when nobody claimed the store yet. It is what keeps a
// server that was given the wrong database from taking every picture for an orphan, and one whose volume is not mounted
// from taking every picture for lost.
func (d *Dir) Owner() (string, error) {
	b, err := os.ReadFile(filepath.Join(d.root, ownerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", storageError("read the owner", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Claim says durably whose files these are. It fails when somebody claimed the store before.
func (d *Dir) Claim(owner string) error {
	t, err := tempDir{path: d.temp.path}.create() // named, since a claim must not replace another
	if err != nil {
		return err
	}
	defer t.discard()
	if _, err := fmt.Fprintln(t.f, owner); err != nil {
		return storageError("claim", err)
	}
	if err := t.f.Sync(); err != nil {
		return storageError("claim", err)
	}
	if err := os.Link(t.path, filepath.Join(d.root, ownerFile)); err != nil {
		return storageError("claim", err)
	}
	if err := syncDir(d.root); err != nil {
		return storageError("claim", err)
	}
	return nil
}
