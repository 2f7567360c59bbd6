package backup_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/doctor"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/testdb"
	"github.com/kadr-app/kadr/internal/token"
)

// anna is the account of every rig.
const anna = "anna-id"

// schema is the newest version that this program knows: they are numbered without gaps.
func schema() int64 {
	names, err := fs.Glob(db.Migrations(), "*.sql")
	if err != nil || len(names) == 0 {
		panic(err)
	}
	return int64(len(names))
}

// rig is a database and a storage, and what the server does with them less the decoding.
type rig struct {
	t      *testing.T
	sql    *testdb.DB
	blobs  *blob.Dir
	dir    string
	db     *postgres.DB
	images *postgres.ImageStore
}

// newRig returns an instance with an account. What it says of itself is only there where a server claimed it.
func newRig(t *testing.T) *rig {
	t.Helper()
	r := emptyRig(t, testdb.New(t))
	r.open()
	r.exec(`INSERT INTO accounts (id, name, role, password_hash) VALUES ($1, 'anna', 'member', '')`, anna)
	r.exec(`INSERT INTO account_usage (account_id) VALUES ($1)`, anna)
	id, _, err := r.db.Instance(t.Context())
	if err == nil {
		err = r.blobs.Claim(id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// emptyRig returns a storage with nothing in it beside a database.
func emptyRig(t *testing.T, sql *testdb.DB) *rig {
	t.Helper()
	r := &rig{t: t, sql: sql, dir: t.TempDir()}
	var err error
	if r.blobs, err = blob.OpenDir(r.dir); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.db, err = postgres.Open(r.t.Context(), r.sql.URL, postgres.Options{}); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(r.db.Close)
	r.images = postgres.NewImageStore(r.db)
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.sql.Pool.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) count(sql string, args ...any) (n int64) {
	r.t.Helper()
	if err := r.sql.Pool.QueryRow(r.t.Context(), sql, args...).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// upload stores content as a picture of anna's, in the server's order.
func (r *rig) upload(ctx context.Context, content []byte) (image.Image, error) {
	staged, err := r.blobs.Stage(ctx, bytes.NewReader(content), 64<<20)
	if err != nil {
		return image.Image{}, err
	}
	defer staged.Discard()
	if err := r.images.ReserveBlob(ctx, staged.Ref(), staged.Size(), time.Minute); err != nil {
		return image.Image{}, err
	}
	if err := r.blobs.Commit(ctx, staged); err != nil {
		return image.Image{}, err
	}
	img, _, err := r.images.CreateImage(ctx, image.Image{
		ID: token.ID(), AccountID: anna, Ref: staged.Ref(), Format: imaging.PNG, Width: 1, Height: 1, Frames: 1,
		Size: staged.Size(), Filename: "a\tb\\n.png", Title: "\u2028 'a' \\N", Visibility: image.Public, Placeholder: []byte{0, 1, 255},
	}, true)
	return img, err
}

func (r *rig) add(content []byte) image.Image {
	r.t.Helper()
	img, err := r.upload(r.t.Context(), content)
	if err != nil {
		r.t.Fatal(err)
	}
	return img
}

// addMany adds n pictures that differ.
func (r *rig) addMany(n int) []image.Image {
	r.t.Helper()
	all := make([]image.Image, n)
	for i := range all {
		all[i] = r.add(fmt.Appendf(nil, "picture %d of many", i))
	}
	return all
}

// delete deletes a picture and its bytes, in the server's order.
func (r *rig) delete(ctx context.Context, img image.Image) error {
	deleted, err := r.images.DeleteImages(ctx, anna, []string{img.ID}, nil)
	if err != nil || len(deleted) == 0 {
		return err
	}
	_, err = r.images.RemoveBlob(ctx, img.Ref, func(ctx context.Context) error { return r.blobs.Remove(ctx, img.Ref) })
	return err
}

func (r *rig) file(ref blob.Ref) string {
	return filepath.Join(r.dir, filepath.FromSlash(blob.Path(ref)))
}

// backups returns what makes a backup, and what ends it.
func (r *rig) backups() (s *backup.Service, release func()) {
	store := postgres.NewBackupStore(r.db)
	r.t.Cleanup(store.Release)
	return backup.New(store, r.blobs, backup.Program{Version: "test", Schema: schema()}), store.Release
}

// toFolder makes a backup and returns what was said of it.
func (r *rig) toFolder(dir string, opts backup.Options) (report backup.Report) {
	r.t.Helper()
	s, release := r.backups()
	err := s.ToFolder(r.t.Context(), dir, opts, func(got backup.Report) error {
		report = got
		return nil
	})
	release()
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// toStream returns a backup as a tar.
func (r *rig) toStream() []byte {
	r.t.Helper()
	var tar bytes.Buffer
	s, release := r.backups()
	err := s.ToStream(r.t.Context(), &tar, r.t.TempDir(), backup.Options{}, func(backup.Report) error { return nil })
	release()
	if err != nil {
		r.t.Fatal(err)
	}
	return tar.Bytes()
}

// restore runs one; step, where it is not nil, is called between its steps.
func (r *rig) restore(run func(*backup.Restorer) error, step func(string)) error {
	r.t.Helper()
	release, err := r.blobs.Seize()
	if err != nil {
		r.t.Fatal(err)
	}
	defer release()
	target, err := postgres.OpenRestore(r.t.Context(), r.sql.URL)
	if err != nil {
		return err
	}
	defer target.Close()
	restorer := backup.NewRestorer(target, r.blobs, schema())
	if step != nil {
		restorer.EachStep(step)
	}
	return run(restorer)
}

func (r *rig) fromFolder(dir string, force bool) error {
	r.t.Helper()
	return r.restore(func(b *backup.Restorer) error {
		_, err := b.FromFolder(r.t.Context(), dir, backup.RestoreOptions{Force: force})
		return err
	}, nil)
}

func (r *rig) fromStream(tar io.Reader, force bool) error {
	r.t.Helper()
	return r.restore(func(b *backup.Restorer) error {
		_, err := b.FromStream(r.t.Context(), tar, backup.RestoreOptions{Force: force})
		return err
	}, nil)
}

// findings is what doctor, who reads everything, finds.
func (r *rig) findings() (found []doctor.Finding) {
	r.t.Helper()
	if r.db == nil {
		r.open()
	}
	id, _, err := r.db.Instance(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if owner, err := r.blobs.Owner(); err != nil || owner != id {
		r.t.Errorf("the storage belongs to %q and not to %q (%v)", owner, id, err)
	}
	d := doctor.New(postgres.NewDoctorStore(r.db), r.blobs)
	if _, err := d.Examine(r.t.Context(), doctor.Options{Deep: true}, func(f doctor.Finding) { found = append(found, f) }); err != nil {
		r.t.Fatal(err)
	}
	return found
}

// mustBeClean has doctor find nothing.
func (r *rig) mustBeClean() {
	r.t.Helper()
	for _, f := range r.findings() {
		r.t.Error(f)
	}
}

// bytesOf returns a picture's file as it is found by its row.
func (r *rig) bytesOf(id string) ([]byte, error) {
	img, err := r.images.Image(context.Background(), id)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(r.file(img.Ref))
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// migratedTo returns a database as an older kadr left it.
func migratedTo(t *testing.T, version int64) *testdb.DB {
	t.Helper()
	sql := testdb.NewEmpty(t)
	if err := db.MigrateSchema(t.Context(), sql.URL, "public", version); err != nil {
		t.Fatal(err)
	}
	return sql
}
