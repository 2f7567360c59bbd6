package backup

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kadr-app/kadr/internal/blob"
)

// temporary is a file without a name, so that nothing is left of it however the process ends.
type temporary struct{ *os.File }

func newTemporary(dir string) (*temporary, error) {
	f, err := os.CreateTemp(dir, "backup-*")
	if err != nil {
		return nil, fmt.Errorf("backup: make a temporary file: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("backup: make a temporary file: %w", err), f.Close())
	}
	return &temporary{f}, nil
}

func (t *temporary) close() { _ = t.Close() } // what it held has been used

// A ledger is a sorted list of the blobs that are in the archive. It is a file, so that memory does not grow with it.
const ledgerEntry = len(blob.Ref{}) + 8

type ledgerWriter struct{ w *bufio.Writer }

func newLedgerWriter(f *temporary) ledgerWriter { return ledgerWriter{bufio.NewWriter(f)} }

func (l ledgerWriter) add(b Blob) error {
	_, err := l.w.Write(binary.BigEndian.AppendUint64(b.Ref[:], uint64(b.Size)))
	return err
}

// ledgerReader reads a ledger from its start.
type ledgerReader struct {
	r    *bufio.Reader
	next Blob
	end  bool
}

func newLedgerReader(f *temporary) (*ledgerReader, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	l := &ledgerReader{r: bufio.NewReader(f)}
	return l, l.advance()
}

func (l *ledgerReader) advance() error {
	var entry [ledgerEntry]byte
	_, err := io.ReadFull(l.r, entry[:])
	if err == io.EOF {
		l.end = true
		return nil
	}
	n := copy(l.next.Ref[:], entry[:])
	l.next.Size = int64(binary.BigEndian.Uint64(entry[n:]))
	return err
}

// find returns the entry of ref, which must be after those that were looked for before.
func (l *ledgerReader) find(ref blob.Ref) (b Blob, found bool, err error) {
	for !l.end && bytes.Compare(l.next.Ref[:], ref[:]) < 0 {
		if err := l.advance(); err != nil {
			return Blob{}, false, err
		}
	}
	return l.next, !l.end && l.next.Ref == ref, nil
}
