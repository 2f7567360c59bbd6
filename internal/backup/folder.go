package backup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/kadr-app/kadr/internal/blob"
)

// A folder of backups:
//
//	kadr-backups          says that it is one, and is locked by whoever writes to it
//	blobs/ab/cd/<sha256>  the files of all backups, each there once
//	backups/<time>/       one for each backup: manifest, list of its blobs, tables
//	tmp/                  what is being written
//
// Nobody but its owner may enter it: it has password hashes and private pictures.
const (
	folderMark  = "kadr-backups"
	backupsDir  = "backups"
	folderTemp  = "tmp"
	partial     = ".partial" // ends the name of a backup that is not whole
	nameLayout  = "20060102T150405Z"
	privateDir  = 0o700
	privateFile = 0o600
	// folderWorkers is how many files are copied at a time: most of it is waiting for the disk to say that it has them.
	folderWorkers = 8
	copyBuffer    = 256 << 10
)

// backupName is what time gives; the second one within a second has a number.
var backupName = regexp.MustCompile(`^\d{8}T\d{6}Z(-\d+)?$`)

// ErrBusy says that another backup or restore is at work in the folder.
var ErrBusy = errors.New("another kadr is at work in that folder of backups")

// folder is the sink that adds to a folder of backups.
type folder struct {
	root    string
	partial string // the folder of this backup, while it is not whole
	verify  bool
	buffers sync.Pool
	touched [1 << 16 / 64]atomic.Uint64 // a bit for each folder ab/cd that got a file
}

// ToFolder makes a backup in the folder dir, which is made when it is not there and must be empty or of backups
// otherwise. Files that it has already are not copied again. done is called when the backup is whole, while writes still
// wait. Errors: ErrBusy.
func (s *Service) ToFolder(ctx context.Context, dir string, opts Options, done func(Report) error) error {
	unlock, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer unlock()
	f := &folder{root: dir, verify: opts.Verify}
	f.buffers.New = func() any { return new([copyBuffer]byte) }
	if err := f.tidy(); err != nil {
		return err
	}
	if f.partial, err = os.MkdirTemp(filepath.Join(dir, backupsDir), ".*"+partial); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.RemoveAll(f.partial) // best effort where it did not become whole: the next one tidies up
	if err := s.write(ctx, f, opts, done); err != nil {
		return err
	}
	if opts.Keep > 0 {
		s.store.Release() // that may take long
		return prune(ctx, dir, opts.Keep)
	}
	return nil
}

// openFolder makes a folder for backups, or makes sure that it is one, and locks it.
func openFolder(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, privateDir); err != nil {
		return nil, fmt.Errorf("backup: make the folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("backup: look into the folder: %w", err)
	}
	mark := filepath.Join(dir, folderMark)
	if _, err := os.Lstat(mark); errors.Is(err, fs.ErrNotExist) && !onlyLostAndFound(entries) {
		return nil, Refuse("%s is neither empty nor a folder of Kadr's backups: name one of its own", dir)
	}
	lock, err := os.OpenFile(mark, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, privateFile)
	if err != nil {
		return nil, fmt.Errorf("backup: lock the folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrBusy, lock.Close())
	}
	for _, name := range []string{"blobs", backupsDir, folderTemp} {
		if err := os.Mkdir(filepath.Join(dir, name), privateDir); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(fmt.Errorf("backup: make the folder: %w", err), lock.Close())
		}
	}
	if err := os.Chmod(dir, privateDir); err != nil {
		return nil, errors.Join(fmt.Errorf("backup: close the folder to others: %w", err), lock.Close())
	}
	return func() { _ = lock.Close() }, nil // the kernel gives the lock back in any case
}

// onlyLostAndFound reports whether a folder is as empty as the root of a new file system.
func onlyLostAndFound(entries []fs.DirEntry) bool {
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return false
		}
	}
	return true
}

// tidy removes what an interrupted backup left. Blobs that it copied stay: they are whole, and the next one needs them.
func (f *folder) tidy() error {
	for dir, matches := range map[string]func(string) bool{
		folderTemp: func(string) bool { return true },
		backupsDir: func(name string) bool { return strings.HasSuffix(name, partial) },
	} {
		entries, err := os.ReadDir(filepath.Join(f.root, dir))
		if err != nil {
			return fmt.Errorf("backup: tidy up: %w", err)
		}
		for _, e := range entries {
			if matches(e.Name()) {
				if err := os.RemoveAll(filepath.Join(f.root, dir, e.Name())); err != nil {
					return fmt.Errorf("backup: tidy up: %w", err)
				}
			}
		}
	}
	return nil
}

func (f *folder) workers() int { return folderWorkers }

func (f *folder) spool() (*temporary, error) { return newTemporary(filepath.Join(f.root, folderTemp)) }

func (f *folder) path(ref blob.Ref) string {
	return filepath.Join(f.root, filepath.FromSlash(blob.Path(ref)))
}

