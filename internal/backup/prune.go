package backup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/kadr-app/kadr/internal/blob"
)

// prune removes all but the newest backups, and the blobs that none of these has. The caller holds the folder's lock.
// Nothing is removed while one of those that stay cannot be read: what it needs is not known then.
func prune(ctx context.Context, dir string, keep int) error {
	names, err := backupsIn(dir)
	if err != nil || len(names) <= keep {
		return err
	}
	old, kept := names[:len(names)-keep], names[len(names)-keep:]
	lists := make([]*lister, len(kept))
	for i, name := range kept {
		l, err := openList(filepath.Join(dir, backupsDir, name))
		if err != nil {
			return fmt.Errorf("no older backup is removed: %s: %w", name, err)
		}
		defer l.Close()
		lists[i] = l
	}
	for _, name := range old {
		// First it stops being a backup, then it goes, so that no half of one is left.
		from := filepath.Join(dir, backupsDir, name)
		aside := filepath.Join(dir, backupsDir, "."+name+partial)
		if err := os.Rename(from, aside); err != nil {
			return fmt.Errorf("backup: remove an old backup: %w", err)
		}
		if err := syncDir(filepath.Dir(from)); err != nil {
			return fmt.Errorf("backup: remove an old backup: %w", err)
		}
		if err := os.RemoveAll(aside); err != nil {
			return fmt.Errorf("backup: remove an old backup: %w", err)
		}
	}
	// The walk meets the files in the order of the lists.
	return filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, e fs.DirEntry, err error) error {
		if err = errors.Join(err, ctx.Err()); err != nil || e.IsDir() {
			return err
		}
		ref, ours := refAt(dir, path)
		if !ours {
			return nil
		}
		for _, l := range lists {
			needed, err := l.has(ref)
			if err != nil {
				return err
			}
			if needed {
				return nil
			}
		}
		return os.Remove(path) //nolint:gosec // nobody else may enter the folder
	})
}

// refAt returns which blob of the folder dir lies at path, if it is one.
func refAt(dir, path string) (blob.Ref, bool) {
	ref, err := blob.ParseRef(filepath.Base(path))
	return ref, err == nil && path == filepath.Join(dir, filepath.FromSlash(blob.Path(ref)))
}

// lister reads the list of a backup's blobs.
type lister struct {
	io.Closer
	lines *bufio.Scanner
	next  Blob
	end   bool
}

// openList opens the list of the backup in a folder, after it has been found to be sound.
func openList(backup string) (*lister, error) {
	m, err := readManifest(backup)
	if err != nil {
		return nil, err
	}
	if err := checkFile(backup, m.Blobs.File); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(backup, indexName))
	if err != nil {
		return nil, err
	}
	u, err := unpack(f, indexName, m.Blobs.Size)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := newLister(u)
	l.Closer = f
	return l, l.advance()
}

func newLister(u *unpacker) *lister {
	l := &lister{lines: bufio.NewScanner(u)}
	l.lines.Buffer(make([]byte, 0, 256), 256)
	return l
}

// advance reads the next line; the refs must rise.
func (l *lister) advance() error {
	if !l.lines.Scan() {
		l.end = true
		if err := l.lines.Err(); err != nil {
			return Refuse("%s cannot be read: %v", indexName, err)
		}
		return nil
	}
	line := l.lines.Bytes()
	ref, size, _ := bytes.Cut(line, []byte(" "))
	var b Blob
	var err error
	if b.Size, err = strconv.ParseInt(string(size), 10, 64); err == nil {
		err = b.Ref.UnmarshalText(ref)
	}
	if err != nil || b.Size < 0 || (l.next.Ref != blob.Ref{} && bytes.Compare(b.Ref[:], l.next.Ref[:]) <= 0) {
		return Refuse("%s is not a list of files: %.80q", indexName, line)
	}
	l.next = b
	return nil
}

// has looks for a ref, which must be after those that were looked for before.
func (l *lister) has(ref blob.Ref) (bool, error) {
	for !l.end && bytes.Compare(l.next.Ref[:], ref[:]) < 0 {
		if err := l.advance(); err != nil {
			return false, err
		}
	}
	return !l.end && l.next.Ref == ref, nil
}
