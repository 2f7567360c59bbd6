package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Stage implements Store.
func (d *Dir) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	if err := d.room(d.reserve); err != nil {
		return nil, err
	}
	t, err := d.temp.create()
	if err != nil {
		return nil, err
	}
	s := &Staged{temp: t}
	kept := false
	defer func() { // deferred, so that it also runs when r panics
		if !kept {
			t.discard()
		}
	}()
	if s.ref, s.size, err = d.fill(ctx, t.f, r, max(limit, 0)); err != nil {
		return nil, err
	}
	if s.view, err = t.reader(); err != nil {
		return nil, storageError("stage", err)
	}
	kept = true
	return s, nil
}

// fill copies r into f.
func (d *Dir) fill(ctx context.Context, f *os.File, r io.Reader, limit int64) (ref Ref, size int64, err error) {
	buf := d.buffers.Get().(*[bufferSize]byte)
	defer d.buffers.Put(buf)
	h := sha256.New()
	var started int64 // writeback has begun up to here
	for {
		chunk := buf[:]
		if room := limit - size; room < int64(len(chunk)) {
			chunk = chunk[:room+1] // the one byte too many, and not one more
		}
		n, rerr := readFull(ctx, r, chunk)
		if rerr != nil && rerr != io.EOF { //nolint:errorlint // only a bare io.EOF is an end
			return Ref{}, 0, fmt.Errorf("blob: stage: %w", rerr)
		}
		if size += int64(n); size > limit {
			return Ref{}, 0, tooLarge(limit)
		}
		h.Write(chunk[:n])
		if _, err := f.Write(chunk[:n]); err != nil {
			return Ref{}, 0, storageError("stage", err)
		}
		if rerr != nil {
			h.Sum(ref[:0])
			return ref, size, nil
		}
		if size-started >= writebackStep {
			if err := d.room(d.reserve); err != nil {
				return Ref{}, 0, err
			}
			startWriteback(f, started, size-started)
			started = size
		}
	}
}

// tooLarge is ErrTooLarge with the limit in its message.
func tooLarge(limit int64) error {
	return apperr.Newf(ErrTooLarge.Kind, ErrTooLarge.Code, "The file is larger than the %d bytes allowed.", limit)
}

