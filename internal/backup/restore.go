package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// Contents is what a database holds before a restore.
type Contents struct {
	Accounts, Images, Blobs int64
	ID                      string   // of the instance; empty when it was never migrated
	Schema                  int64    // version
	Newer                   bool     // the schema is newer than this program
	Foreign                 []string // tables that are not Kadr's
}

// Loaded is what a check of the loaded tables found.
type Loaded struct {
	Listed, ListedBytes int64      // of the list of blobs
	Missing             int64      // blobs that pictures need and that are not in the list
	Absent              []blob.Ref // some that are in the list and did not come
}

// Target is the database's side of a restore. It is for one process and one goroutine: who has it keeps servers, removals
// and other restores away until it is closed.
//
// What is loaded lies beside what is there, where nobody sees it, until Replace.
type Target interface {
	// Contents says what is there.
	Contents(ctx context.Context) (Contents, error)
	// Prepare makes empty tables as they were at a version of the schema, and returns those that a backup has.
	Prepare(ctx context.Context, schema int64) ([]Table, error)
	// Load fills a table with what Snapshot.Dump wrote, and says how many rows there are. A *RefusedError says that it
	// cannot be loaded.
	Load(ctx context.Context, t Table, r io.Reader) (rows int64, err error)
	// Came notes that the storage has these blobs.
	Came(ctx context.Context, blobs []Blob) error
	// List notes that the backup has these blobs.
	List(ctx context.Context, blobs []Blob) error
	// Check compares the tables, what was listed and what came.
	Check(ctx context.Context) (Loaded, error)
	// Upgrade brings the tables to the newest version of the schema and marks those blobs as lost that are not in the list.
	// It returns the new instance's id: owner, or one of its own when that is empty.
	Upgrade(ctx context.Context, owner string) (id string, err error)
	// Replace puts the loaded tables in the place of what is there, all at once.
	Replace(ctx context.Context) error
	// Known returns those of refs that have a row, after Replace.
	Known(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error)
}

// RestoreOptions say how to restore.
type RestoreOptions struct {
	// Force replaces an instance that has something.
	Force bool
	// Progress, when set, hears from time to time how many files came.
	Progress func(Progress)
}

// Restorer brings back one instance.
type Restorer struct {
	target Target
	blobs  *blob.Dir
	schema int64 // the newest that this program knows
	pass   func(step string)
}

// NewRestorer returns a Restorer for a database and a storage. The schema is the newest version that this program knows.
func NewRestorer(target Target, blobs *blob.Dir, schema int64) *Restorer {
	return &Restorer{target: target, blobs: blobs, schema: schema, pass: func(string) {}}
}

// receiving is one restore on its way.
type receiving struct {
	*Restorer
	opts   RestoreOptions
	owner  string            // of the storage; empty when nobody claimed it
	tables map[string]Table  // of the backup's schema, those still to come
	loaded map[string]loaded // those that came
	index  *File             // nil until it came
	came   []Blob            // not noted yet
	files  Progress
}

type loaded struct {
	file    File
	columns []string
	rows    int64
}

// begin looks whether there is anything to be afraid for, and makes ready for the tables of a version of the schema.
func (r *Restorer) begin(ctx context.Context, m Manifest, opts RestoreOptions) (*receiving, error) {
	if m.Schema > r.schema {
		return nil, Refuse("the backup was written by kadr %s and its database's schema has version %d; this kadr knows versions "+
			"up to %d: restore with that kadr or a newer one", m.Kadr, m.Schema, r.schema)
	}
	owner, err := r.vacant(ctx, opts.Force)
	if err != nil {
		return nil, err
	}
	tables, err := r.target.Prepare(ctx, m.Schema)
	if err != nil {
		return nil, err
	}
	in := &receiving{Restorer: r, opts: opts, owner: owner, tables: map[string]Table{}, loaded: map[string]loaded{}}
	for _, t := range tables {
		in.tables[t.Name] = t
	}
	return in, nil
}

