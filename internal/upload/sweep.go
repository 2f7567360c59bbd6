package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kadr-app/kadr/internal/token"
)

// lockAccount opens and locks an account's folder, and makes it when it is not there. What is begun or swept in it is the
// business of one at a time. Closing it unlocks it.
func (s *Store) lockAccount(accountID string) (*os.File, error) {
	path := filepath.Join(s.folder, accountID)
	for {
		if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, storageError("make a folder", err)
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a sweep was faster
		}
		if err != nil {
			return nil, storageError("open a folder", err)
		}
		if err := lock(f); err != nil {
			return nil, errors.Join(storageError("lock", err), f.Close())
		}
		mine, err := f.Stat()
		if err == nil {
			var here os.FileInfo
			if here, err = os.Stat(path); err == nil && os.SameFile(mine, here) {
				return f, nil
			}
		}
		_ = f.Close() // nothing was written
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, storageError("look", err)
		}
	}
}

// tidy removes what is over in an account's folder, which is locked, and returns the uploads that are not, and how many
// files it removed.
func (s *Store) tidy(accountID string) (left []Upload, removed int, err error) {
	entries, err := os.ReadDir(filepath.Join(s.folder, accountID))
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
		// Over, or never whole: what is being begun is so too, but not for as long.
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > Lifetime {
			if err = os.Remove(filepath.Join(s.folder, accountID, e.Name())); err == nil {
				removed++
			}
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // complete or deleted meanwhile
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
	lock, err := s.lockAccount(accountID)
	if err != nil {
		return 0, err
	}
	defer func() { _ = lock.Close() }()
	_, removed, err := s.tidy(accountID)
	if err != nil {
		return removed, err
	}
	_ = os.Remove(filepath.Join(s.folder, accountID)) // works only if nothing is left in it
	return removed, nil
}
