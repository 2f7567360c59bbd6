package upload

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/token"
)

// Permissions, less the umask. Nobody but the server has any business here.
const (
	fileMode = 0o600
	dirMode  = 0o700
)

// Store keeps uploads at <folder>/<account>/<upload>. Any number of processes may use it at once.
type Store struct {
	folder string
	room   func(bytes int64) error
}

// Open returns the store in folder, and makes that when it is not there. room says whether so many bytes more may be
// written, as (*blob.Dir).Room does.
func Open(folder string, room func(bytes int64) error) (*Store, error) {
	folder, err := filepath.Abs(folder) // the store stays where it is when the process changes its folder
	if err != nil {
		return nil, fmt.Errorf("upload: open: %w", err)
	}
	if err := os.Mkdir(folder, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, storageError("open", err)
	}
	return &Store{folder: folder, room: room}, nil
}

// Create begins an upload of size bytes, which is at most allowance: what an account has begun may be so large together.
// It says how many more the account may begin now, also with ErrTooMany. Errors: ErrTooMany, blob.ErrStorageFull.
func (s *Store) Create(accountID, filename string, size, allowance int64) (up Upload, left int, err error) {
	if err := s.room(size); err != nil {
		return Upload{}, 0, err
	}
	held, err := s.lock()
	if err != nil {
		return Upload{}, 0, err
	}
	defer func() { _ = held.Close() }() // which unlocks it
	begun, _, err := s.tidy(accountID)
	if err != nil {
		return Upload{}, 0, err
	}
	if wait := roomIn(begun, size, allowance); wait > 0 {
		return Upload{}, leftOf(begun), ErrTooMany.After(wait)
	}
	up, err = s.begin(accountID, filename, size)
	return up, leftOf(begun) - 1, err
}

// roomIn returns how long it takes until so many of the begun uploads have expired that another one fits; zero when it does now.
func roomIn(begun []Upload, size, allowance int64) time.Duration {
	for _, up := range begun {
		allowance -= up.Size
	}
	slices.SortFunc(begun, func(a, b Upload) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
	wait := time.Duration(0)
	for n := len(begun); n >= MaxUnfinished || n > 0 && size > allowance; n-- {
		next := begun[len(begun)-n]
		allowance += next.Size
		wait = min(max(time.Until(next.ExpiresAt), time.Second), Lifetime)
	}
	return wait
}

func leftOf(begun []Upload) int { return max(MaxUnfinished-len(begun), 0) }

// Left returns how many uploads an account may still begin.
func (s *Store) Left(accountID string) (int, error) {
	held, err := s.lock()
	if err != nil {
		return 0, err
	}
	defer func() { _ = held.Close() }() // which unlocks it
	begun, _, err := s.tidy(accountID)
	return leftOf(begun), err
}

// begin makes the file of an upload, while the store is locked.
func (s *Store) begin(accountID, filename string, size int64) (Upload, error) {
	id := token.ID()
	path := filepath.Join(s.folder, accountID, id)
	if err := os.Mkdir(filepath.Dir(path), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return Upload{}, storageError("create", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return Upload{}, storageError("create", err)
	}
	defer func() { _ = f.Close() }() // what was written is in the file; see describe
	if err := writeHead(f, head{Size: size, Filename: filename}); err != nil {
		_ = os.Remove(path) // best effort: it expires
		return Upload{}, storageError("create", err)
	}
	return describe(f)
}

// Get returns an account's upload. Errors: ErrNotFound.
func (s *Store) Get(accountID, id string) (Upload, error) {
	f, up, err := s.open(accountID, id, os.O_RDONLY)
	if err != nil {
		return Upload{}, err
	}
	return up, f.Close()
}

// OpenWhole returns the bytes of an upload that is whole, to be read from where the file is. They can be read to their
// end also when the upload is removed meanwhile. The caller closes the file. Errors: ErrNotFound, ErrIncomplete.
func (s *Store) OpenWhole(accountID, id string) (*os.File, Upload, error) {
	f, up, err := s.open(accountID, id, os.O_RDONLY)
	if err != nil {
		return nil, Upload{}, err
	}
	if up.Offset < up.Size {
		_ = f.Close() // read-only: there is nothing that closing could lose
		return nil, up, incomplete(up)
	}
	if _, err := f.Seek(headSize, 0); err != nil {
		_ = f.Close() // as above
		return nil, up, storageError("open", err)
	}
	return f, up, nil
}

// Remove forgets an account's upload. Errors: ErrNotFound.
func (s *Store) Remove(accountID, id string) error {
	if !token.IsID(accountID) || !token.IsID(id) {
		return ErrNotFound
	}
	err := os.Remove(filepath.Join(s.folder, accountID, id))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound.Wrap(err)
	}
	if err != nil {
		return storageError("remove", err)
	}
	return nil
}

// RemoveIf forgets an account's upload if it is as it should be: nothing arrives in between. Errors: ErrNotFound, ErrChanged.
func (s *Store) RemoveIf(accountID, id string, asItShouldBe func(Upload) bool) error {
	f, up, err := s.open(accountID, id, os.O_RDWR)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	if !asItShouldBe(up) {
		return ErrChanged
	}
	err = locked(f, up.Offset, func() error { return os.Remove(f.Name()) })
	switch {
	case errors.Is(err, ErrOffset):
		return ErrChanged.Wrap(err)
	case errors.Is(err, fs.ErrNotExist): // removed by who does not ask
		return ErrNotFound.Wrap(err)
	}
	return err
}

// RemoveAll forgets all uploads of an account.
func (s *Store) RemoveAll(accountID string) error {
	held, err := s.lock()
	if err != nil {
		return err
	}
	defer func() { _ = held.Close() }() // which unlocks it
	if err := os.RemoveAll(filepath.Join(s.folder, accountID)); err != nil {
		return storageError("remove", err)
	}
	return nil
}

// open opens an upload that has not expired.
func (s *Store) open(accountID, id string, flag int) (*os.File, Upload, error) {
	if !token.IsID(accountID) || !token.IsID(id) {
		return nil, Upload{}, ErrNotFound
	}
	f, err := os.OpenFile(filepath.Join(s.folder, accountID, id), flag, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Upload{}, ErrNotFound.Wrap(err)
	}
	if err != nil {
		return nil, Upload{}, storageError("open", err)
	}
	up, err := describe(f)
	if err == nil && time.Now().After(up.ExpiresAt) {
		err = ErrNotFound
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, Upload{}, err
	}
	return f, up, nil
}

// storageError wraps what the file system said, and names it where it has a name.
func storageError(op string, err error) error {
	err = fmt.Errorf("upload: %s: %w", op, err)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return blob.ErrStorageFull.Wrap(err)
	}
	return err
}