// readFull reads until buf is full or r returns an error, which it passes on as it is. io.ReadFull would turn an end
// into io.ErrUnexpectedEOF, which is also how a body that was cut short reports itself.
func readFull(ctx context.Context, r io.Reader, buf []byte) (n int, err error) {
	for empty := 0; n < len(buf) && err == nil; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		var m int
		m, err = r.Read(buf[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty > 100 && err == nil {
			return n, io.ErrNoProgress
		}
	}
	return n, err
}

// Commit implements Store.
//
// What makes a new blob durable depends on the file system. Where one flush of the journal carries a file's bytes together
// with its name (see canUnnamed; a link also never replaces what has the name already), the file is named first and synced
// once. Everywhere else the order is the textbook's: sync the file, name it, sync the folders.
//
// A name alone therefore proves nothing. A blob that was named and not synced yet may be torn after a power cut, and one
// whose sync failed may look whole from the cache and not be so on the disk. So a blob is sealed (made read-only) after it
// is durable, and a Commit that finds its name taken believes a seal only, and then only if size and hash are right. What
// is not sealed it replaces, by a copy that is durable before the rename: whatever was there, a crash on either side of
// the rename leaves the right bytes. The seal itself need not be durable: without it, we merely write the bytes again.
func (d *Dir) Commit(ctx context.Context, s *Staged) error {
	s.temp.mu.Lock()
	defer s.temp.mu.Unlock()
	if s.temp.f == nil {
		return errDiscarded
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("blob: commit: %w", err)
	}
	state, err := d.inspect(ctx, s.ref, s.size)
	if err != nil {
		return err
	}
	switch {
	case state == sealed:
		err = d.syncFolders(s.ref)
	case s.committed:
		return errors.New("blob: commit: the blob was removed after it was committed")
	case state == doubtful:
		err = d.replace(s)
	case d.temp.unnamed:
		err = d.nameThenSync(s)
	default:
		err = d.syncThenName(s)
	}
	if errors.Is(err, fs.ErrExist) { // somebody was faster with the same bytes
		err = d.replace(s)
	}
	if err != nil {
		return storageError("commit", err)
	}
	d.step("durable")
	return nil
}

// nameThenSync gives the file its name and makes both durable by one flush. fs.ErrExist when the name is taken.
func (d *Dir) nameThenSync(s *Staged) error {
	d.step("staged")
	if err := d.name(s); err != nil {
		return err
	}
	d.step("named")
	if err := s.temp.f.Sync(); err != nil {
		_ = os.Remove(d.abs(Path(s.ref))) // best effort: without a seal nobody will believe it anyway
		return err
	}
	return d.seal(s)
}

// syncThenName makes the file durable, then gives it its name, then makes that durable. fs.ErrExist when it is taken.
func (d *Dir) syncThenName(s *Staged) error {
	d.step("staged")
	if err := s.temp.f.Sync(); err != nil {
		return err
	}
	if err := d.name(s); err != nil {
		return err
	}
	d.step("named")
	if err := d.syncFolders(s.ref); err != nil {
		return err
	}
	return d.seal(s)
}

// replace puts the file in the place of one that cannot be believed.
func (d *Dir) replace(s *Staged) error {
	if err := s.temp.f.Sync(); err != nil {
		return err
	}
	if err := s.temp.nameOver(d.abs(Path(s.ref))); err != nil {
		return err
	}
	if err := d.syncFolders(s.ref); err != nil {
		return err
	}
	return d.seal(s)
}

// name gives the file its name, and makes the folders above it when it is the first in them.
func (d *Dir) name(s *Staged) error {
	final := d.abs(Path(s.ref))
	err := s.temp.nameNew(final)
	if errors.Is(err, fs.ErrNotExist) {
		d.forgetFolder(s.ref)
		if err := makeFolders(filepath.Dir(final)); err != nil {
			return err
		}
		err = s.temp.nameNew(final)
	}
	return err
}

// seal says that the blob is durable.
func (d *Dir) seal(s *Staged) error {
	s.committed = true
	return s.temp.f.Chmod(sealedMode)
}

// blobState is what inspect found under a Ref.
type blobState int

const (
	absent   blobState = iota
	sealed             // durable, with the right bytes
	doubtful           // damaged, or never known to be durable
)

// inspect looks whether the blob is there and can be believed. A sealed one is synced all the same, which costs nothing
// where there is nothing to write: a backup that was copied in brings its seals along.
func (d *Dir) inspect(ctx context.Context, ref Ref, size int64) (blobState, error) {
	f, err := os.Open(d.abs(Path(ref)))
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, storageError("commit", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || info.Size() != size || info.Mode().Perm()&0o200 != 0 {
		return doubtful, nil
	}
	buf := d.buffers.Get().(*[bufferSize]byte)
	defer d.buffers.Put(buf)
	h := sha256.New()
	for {
		n, err := readFull(ctx, f, buf[:])
		h.Write(buf[:n])
		if err == io.EOF { //nolint:errorlint // os.File returns it bare
			break
		}
		if ctx.Err() != nil {
			return absent, fmt.Errorf("blob: commit: %w", ctx.Err())
		}
		if err != nil {
			return doubtful, nil // a sector that cannot be read is as good as lost
		}
	}
	if Ref(h.Sum(nil)) != ref {
		return doubtful, nil
	}
	if err := f.Sync(); err != nil {
		return absent, storageError("commit", err)
	}
	return sealed, nil
}

// syncFolders makes the blob's name durable, and the first time also the folders above it: another process may have
// made them a moment ago and not have synced them yet.
func (d *Dir) syncFolders(ref Ref) error {
	leaf := filepath.Dir(d.abs(Path(ref)))
	if err := syncDir(leaf); err != nil {
		return err
	}
	word, bit := folderBit(ref)
	if d.durable[word].Load()&bit != 0 {
		return nil
	}
	for _, folder := range []string{filepath.Dir(leaf), filepath.Dir(filepath.Dir(leaf))} {
		if err := syncDir(folder); err != nil {
			return err
		}
	}
	d.durable[word].Or(bit)
	return nil
}

// forgetFolder says that a blob's folder is new, or newly made.
func (d *Dir) forgetFolder(ref Ref) {
	word, bit := folderBit(ref)
	d.durable[word].And(^bit)
}

func folderBit(ref Ref) (word int, bit uint64) {
	n := int(ref[0])<<8 | int(ref[1])
	return n / 64, 1 << (n % 64)
}

func (d *Dir) step(name string) {
	if d.at != nil {
		d.at(name)
	}
}
