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
// The order is: sync the file, name it, sync the folder. So a name never stands for bytes that are not durable, on any
// file system, and a file under its final name that was never acknowledged is whole all the same. Naming first and
// syncing the file once would, on ext4 and xfs, save the second flush (the journal carries the name along), but then a
// name proves nothing: the next Commit of the same bytes could not believe the file it finds, not even after hashing
// and syncing it, since a write that failed is reported once and the cache then looks clean. It would have to write
// every duplicate out anew. With eight writers the flushes of different commits share journal transactions, so that
// naming first measured 5 to 15 percent faster, less than two runs differ; that is not worth it.
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
	if state != intact {
		if err := d.place(ctx, s, state); err != nil {
			return err
		}
	}
	if err := d.syncFolders(s.ref); err != nil {
		return storageError("commit", err)
	}
	d.step("durable")
	return nil
}

// place makes the staged file durable and gives it its name.
func (d *Dir) place(ctx context.Context, s *Staged, state blobState) error {
	if s.committed {
		return errors.New("blob: commit: the blob was removed after it was committed")
	}
	d.step("staged")
	if err := s.temp.f.Sync(); err != nil {
		return storageError("commit", err)
	}
	d.step("synced")
	final := d.abs(Path(s.ref))
	err := fs.ErrExist
	if state == absent {
		err = s.temp.nameNew(final)
		if errors.Is(err, fs.ErrNotExist) {
			d.forgetFolder(s.ref)
			if err := makeFolders(filepath.Dir(final)); err != nil {
				return storageError("commit", err)
			}
			err = s.temp.nameNew(final)
		}
		if errors.Is(err, fs.ErrExist) { // somebody was faster with the same bytes
			if state, err = d.inspect(ctx, s.ref, s.size); err != nil || state == intact {
				return err
			}
			err = fs.ErrExist
		}
	}
	if errors.Is(err, fs.ErrExist) {
		// Damaged, by a disk that lied about a flush or by a copy that was cut short. We hold the true bytes and they
		// are durable, so a crash on either side of the rename loses nothing.
		err = s.temp.nameOver(final)
	}
	if err != nil {
		return storageError("commit", err)
	}
	s.committed = true
	d.step("named")
	return nil
}

// blobState is what inspect found under a Ref.
type blobState int

const (
	absent blobState = iota
	intact
	damaged
)

// inspect looks whether the blob is there, whole and with the right bytes, and if so makes them durable: Commit did so
// before it named them, but a backup that was copied in may not have.
func (d *Dir) inspect(ctx context.Context, ref Ref, size int64) (blobState, error) {
	f, err := os.Open(d.abs(Path(ref)))
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, storageError("commit", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || info.Size() != size {
		return damaged, nil
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
			return damaged, nil // a sector that cannot be read is as good as lost
		}
	}
	if Ref(h.Sum(nil)) != ref {
		return damaged, nil
	}
	if err := f.Sync(); err != nil {
		return absent, storageError("commit", err)
	}
	return intact, nil
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
