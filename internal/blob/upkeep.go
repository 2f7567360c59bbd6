package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// checkPrefix begins the name of the files of Check, which lie where blobs do because that is what Check tries.
const checkPrefix = "check-"

// Walk implements Store. It holds one folder in memory at a time.
func (d *Dir) Walk(ctx context.Context, fn func(Entry) error) error {
	for _, top := range []string{blobsDir, variantsDir} {
		err := filepath.WalkDir(d.abs(top), func(file string, e fs.DirEntry, err error) error {
			if cerr := ctx.Err(); cerr != nil {
				return fmt.Errorf("blob: walk: %w", cerr)
			}
			if errors.Is(err, fs.ErrNotExist) && file != d.abs(top) {
				return nil // removed since its folder was read
			}
			if err != nil {
				return storageError("walk", err)
			}
			if e.IsDir() {
				return nil
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return storageError("walk", err)
			}
			rel, err := filepath.Rel(d.root, file)
			if err != nil {
				return fmt.Errorf("blob: walk: %w", err)
			}
			rel = filepath.ToSlash(rel)
			if strings.HasPrefix(rel, blobsDir+"/"+checkPrefix) {
				return nil
			}
			entry := entryOf(rel, info.Mode().IsRegular())
			entry.Size, entry.ModTime = info.Size(), info.ModTime()
			return fn(entry)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// entryOf says what the file at rel, a slash-separated path below the store, is.
func entryOf(rel string, regular bool) Entry {
	dir, name := path.Split(rel)
	if ref, err := ParseRef(name); err == nil && regular && rel == Path(ref) {
		return Entry{Ref: ref}
	}
	ref, err := ParseRef(path.Base(dir))
	if err == nil && regular && CheckVariantName(name) == nil && rel == VariantPath(ref, name) {
		return Entry{Ref: ref, Variant: name}
	}
	return Entry{Stray: rel}
}

// SweepTemp implements Store.
func (d *Dir) SweepTemp(ctx context.Context, olderThan time.Duration) (int, error) {
	limit := time.Now().Add(-olderThan)
	swept := 0
	for folder, prefix := range map[string]string{d.temp.path: "", d.abs(blobsDir): checkPrefix} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return swept, storageError("sweep", err)
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return swept, fmt.Errorf("blob: sweep: %w", err)
			}
			if e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
				continue
			}
			info, err := e.Info()
			if err == nil && info.ModTime().Before(limit) {
				if err = os.Remove(filepath.Join(folder, e.Name())); err == nil {
					swept++
				}
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // another sweep may have been faster
				return swept, storageError("sweep", err)
			}
		}
	}
	return swept, nil
}

// Quarantine implements Store. The bytes go to quarantine/<sha256>.<n> with the first n from 1 that is free.
func (d *Dir) Quarantine(ctx context.Context, ref Ref) error {
	from := d.abs(Path(ref))
	if err := d.mustExist(ref); err != nil {
		return err
	}
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("blob: quarantine: %w", err)
		}
		to := filepath.Join(d.root, quarantineDir, fmt.Sprintf("%s.%d", ref, n))
		// An empty file takes the number, so that the rename can only replace what is ours.
		taken, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return storageError("quarantine", err)
		}
		_ = taken.Close() // nothing was written
		if err := os.Rename(from, to); err != nil {
			_ = os.Remove(to) // best effort: an empty file does no harm there
			if errors.Is(err, fs.ErrNotExist) {
				return ErrNotFound.Wrap(err)
			}
			return storageError("quarantine", err)
		}
		for _, folder := range []string{filepath.Dir(to), filepath.Dir(from)} {
			if err := syncDir(folder); err != nil {
				return storageError("quarantine", err)
			}
		}
		return nil
	}
}

// Check implements Store. It takes the steps of Stage and Commit, but names its file as no blob is named and puts it
// above the shards, so that being asked every few seconds fills no folders.
func (d *Dir) Check(ctx context.Context) error {
	token := rand.Text()
	s, err := d.Stage(ctx, strings.NewReader(token), int64(len(token)))
	if err != nil {
		return err
	}
	defer s.Discard()
	file := filepath.Join(d.root, blobsDir, checkPrefix+token)
	if err := d.tryFile(s, file); err != nil {
		_ = os.Remove(file) // best effort: the sweep finds it
		return storageError("check", err)
	}
	if err := os.Remove(file); err != nil {
		return storageError("check", err)
	}
	return nil
}

// tryFile names what was staged as Commit would, and reads it back.
func (d *Dir) tryFile(s *Staged, file string) error {
	s.temp.mu.Lock()
	defer s.temp.mu.Unlock()
	if err := s.temp.f.Sync(); err != nil {
		return err
	}
	if err := s.temp.nameNew(file); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(file)); err != nil {
		return err
	}
	want := make([]byte, s.size)
	if _, err := s.view.ReadAt(want, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	got, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return errors.New("what was read is not what was written")
	}
	return nil
}