// has implements sink. A file has its name only once it is whole and on the disk, so its size is proof enough against all
// but a failing disk; that is what verify is for.
func (f *folder) has(_ context.Context, b Blob) (bool, error) {
	info, err := os.Lstat(f.path(b.Ref))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("backup: look into the folder: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() != b.Size {
		return false, nil
	}
	if !f.verify {
		return true, nil
	}
	file, err := os.Open(f.path(b.Ref))
	if err != nil {
		return false, fmt.Errorf("backup: look into the folder: %w", err)
	}
	defer file.Close()
	buf := f.buffers.Get().(*[copyBuffer]byte)
	defer f.buffers.Put(buf)
	h := sha256.New()
	_, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{file}, buf[:])
	return err == nil && blob.Ref(h.Sum(nil)) == b.Ref, nil // what cannot be read is copied anew
}

// copy implements sink: a temporary file, on the disk before it has its name. That the name is on the disk too is seen to
// at the end, for all together.
func (f *folder) copy(_ context.Context, ref blob.Ref, src io.ReadSeeker, _ int64) (err error) {
	name := filepath.Join(f.root, folderTemp, rand.Text())
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateFile)
	if err != nil {
		return fmt.Errorf("backup: copy a file: %w", err)
	}
	defer func() {
		_ = to.Close() // it is synced, or it goes
		if err != nil {
			_ = os.Remove(name) // best effort: the next backup tidies up
		}
	}()
	buf := f.buffers.Get().(*[copyBuffer]byte)
	defer f.buffers.Put(buf)
	h := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(to, h), src, buf[:]); err != nil {
		return fmt.Errorf("backup: copy %s: %w", blob.Path(ref), err)
	}
	if blob.Ref(h.Sum(nil)) != ref {
		return errDamaged
	}
	if err := to.Sync(); err != nil {
		return fmt.Errorf("backup: copy a file: %w", err)
	}
	final := f.path(ref)
	err = os.Rename(name, final)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(final), privateDir); err != nil {
			return fmt.Errorf("backup: copy a file: %w", err)
		}
		err = os.Rename(name, final)
	}
	if err != nil {
		return fmt.Errorf("backup: copy a file: %w", err)
	}
	n := int(ref[0])<<8 | int(ref[1])
	f.touched[n/64].Or(1 << (n % 64))
	return nil
}

// create implements sink.
func (f *folder) create(name string) (io.WriteCloser, error) {
	path := filepath.Join(f.partial, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), privateDir); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateFile)
	if err != nil {
		return nil, err
	}
	return syncedFile{file}, nil
}

// syncedFile is on the disk when it is closed.
type syncedFile struct{ *os.File }

func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

// finish implements sink. The backup gets its name when all of it, and every file that it needs, is on the disk.
func (f *folder) finish(m Manifest) (string, error) {
	text, sum, err := m.encode()
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{manifestName: text, sumName: sum} {
		file, err := f.create(name)
		if err != nil {
			return "", fmt.Errorf("backup: write the manifest: %w", err)
		}
		_, err = file.Write(content)
		if err = errors.Join(err, file.Close()); err != nil {
			return "", fmt.Errorf("backup: write the manifest: %w", err)
		}
	}
	if err := f.syncFolders(); err != nil {
		return "", fmt.Errorf("backup: make the backup durable: %w", err)
	}
	at := m.StartedAt
	for n := 1; ; n++ {
		name := at.Format(nameLayout)
		if n > 1 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		final := filepath.Join(f.root, backupsDir, name)
		if _, err := os.Lstat(final); err == nil {
			continue
		}
		if err := os.Rename(f.partial, final); err != nil {
			return "", fmt.Errorf("backup: give the backup its name: %w", err)
		}
		if err := syncDir(filepath.Dir(final)); err != nil {
			return "", fmt.Errorf("backup: make the backup durable: %w", err)
		}
		return name, nil
	}
}

// syncFolders makes the names of all that was written durable.
func (f *folder) syncFolders() error {
	folders := map[string]bool{
		f.root: true, filepath.Join(f.root, "blobs"): true, f.partial: true, filepath.Join(f.partial, "tables"): true,
	}
	for n := range 1 << 16 {
		if f.touched[n/64].Load()&(1<<(n%64)) != 0 {
			leaf := filepath.Dir(f.path(blob.Ref{byte(n >> 8), byte(n)}))
			folders[leaf], folders[filepath.Dir(leaf)] = true, true
		}
	}
	for dir := range folders {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes the names in a folder durable, where the file system can.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// backupsIn returns the names of a folder's whole backups, oldest first.
func backupsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, backupsDir))
	if err != nil {
		return nil, fmt.Errorf("backup: look for backups: %w", err)
	}
	var names []string
	for _, e := range entries { // in order, and the order of the names is that of time
		if e.IsDir() && backupName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