// vacant returns who owns the storage, and an error when there is an instance that must not be replaced.
//
// Files in a storage that nobody claimed are no instance: a restore that was interrupted left them, and they are known by
// their hashes.
func (r *Restorer) vacant(ctx context.Context, force bool) (owner string, err error) {
	there, err := r.target.Contents(ctx)
	if err != nil {
		return "", err
	}
	if len(there.Foreign) > 0 && !there.Newer {
		return "", Refuse("the database has tables that are not Kadr's (%s): it wants a database of its own", strings.Join(there.Foreign, ", "))
	}
	if owner, err = r.blobs.Owner(); err != nil {
		return "", err
	}
	var has []string
	if there.Newer {
		has = append(has, fmt.Sprintf("the database has the schema %d of a newer kadr", there.Schema))
	}
	if there.Accounts+there.Images+there.Blobs > 0 {
		has = append(has, fmt.Sprintf("the database has %d accounts and %d pictures", there.Accounts, there.Images))
	}
	if owner != "" {
		stop := errors.New("there is one")
		err := r.blobs.Walk(ctx, func(e blob.Entry) error {
			if e.Stray == "" && e.Variant == "" {
				return stop
			}
			return nil
		})
		if errors.Is(err, stop) {
			has = append(has, "the storage has files")
		} else if err != nil {
			return "", err
		}
	}
	if len(has) > 0 && !force {
		return "", Refuse("this instance is not empty: %s. With --force the backup takes the place of all of it", strings.Join(has, ", and "))
	}
	return owner, nil
}

// table loads a table's file.
func (in *receiving) table(ctx context.Context, path string, r io.Reader, size int64) error {
	name := strings.TrimSuffix(strings.TrimPrefix(path, "tables/"), ".zst")
	t, ok := in.tables[name]
	if !ok || tableFile(name) != path {
		return Refuse("%.200q does not belong into a backup, or is there twice", path)
	}
	delete(in.tables, name)
	u, err := unpack(r, path, size)
	if err != nil {
		return err
	}
	defer u.close()
	rows, err := in.target.Load(ctx, t, u)
	if u.err != nil && u.err != io.EOF { //nolint:errorlint // a bare one is the end
		return u.err // it is what Load met
	}
	if err != nil {
		return err
	}
	if err := drain(u); err != nil {
		return err
	}
	in.loaded[name] = loaded{u.file(), t.Columns, rows}
	return nil
}

// drain reads what is left of a compressed file, so that all of it is hashed.
func drain(u *unpacker) error {
	_, err := io.Copy(io.Discard, u)
	return err
}

// list reads the list of blobs.
func (in *receiving) list(ctx context.Context, r io.Reader, size int64) error {
	if in.index != nil {
		return Refuse("%s is there twice", indexName)
	}
	u, err := unpack(r, indexName, size)
	if err != nil {
		return err
	}
	defer u.close()
	l := newLister(u)
	page := make([]Blob, 0, pageSize)
	for {
		if err := l.advance(); err != nil {
			return err
		}
		if !l.end {
			page = append(page, l.next)
		}
		if len(page) == pageSize || l.end {
			if err := in.target.List(ctx, page); err != nil {
				return err
			}
			page = page[:0]
		}
		if l.end {
			break
		}
	}
	if err := drain(u); err != nil {
		return err
	}
	file := u.file()
	in.index = &file
	return nil
}

// keep puts a file of the archive into the storage, if its bytes are those that the ref names.
func (in *receiving) keep(ctx context.Context, ref blob.Ref, r io.Reader, size int64) error {
	staged, err := in.stage(ctx, ref, r, size)
	if err != nil {
		return err
	}
	defer staged.Discard()
	return in.blobs.Commit(ctx, staged)
}

// stage reads a file of the archive. The caller must Discard it.
func (in *receiving) stage(ctx context.Context, ref blob.Ref, r io.Reader, size int64) (*blob.Staged, error) {
	staged, err := in.blobs.Stage(ctx, r, size)
	if errors.Is(err, blob.ErrTooLarge) {
		return nil, Refuse("%s is damaged: it is larger than it should be", blob.Path(ref))
	}
	if err != nil {
		return nil, err
	}
	if staged.Ref() != ref || staged.Size() != size {
		staged.Discard()
		return nil, Refuse("%s is damaged: its bytes are not those that its name says", blob.Path(ref))
	}
	return staged, nil
}

