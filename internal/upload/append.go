package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// bufferSize is how much is read at once, in bytes.
	bufferSize = 128 << 10
	// roomStep is how much is written between two looks at how much room is left, in bytes.
	roomStep = 1 << 20
)

// Part is what is to be added to an upload.
type Part struct {
	Offset int64 // where it begins
	Length int64 // bytes, or negative where that is not known
	Body   io.Reader
	// Verify is asked once the body has ended. With an error the whole part is taken back.
	Verify func() error
}

// Append adds a part, and returns the upload as it is then, also with an error. Whatever arrived before an error of the
// body counts, in the moment in which it arrives; the error is returned wrapped.
//
// Nobody is kept waiting by a sender that hangs: the file is locked for each write alone, and a write finds the file as
// long as its part says, or ends with ErrOffset. So of two senders of the same bytes the first to write goes on, and a
// sender who lost its connection can go on by another one, whether or not the server has noticed.
//
// Errors: ErrNotFound, ErrOffset, ErrTooLarge, blob.ErrStorageFull, ctx's, and those of the body and of Verify.
func (s *Store) Append(ctx context.Context, accountID, id string, p Part) (Upload, error) {
	f, up, err := s.open(accountID, id, os.O_RDWR)
	if err != nil {
		return Upload{}, err
	}
	defer func() { _ = f.Close() }() // nothing is promised but what the file then holds
	switch {
	case p.Offset != up.Offset:
		return up, ErrOffset
	case p.Length > up.Size-up.Offset:
		return up, ErrTooLarge
	}
	end, err := s.fill(ctx, f, up, p.Body)
	if err == nil && p.Verify != nil {
		if err = p.Verify(); err != nil {
			err = errors.Join(err, truncate(f, end, p.Offset))
		}
	}
	now, derr := describe(f)
	if derr != nil {
		return up, errors.Join(err, derr)
	}
	return now, err
}

// fill copies the body into the file, and returns how far it came.
func (s *Store) fill(ctx context.Context, f *os.File, up Upload, body io.Reader) (offset int64, err error) {
	buf := make([]byte, bufferSize)
	looked := up.Offset - roomStep
	for offset = up.Offset; ; {
		if err := ctx.Err(); err != nil {
			return offset, fmt.Errorf("upload: append: %w", err)
		}
		if offset-looked >= roomStep {
			if err := s.room(0); err != nil {
				return offset, err
			}
			looked = offset
		}
		n, rerr := body.Read(buf)
		if n > 0 {
			if int64(n) > up.Size-offset {
				return offset, ErrTooLarge
			}
			if err := write(f, buf[:n], offset); err != nil {
				return offset, err
			}
			offset += int64(n)
		}
		switch {
		case rerr == io.EOF: // a wrapped one is a body that was cut short
			return offset, nil
		case rerr != nil:
			return offset, fmt.Errorf("upload: append: %w", rerr)
		}
	}
}

// write adds bytes to a file that ends at offset.
func write(f *os.File, b []byte, offset int64) error {
	return locked(f, offset, func() error {
		_, err := f.WriteAt(b, headSize+offset)
		return err
	})
}

// truncate takes back what follows offset in a file that ends at end.
func truncate(f *os.File, end, offset int64) error {
	return locked(f, end, func() error { return f.Truncate(headSize + offset) })
}

// locked does something to a file while it is locked, if it is still there and ends at offset.
func locked(f *os.File, offset int64, do func() error) error {
	if err := lock(f); err != nil {
		return storageError("lock", err)
	}
	defer unlock(f)
	st, err := f.Stat()
	switch {
	case err != nil:
		return storageError("look", err)
	case isRemoved(st):
		return ErrNotFound
	case st.Size() != headSize+offset:
		return ErrOffset
	}
	if err := do(); err != nil {
		return storageError("write", err)
	}
	return nil
}
