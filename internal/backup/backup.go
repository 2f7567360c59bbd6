// Package backup writes everything that an instance has to keep into an archive, while the server runs, and brings an
// instance back from one.
//
// It exists because rows and bytes live in two places that change all the time: a dump of the one and a copy of the other,
// made one after the other, do not fit together. What it writes does. Every blob that a dumped row needs is in the archive,
// whatever is uploaded and deleted meanwhile, and nothing is taken for an archive before it is whole.
//
// The order is what makes it so. The files are copied first, in passes, until little is left. Then removals are held off,
// writes wait for a moment (see Options.Hold), the tables are dumped as they are at one moment, and the few files that came
// meanwhile are copied. So what was acknowledged before the end is in it, and nobody waits for the copying of all the files.
//
// A restore is the other way about: the files come first, each known by its hash and in nobody's way; the rows are loaded
// beside those that are there; and the last step is one transaction that puts the ones in the place of the others. Killed
// before it, nothing has changed; killed after it, only things that are in nobody's way are left.
//
// Tables are compressed by klauspost/compress, whose zstd is several times faster than the standard library's gzip, since
// writes may wait for it. Archives for standard output are archive/tar's: every system can look into them.
package backup

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// Blob is a file that pictures refer to.
type Blob struct {
	Ref  blob.Ref
	Size int64 // bytes, as the database has it
}

// Store is the database's side of a backup.
type Store interface {
	// Blobs returns up to limit of the blobs that an image refers to, in the order of their refs, after the given one or
	// from the first. Each page is of another moment.
	Blobs(ctx context.Context, after *blob.Ref, limit int) ([]Blob, error)
	// Snapshot calls fn with the database as it is at one moment. Until Release, or an error, no blob is removed by anybody,
	// and for hold at most nothing that is dumped is written to by anybody: those who want to wait.
	Snapshot(ctx context.Context, hold time.Duration, fn func(Snapshot) error) error
	// Release lets everybody write and remove again. It may be called again.
	Release()
}

// Snapshot is the database at one moment. It is for one goroutine.
type Snapshot interface {
	// Schema is the version of the schema.
	Schema() int64
	// Tables returns what is to be dumped, in an order in which it can be loaded.
	Tables(ctx context.Context) ([]Table, error)
	// Dump writes a table's rows to w in PostgreSQL's text format and says how many there are.
	Dump(ctx context.Context, t Table, w io.Writer) (rows int64, err error)
	// Blobs is Store.Blobs at the snapshot's moment.
	Blobs(ctx context.Context, after *blob.Ref, limit int) ([]Blob, error)
	// Until returns a time, by the database's clock, before which everything that was acknowledged is in the snapshot. It
	// is the present while writes wait.
	Until(ctx context.Context) time.Time
}

// Table is a table and its columns, in the order in which they are dumped.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// MaxHold is the longest Options.Hold: less than a request's statements may take.
const MaxHold = 20 * time.Second

// Options say how to back up; the zero value copies what is new and makes nobody wait.
type Options struct {
	// Hold is how long writes may wait at most, at the end of the backup, so that everything acknowledged before that end
	// is in it. They wait until the Store is released, or old backups are removed. When the end takes longer, or with 0,
	// Report.Until is earlier than the end.
	Hold time.Duration
	// Verify reads the files again that an earlier backup put into the folder, and replaces damaged ones.
	Verify bool
	// Keep is how many backups stay in the folder, the new one included; 0 for all.
	Keep int
	// Progress, when set, hears from time to time how much was looked at.
	Progress func(Progress)
}

// Progress is how far a backup or a restore is.
type Progress struct {
	Files, Bytes int64 // dealt with
	New          int64 // bytes that had to be copied
}

// Report is what became of a backup.
type Report struct {
	Name     string // of the backup, in a folder
	Manifest Manifest
	Until    time.Time     // by the database's clock: what was acknowledged before is in it
	NewFiles int64         // that had to be copied
	NewBytes int64         // of them
	Took     time.Duration // so far
}

// Service makes backups of one instance.
type Service struct {
	store   Store
	blobs   blob.Store
	program Program
	pass    func(n int) // is called after each pass, by tests that look in there
}

// Program says what writes a backup.
type Program struct {
	Version string
	Schema  int64 // version of the schema that it works on
}

// New returns a Service over the two places that an instance is in.
func New(store Store, blobs blob.Store, program Program) *Service {
	return &Service{store: store, blobs: blobs, program: program, pass: func(int) {}}
}

const (
	// pageSize is how many files are asked for, and copied, at a time.
	pageSize = 1000
	// A pass that finds less than this to copy is followed by the last one.
	fewFiles, fewBytes = 32, 32 << 20
	// maxPasses bounds the passes where more comes in than can be copied.
	maxPasses = 6
)

// sink is where an archive is written to.
type sink interface {
	// has reports whether the file is there already, from another backup.
	has(ctx context.Context, b Blob) (bool, error)
	// copy writes a blob whose bytes src has; errDamaged when they are not those that the ref names.
	copy(ctx context.Context, ref blob.Ref, src io.ReadSeeker, size int64) error
	// workers is how many goroutines may use has and copy at once.
	workers() int
	// create begins a file of the backup's own. It is there once the writer is closed.
	create(name string) (io.WriteCloser, error)
	// finish makes the backup durable and, last of all, whole. It returns its name.
	finish(m Manifest) (string, error)
	// spool makes a temporary file that nobody else sees and that goes with the process.
	spool() (*temporary, error)
}

// manifest is the beginning of one.
func (s *Service) manifest(started time.Time) Manifest {
	return Manifest{Kind: kind, Format: format, Kadr: s.program.Version, Schema: s.program.Schema, StartedAt: started.UTC()}
}

// write makes one backup. done is called when it is whole, and while writes still wait; they do so until the Store is
// released.
func (s *Service) write(ctx context.Context, to sink, opts Options, done func(Report) error) error {
	w := &writer{Service: s, to: to, opts: opts, started: time.Now()}
	old, err := to.spool()
	if err != nil {
		return err
	}
	defer func() { old.close() }()
	for n := 1; n <= maxPasses; n++ {
		files, bytes := w.newFiles, w.newBytes
		if old, err = w.copyAll(ctx, s.store.Blobs, old, false); err != nil {
			return err
		}
		s.pass(n)
		if w.newFiles-files <= fewFiles && w.newBytes-bytes <= fewBytes {
			break
		}
	}
	return s.store.Snapshot(ctx, opts.Hold, func(snap Snapshot) error {
		if snap.Schema() != s.program.Schema {
			return errors.New("the database was migrated while it was backed up: back up again, with the kadr that serves it")
		}
		m := s.manifest(w.started)
		if m.Tables, err = w.dump(ctx, snap); err != nil {
			return err
		}
		if old, err = w.copyAll(ctx, snap.Blobs, old, true); err != nil {
			return err
		}
		if m.Blobs, err = w.index(old); err != nil {
			return err
		}
		m.Missing, m.Faults = w.missing, w.faults
		m.CompleteUntil, m.FinishedAt = snap.Until(ctx).UTC(), time.Now().UTC()
		name, err := to.finish(m)
		if err != nil {
			return err
		}
		return done(Report{
			Name: name, Manifest: m, Until: snap.Until(ctx).UTC(), NewFiles: w.newFiles, NewBytes: w.newBytes, Took: time.Since(w.started),
		})
	})
}
