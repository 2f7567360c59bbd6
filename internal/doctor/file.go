package doctor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/kadr-app/kadr/internal/blob"
)

// file is an open blob or variant, or the zero value where there is none. While it is open, no other file can pass for
// it: the system gives its number to nobody.
type file struct {
	f    *os.File
	info fs.FileInfo
}

func (f file) absent() bool { return f.f == nil }

func (f file) size() int64 { return f.info.Size() }

func (f file) close() {
	if f.f != nil {
		_ = f.f.Close() // it was only read
	}
}

// open opens a blob. That there is none is no error.
func (e *examination) open(ctx context.Context, ref blob.Ref) (file, error) {
	return opened(e.blobs.Open(ctx, ref))
}

// openVariant opens a variant. That there is none is no error.
func (e *examination) openVariant(ctx context.Context, ref blob.Ref, name string) (file, error) {
	return opened(e.blobs.OpenVariant(ctx, ref, name))
}

func opened(f *os.File, err error) (file, error) {
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrVariantNotFound) {
		return file{}, nil
	}
	if err != nil {
		return file{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return file{}, errors.Join(fmt.Errorf("doctor: look at a file: %w", err), f.Close())
	}
	return file{f: f, info: info}, nil
}

// stillThere says whether what lies under ref is the file f, or nothing as with f.
func (e *examination) stillThere(ctx context.Context, f file, ref blob.Ref) (bool, error) {
	now, err := e.open(ctx, ref)
	if err != nil {
		return false, err
	}
	defer now.close()
	return now.same(f), nil
}

func (f file) same(other file) bool {
	if f.absent() || other.absent() {
		return f.absent() == other.absent()
	}
	return os.SameFile(f.info, other.info) && f.size() == other.size() && f.info.ModTime().Equal(other.info.ModTime())
}

// fault reads a file to its end and says what is wrong with it, or "" when its bytes are those that ref names. A sector
// that cannot be read is a fault of the file; that the file may not be read, or that there is no disk, is an error.
func (e *examination) fault(ctx context.Context, f file, ref blob.Ref) (string, error) {
	if !f.info.Mode().IsRegular() {
		return "it is not a file", nil
	}
	h := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := f.f.Read(e.buf)
		h.Write(e.buf[:n])
		switch {
		case errors.Is(err, io.EOF):
			if got := blob.Ref(h.Sum(nil)); got != ref {
				return "the SHA-256 of its bytes is " + got.String(), nil
			}
			return "", nil
		case errors.Is(err, syscall.EIO):
			return "the disk cannot read it", nil
		case err != nil:
			return "", fmt.Errorf("doctor: read a file: %w", err)
		}
	}
}
