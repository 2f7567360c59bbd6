package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// stream is the sink that writes one tar: a head, the blobs, the tables, the list of the blobs, and the manifest.
type stream struct {
	tar  *tar.Writer
	temp string // folder for what must be whole before its size is known
	at   time.Time
	buf  []byte
}

// ToStream writes a backup as a tar to w. What it cannot write at once, which is the tables, compressed, goes by the folder
// temp first. done is called when all is written, while writes still wait.
func (s *Service) ToStream(ctx context.Context, w io.Writer, temp string, opts Options, done func(Report) error) error {
	t := &stream{tar: tar.NewWriter(w), temp: temp, at: time.Now().UTC().Truncate(time.Second), buf: make([]byte, copyBuffer)}
	head, _, err := s.manifest(t.at).encode()
	if err != nil {
		return err
	}
	if err := t.file(headName, head); err != nil {
		return err
	}
	return s.write(ctx, t, opts, done)
}

func (t *stream) workers() int { return 1 }

func (t *stream) spool() (*temporary, error) { return newTemporary(t.temp) }

func (t *stream) has(context.Context, Blob) (bool, error) { return false, nil }

func (t *stream) header(name string, size int64) error {
	return t.tar.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: privateFile, ModTime: t.at, Format: tar.FormatPAX,
	})
}

// copy implements sink. What is once in the stream cannot be taken back, so the bytes are looked at before.
func (t *stream) copy(_ context.Context, ref blob.Ref, src io.ReadSeeker, size int64) error {
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, src, t.buf); err != nil {
		return fmt.Errorf("backup: read %s: %w", blob.Path(ref), err)
	}
	if blob.Ref(h.Sum(nil)) != ref {
		return errDamaged
	}
	if _, err := src.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("backup: read %s: %w", blob.Path(ref), err)
	}
	if err := t.header(blob.Path(ref), size); err != nil {
		return fmt.Errorf("backup: write %s: %w", blob.Path(ref), err)
	}
	h.Reset()
	n, err := io.CopyBuffer(io.MultiWriter(struct{ io.Writer }{t.tar}, h), src, t.buf)
	var unread *readError
	switch {
	case errors.As(err, &unread), err == nil && (n != size || blob.Ref(h.Sum(nil)) != ref):
		// Not as a fault of the file: the stream has half of it.
		return fmt.Errorf("backup: %s changed while it was read; back up again", blob.Path(ref))
	case err != nil:
		return fmt.Errorf("backup: write %s: %w", blob.Path(ref), err)
	}
	return nil
}

// create implements sink.
func (t *stream) create(name string) (io.WriteCloser, error) {
	temp, err := t.spool()
	if err != nil {
		return nil, err
	}
	return &spooled{t, temp, name}, nil
}

// spooled goes into the stream when it is closed.
type spooled struct {
	to *stream
	*temporary
	name string
}

func (s *spooled) Close() error {
	defer s.close()
	size, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := s.to.header(s.name, size); err != nil {
		return err
	}
	_, err = io.Copy(s.to.tar, s.File)
	return err
}

func (t *stream) file(name string, content []byte) error {
	err := t.header(name, int64(len(content)))
	if err == nil {
		_, err = t.tar.Write(content)
	}
	if err != nil {
		return fmt.Errorf("backup: write %s: %w", name, err)
	}
	return nil
}

// finish implements sink.
func (t *stream) finish(m Manifest) (string, error) {
	text, sum, err := m.encode()
	if err != nil {
		return "", err
	}
	err = t.file(manifestName, text)
	if err == nil {
		err = t.file(sumName, sum)
	}
	if err == nil {
		err = t.tar.Close()
	}
	return "", err
}
