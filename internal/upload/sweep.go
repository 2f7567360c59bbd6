package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kadr-app/kadr/internal/token"
)

// lockFile lies beside the accounts' folders. It is a file, since there are file systems on which a folder cannot be locked.
const lockFile = "lock"

// lock keeps others from beginning and sweeping, in any process, until what it returns is closed. It is held for no longer
// than it takes to look through an account's folder.
func (s *Store) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.folder, lockFile), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, storageError("lock", err)
	}
	if err := lock(f); err != nil {
		return nil, errors.Join(storageError("lock", err), f.Close())
	}
	return f, nil
}

// tidy removes what is over in an account's folder, while the store is locked. It returns the uploads that are not, and how
// many files it removed.
func (s *Store) tidy(accountID string) (left []Upload, removed int, err error) {
	entries, err := os.ReadDir(filepath.Join(s.folder, accountID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, storageError("read a folder", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		f, up, err := s.open(accountID, e.Name(), os.O_RDONLY)
		if err == nil {
			_ = f.Close() // nothing was written
			left = append(left, up)
			continue
		}
		if !errors.Is(err, ErrNotFound) {
			return left, removed, err
		}
		// Over, or torn: its server died while it began it, for nobody begins one now.
		err = os.Remove(filepath.Join(s.folder, accountID, e.Name()))
		if err == nil {
			removed++
		} else if !errors.Is(err, fs.ErrNotExist) { // complete or deleted meanwhile
			return left, removed, storageError("sweep", err)
		}
	}
	return left, removed, nil
}

// Sweep removes what got nothing for Lifetime, and says how many files. Any number of processes may sweep at once.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	accounts, err := os.ReadDir(s.folder)
	if err != nil {
		return 0, storageError("sweep", err)
	}
	for _, a := range accounts {
		if err := ctx.Err(); err != nil {
			return removed, fmt.Errorf("upload: sweep: %w", err)
		}
		if !a.IsDir() || !token.IsID(a.Name()) {
			continue
		}
		n, err := s.sweepAccount(a.Name())
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

func (s *Store) sweepAccount(accountID string) (int, error) {
	held, err := s.lock()
	if err != nil {
		return 0, err
	}
	defer func() { _ = held.Close() }() // which unlocks it
	_, removed, err := s.tidy(accountID)
	if err != nil {
		return removed, err
	}
	_ = os.Remove(filepath.Join(s.folder, accountID)) // works only if nothing is left in it
	return removed, nil
}
