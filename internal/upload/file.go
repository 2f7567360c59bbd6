package upload

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/kadr-app/kadr/internal/apperr"
)

// headSize is what lies before the bytes of an upload: JSON, and spaces up to here. It leaves room for the longest name.
const headSize = 4 << 10

// head is what is known of an upload from its beginning.
type head struct {
	Size     int64  `json:"size"`
	Filename string `json:"filename,omitempty"`
}

func writeHead(f *os.File, h head) error {
	b, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(b) > headSize {
		return errors.New("the name is too long")
	}
	_, err = f.Write(append(b, bytes.Repeat([]byte{' '}, headSize-len(b))...))
	return err
}

// describe reads what a file says of itself. One whose head is not whole is none: a server died while it wrote it.
func describe(f *os.File) (Upload, error) {
	st, err := f.Stat()
	if err != nil {
		return Upload{}, storageError("look", err)
	}
	var h head
	b := make([]byte, headSize)
	switch _, err := f.ReadAt(b, 0); {
	case errors.Is(err, io.EOF):
		return Upload{}, ErrNotFound.Wrap(err)
	case err != nil:
		return Upload{}, storageError("read", err)
	}
	if err := json.Unmarshal(b, &h); err != nil {
		return Upload{}, ErrNotFound.Wrap(err)
	}
	return Upload{
		ID: filepath.Base(f.Name()), Size: h.Size, Offset: st.Size() - headSize, Filename: h.Filename,
		ExpiresAt: st.ModTime().Add(Lifetime),
	}, nil
}

func incomplete(up Upload) error {
	return apperr.Newf(ErrIncomplete.Kind, ErrIncomplete.Code, "Of %d bytes %d have arrived. Send the rest first.", up.Size, up.Offset)
}

// lock locks a file against all others who do, until it is unlocked or closed. It is only ever held for a moment, so it
// waits.
func lock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

func unlock(f *os.File) { _ = flock(f, syscall.LOCK_UN) } // closing the file unlocks it in any case

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// isRemoved reports whether an open file has lost its name.
func isRemoved(st os.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && sys.Nlink == 0
}
