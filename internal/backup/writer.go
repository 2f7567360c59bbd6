package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
)

// errDamaged says that a file does not hold the bytes that it is named after.
var errDamaged = errors.New("its bytes are not those that its name says")

// writer is one backup on its way.
type writer struct {
	*Service
	to      sink
	opts    Options
	started time.Time

	newFiles, newBytes int64
	missing            int64
	faults             []Fault // the first of those that are missing
}

// outcome is what became of one file.
type outcome struct {
	blob   Blob // with the size that it really has
	copied bool
	fault  string // empty when it is in the archive
}

// copyAll copies those of all blobs that are not in the ledger old, and returns a ledger of all that are in the archive.
// It closes old, also when it fails. In the last pass what cannot be copied is a fault; before, it may be that somebody
// just deleted it, and the last pass will tell.
func (w *writer) copyAll(
	ctx context.Context, list func(context.Context, *blob.Ref, int) ([]Blob, error), old *temporary, last bool,
) (_ *temporary, err error) {
	defer func() { old.close() }()
	known, err := newLedgerReader(old)
	if err != nil {
		return old, err
	}
	all, err := w.to.spool()
	if err != nil {
		return old, err
	}
	defer func() {
		if err != nil {
			all.close()
		}
	}()
	ledger := newLedgerWriter(all)
	var after *blob.Ref
	var progress Progress
	for {
		page, err := list(ctx, after, pageSize)
		if err != nil {
			return all, err
		}
		results, err := w.copyPage(ctx, page, known)
		if err != nil {
			return all, err
		}
		for _, r := range results {
			if r.fault != "" {
				if last {
					w.missing++
				}
				if last && len(w.faults) < maxFaults {
					w.faults = append(w.faults, Fault{Ref: r.blob.Ref, Path: blob.Path(r.blob.Ref), Reason: r.fault})
				}
				continue
			}
			if r.copied {
				w.newFiles, w.newBytes = w.newFiles+1, w.newBytes+r.blob.Size
			}
			progress.Files, progress.Bytes = progress.Files+1, progress.Bytes+r.blob.Size
			if err := ledger.add(r.blob); err != nil {
				return all, fmt.Errorf("backup: note what is copied: %w", err)
			}
		}
		if progress.New = w.newBytes; w.opts.Progress != nil {
			w.opts.Progress(progress)
		}
		if len(page) < pageSize {
			return all, ledger.w.Flush()
		}
		after = &page[len(page)-1].Ref
	}
}

func (w *writer) copyPage(ctx context.Context, page []Blob, known *ledgerReader) ([]outcome, error) {
	results := make([]outcome, len(page))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(w.to.workers())
	for i, b := range page {
		entry, found, err := known.find(b.Ref)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("backup: read what is copied: %w", err), group.Wait())
		}
		if found {
			results[i] = outcome{blob: entry}
			continue
		}
		group.Go(func() (err error) {
			results[i], err = w.copyOne(ctx, b)
			return err
		})
	}
	return results, group.Wait()
}

// copyOne copies a blob. That the blob is gone, damaged or unreadable is an outcome; that the archive cannot be written is
// an error.
func (w *writer) copyOne(ctx context.Context, b Blob) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	if there, err := w.to.has(ctx, b); err != nil || there {
		return outcome{blob: b}, err
	}
	src, err := w.blobs.Open(ctx, b.Ref)
	if errors.Is(err, blob.ErrNotFound) {
		return outcome{blob: b, fault: "the file is not there"}, nil
	}
	if err != nil {
		return outcome{}, err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return outcome{}, fmt.Errorf("backup: look at %s: %w", blob.Path(b.Ref), err)
	}
	b.Size = info.Size()
	err = w.to.copy(ctx, b.Ref, readable{src}, b.Size)
	var bad *readError
	switch {
	case errors.Is(err, errDamaged):
		return outcome{blob: b, fault: errDamaged.Error()}, nil
	case errors.As(err, &bad) && errors.Is(bad.err, syscall.EIO):
		return outcome{blob: b, fault: "the disk cannot read it"}, nil
	}
	return outcome{blob: b, copied: true}, err
}

// readable marks the errors of reading, so that they are told from those of writing.
type readable struct{ io.ReadSeeker }

type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func (r readable) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // a file returns it bare
		err = &readError{err}
	}
	return n, err
}

// dump writes every table.
func (w *writer) dump(ctx context.Context, snap Snapshot) ([]DumpedTable, error) {
	tables, err := snap.Tables(ctx)
	if err != nil {
		return nil, err
	}
	dumped := make([]DumpedTable, len(tables))
	for i, t := range tables {
		dumped[i].Table = t
		dumped[i].File, err = w.pack(tableFile(t.Name), func(to io.Writer) (err error) {
			dumped[i].Rows, err = snap.Dump(ctx, t, to)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return dumped, nil
}

// index writes the list of blobs.
func (w *writer) index(ledger *temporary) (index Index, err error) {
	entries, err := newLedgerReader(ledger)
	if err != nil {
		return Index{}, err
	}
	index.File, err = w.pack(indexName, func(to io.Writer) error {
		lines := bufio.NewWriter(to)
		for !entries.end {
			index.Count, index.Bytes = index.Count+1, index.Bytes+entries.next.Size
			fmt.Fprintf(lines, "%s %d\n", entries.next.Ref, entries.next.Size)
			if err := entries.advance(); err != nil {
				return err
			}
		}
		return lines.Flush()
	})
	return index, err
}

// pack writes a compressed file.
func (w *writer) pack(path string, fill func(io.Writer) error) (_ File, err error) {
	to, err := w.to.create(path)
	if err != nil {
		return File{}, err
	}
	packed := &counter{w: to, hash: sha256.New()}
	z, err := zstd.NewWriter(packed, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(packWindow),
		zstd.WithEncoderConcurrency(1))
	if err != nil {
		return File{}, errors.Join(err, to.Close())
	}
	raw := &counter{w: z}
	err = fill(raw)
	err = errors.Join(err, z.Close())
	if err = errors.Join(err, to.Close()); err != nil {
		return File{}, fmt.Errorf("backup: write %s: %w", path, err)
	}
	return File{Path: path, Size: packed.n, Raw: raw.n, SHA256: hex.EncodeToString(packed.hash.Sum(nil))}, nil
}

// packWindow is how far back a compressed file refers, in bytes: what unpacking it takes in memory.
const packWindow = 1 << 20

// counter counts, and hashes, what goes through it.
type counter struct {
	w    io.Writer
	hash hash.Hash // nil for none
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if c.hash != nil {
		c.hash.Write(p[:n])
	}
	return n, err
}