// note notes blobs that came; flush writes them down, however few.
func (in *receiving) note(ctx context.Context, blobs []Blob, flush bool) error {
	for _, b := range blobs {
		in.files.Files, in.files.Bytes, in.files.New = in.files.Files+1, in.files.Bytes+b.Size, in.files.New+b.Size
	}
	in.came = append(in.came, blobs...)
	if len(in.came) < pageSize && !flush {
		return nil
	}
	if in.opts.Progress != nil {
		in.opts.Progress(in.files)
	}
	err := in.target.Came(ctx, in.came)
	in.came = in.came[:0]
	return err
}

// finish compares all that came with the manifest, and then replaces what is there.
func (in *receiving) finish(ctx context.Context, m Manifest) error {
	if err := in.note(ctx, nil, true); err != nil {
		return err
	}
	if err := in.compare(ctx, m); err != nil {
		return err
	}
	in.pass("checked")
	id, err := in.target.Upgrade(ctx, in.owner)
	if err != nil {
		return err
	}
	// From here on it is some transaction's length until all is done. Killed in between, a server refuses to start, since
	// storage and database don't belong together, and the restore can be run again.
	if in.owner == "" {
		if err := in.blobs.Claim(id); err != nil {
			return err
		}
	}
	in.pass("claimed")
	if err := in.target.Replace(ctx); err != nil {
		return err
	}
	in.pass("replaced")
	return in.removeUnknown(ctx)
}

func (in *receiving) compare(ctx context.Context, m Manifest) error {
	for _, t := range m.Tables {
		got, ok := in.loaded[t.Name]
		switch {
		case !ok:
			return Refuse("%s is not in the archive", t.Path)
		case !slices.Equal(got.columns, t.Columns):
			return Refuse("the table %s has other columns than its version of the schema has", t.Name)
		case got.file != t.File:
			return Refuse("%s is damaged: its bytes are not those that were written", t.Path)
		case got.rows != t.Rows:
			return Refuse("%s has %d rows and not %d", t.Path, got.rows, t.Rows)
		}
	}
	for name := range in.tables {
		return Refuse("the archive has no table %s, which its version of the schema has", name)
	}
	if len(m.Tables) != len(in.loaded) {
		return Refuse("the archive has a table that %s does not name", manifestName)
	}
	switch {
	case in.index == nil:
		return Refuse("%s is not in the archive", indexName)
	case *in.index != m.Blobs.File:
		return Refuse("%s is damaged: its bytes are not those that were written", indexName)
	}
	found, err := in.target.Check(ctx)
	switch {
	case err != nil:
		return err
	case len(found.Absent) > 0:
		return Refuse("%s is not in the archive", blob.Path(found.Absent[0]))
	case found.Listed != m.Blobs.Count || found.ListedBytes != m.Blobs.Bytes || found.Missing != m.Missing:
		return Refuse("the tables, %s and %s contradict each other", indexName, manifestName)
	}
	return nil
}

// removeUnknown removes the files of the instance that was replaced, as far as the new one does not need them.
func (in *receiving) removeUnknown(ctx context.Context) error {
	page := make(map[blob.Ref]bool, pageSize)
	flush := func() error {
		refs := make([]blob.Ref, 0, len(page))
		for ref := range page {
			refs = append(refs, ref)
		}
		clear(page)
		known, err := in.target.Known(ctx, refs)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if !known[ref] {
				if err := in.blobs.Remove(ctx, ref); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := in.blobs.Walk(ctx, func(e blob.Entry) error {
		if e.Stray != "" {
			return nil
		}
		if page[e.Ref] = true; len(page) >= pageSize {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		_, err = in.blobs.SweepTemp(ctx, time.Hour) // of a restore that was interrupted
	}
	return err
}

// isRefusal reports whether an error says something about the archive, and not about this machine.
func isRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}
