package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Dir is a Store in a folder of a local file system:
//
//	blobs/ab/cd/<sha256>             blobs
//	variants/ab/cd/<sha256>/<name>   variants
//	tmp/                             what is being written
//	quarantine/<sha256>.<n>          blobs that were found damaged
//
// All four must lie on one file system. Blobs are 0440 once they are durable, other files 0640, and folders
// 0750, less the umask.
type Dir struct {
	root    string
	temp    tempDir
	buffers sync.Pool // of *[bufferSize]byte
	// durable has a bit for each folder ab/cd whose own name is known to be durable, so that it is synced once.
	durable [1 << 16 / 64]atomic.Uint64
	reserve int64 // bytes; see KeepFree
	// at is called between the steps of Commit by the tests that crash there; nil otherwise.
	at func(step string)
}

var _ Store = (*Dir)(nil)

// bufferSize is what an upload needs in memory, in bytes. Larger ones measured no faster.
const bufferSize = 128 << 10

// OpenDir opens the store in the folder dir, and makes it when it is not there. It writes only what is missing, so that
// a store on a full disk opens and can be read; Check says whether it can be written. Errors: ErrStorageFull.
func OpenDir(dir string) (*Dir, error) {
	root, err := filepath.Abs(dir) // the store stays where it is when the process changes its folder
	if err != nil {
		return nil, fmt.Errorf("blob: open store: %w", err)
	}
	d := &Dir{root: root, temp: tempDir{path: filepath.Join(root, tempDirName)}}
	d.buffers.New = func() any { return new([bufferSize]byte) }
	for _, name := range []string{blobsDir, variantsDir, tempDirName, quarantineDir} {
		if err := os.MkdirAll(filepath.Join(root, name), dirMode); err != nil {
			return nil, storageError("open store", err)
		}
	}
	if err := syncDir(root); err != nil {
		return nil, storageError("open store", err)
	}
	// The names of the store's own folder and those above, which may be a moment old. A folder that cannot be read was
	// made by somebody else, and not just now.
	for child, parent := root, filepath.Dir(root); child != parent; child, parent = parent, filepath.Dir(parent) {
		if err := syncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
			return nil, storageError("open store", err)
		}
	}
	d.temp.unnamed = canUnnamed(d.temp.path)
	return d, nil
}

// abs turns what Path and VariantPath return into a path of this machine.
func (d *Dir) abs(path string) string { return filepath.Join(d.root, filepath.FromSlash(path)) }

// Open implements Store.
func (d *Dir) Open(_ context.Context, ref Ref) (*os.File, error) {
	return openOr(ErrNotFound, d.abs(Path(ref)))
}

// OpenVariant implements Store.
func (d *Dir) OpenVariant(_ context.Context, ref Ref, name string) (*os.File, error) {
	if err := CheckVariantName(name); err != nil {
		return nil, err
	}
	return openOr(ErrVariantNotFound, d.abs(VariantPath(ref, name)))
}

// openOr opens a file, or returns missing when there is none.
func openOr(missing *apperr.Error, path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing.Wrap(err)
	}
	if err != nil {
		return nil, storageError("open", err)
	}
	return f, nil
}

// Remove implements Store. The blob goes first: see Dir.publishVariant.
func (d *Dir) Remove(_ context.Context, ref Ref) error {
	if err := os.Remove(d.abs(Path(ref))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return storageError("remove", err)
	}
	var err error
	for range 3 { // a variant that is published meanwhile keeps the folder from being empty; it then goes by itself
		if err = os.RemoveAll(d.abs(VariantPath(ref, ""))); err == nil || !errors.Is(err, syscall.ENOTEMPTY) {
			break
		}
	}
	if err != nil {
		return storageError("remove variants", err)
	}
	return nil
}

// makeFolders makes the two levels ab/cd above a shard's path. It does not make what is above them: when that is gone,
// a volume was unmounted, and the pictures must not go to whatever disk is underneath.
func makeFolders(leaf string) error {
	for _, folder := range []string{filepath.Dir(leaf), leaf} {
		if err := os.Mkdir(folder, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
