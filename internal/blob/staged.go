package blob

import (
	"os"
)

// Staged is bytes that have been received and hashed, and are not kept yet. Staging is local whatever the Store, for
// the decoder processes take a file descriptor.
type Staged struct {
	ref  Ref
	size int64
	temp *tempFile
	// view is a second, read-only descriptor of the file. It goes to decoder processes, which must not be able to
	// change bytes whose hash is already known.
	view      *os.File
	committed bool // guarded by temp.mu
}

// Ref returns the SHA-256 of the bytes.
func (s *Staged) Ref() Ref { return s.ref }

// Size returns how many bytes there are.
func (s *Staged) Size() int64 { return s.size }

// File returns the bytes, read-only, at offset 0. They stay readable after Commit and until Discard, which closes the
// file. Its name means nothing. A descriptor sent to another process shares its offset with this one, so whoever has
// company reads by ReadAt (pread).
func (s *Staged) File() *os.File { return s.view }

// Discard releases the file, and forgets the bytes unless they were committed. It may be called again, and after
// Commit; deferring it right after Stage is the intended use.
func (s *Staged) Discard() {
	_ = s.view.Close() // read-only: there is nothing that closing could lose
	s.temp.discard()
}

// Variant is a file that is being made from a blob.
type Variant struct {
	temp    *tempFile
	file    *os.File
	publish func(*Variant) error
	done    bool // guarded by temp.mu
}

// File returns the empty file to write, usually by a decoder process that is handed its descriptor. Its name means
// nothing. It is closed by Discard.
func (v *Variant) File() *os.File { return v.file }

// Commit puts what was written into its place, over an older variant of the same name, whose readers are not
// disturbed. Nobody may write to the file any more. A second Commit does nothing. The errors: ErrNotFound when the
// blob was removed meanwhile, ErrStorageFull; an empty file is refused.
func (v *Variant) Commit() error {
	v.temp.mu.Lock()
	defer v.temp.mu.Unlock()
	if v.done {
		return nil
	}
	if err := v.publish(v); err != nil {
		return err
	}
	v.done = true
	return nil
}

// Discard releases the file, and forgets it unless it was committed. It may be called again, and after Commit.
func (v *Variant) Discard() { v.temp.discard() }
