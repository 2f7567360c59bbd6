package doctor_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

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

// rig is a real database and a real storage, and what the server does with them less the decoding.
type rig struct {
	sql    *testdb.DB
	images *postgres.ImageStore
	blobs  *blob.Dir
	dir    string
	store  *postgres.DoctorStore
	doctor *doctor.Doctor
	// removing lets one removal run at a time: what two of one blob do to each other is a matter of postgres's tests.
	removing sync.Mutex
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{sql: testdb.New(t), dir: t.TempDir()}
	db, err := postgres.Open(t.Context(), r.sql.URL, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if r.blobs, err = blob.OpenDir(r.dir); err != nil {
		t.Fatal(err)
	}
	r.images = postgres.NewImageStore(db)
	r.store = postgres.NewDoctorStore(db)
	r.doctor = doctor.Hurried(doctor.New(r.store, r.blobs), 2, 20*time.Millisecond)
	r.addAccount(t, anna, "anna")
	return r
}

func (r *rig) addAccount(t *testing.T, id, name string) {
	t.Helper()
	r.exec(t, `INSERT INTO accounts (id, name, role, password_hash) VALUES ($1, $2, 'member', '')`, id, name)
	r.exec(t, `INSERT INTO account_usage (account_id) VALUES ($1)`, id)
}

func (r *rig) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := r.sql.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) count(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	if err := r.sql.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// upload stores content as a picture of anna's, in the server's order.
func (r *rig) upload(ctx context.Context, content []byte) (image.Image, error) {
	staged, err := r.blobs.Stage(ctx, bytes.NewReader(content), 1<<20)
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
		Size: staged.Size(), Filename: "a.png", Visibility: image.Public, Placeholder: []byte{},
	}, true)
	return img, err
}

// delete deletes pictures and, after a pause, their bytes, in the server's order.
func (r *rig) delete(ctx context.Context, pause time.Duration, imgs ...image.Image) error {
	ids := make([]string, len(imgs))
	for i, img := range imgs {
		ids[i] = img.ID
	}
	deleted, err := r.images.DeleteImages(ctx, anna, ids, nil)
	if err != nil {
		return err
	}
	time.Sleep(pause)
	for _, img := range deleted {
		if err := r.remove(ctx, img.Ref); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a blob that nothing refers to. As the server's sweeps do, it comes again where a variant came between.
func (r *rig) remove(ctx context.Context, ref blob.Ref) error {
	r.removing.Lock()
	defer r.removing.Unlock()
	for attempt := 1; ; attempt++ {
		_, err := r.images.RemoveBlob(ctx, ref, func(ctx context.Context) error { return r.blobs.Remove(ctx, ref) })
		if err == nil || attempt == 5 {
			return err
		}
	}
}

func (r *rig) addVariant(ctx context.Context, ref blob.Ref, name string) error {
	v, err := r.blobs.NewVariant(ctx, ref, name)
	if err != nil {
		return err
	}
	defer v.Discard()
	if _, err := v.File().Write([]byte("small")); err != nil {
		return err
	}
	return v.Commit()
}

// picture uploads random bytes.
func (r *rig) picture(t *testing.T) image.Image {
	t.Helper()
	content := make([]byte, 3000)
	_, _ = rand.Read(content) // never fails
	return r.pictureOf(t, content)
}

func (r *rig) pictureOf(t *testing.T, content []byte) image.Image {
	t.Helper()
	img, err := r.upload(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// path returns where a blob lies.
func (r *rig) path(ref blob.Ref) string {
	return filepath.Join(r.dir, filepath.FromSlash(blob.Path(ref)))
}

func (r *rig) write(t *testing.T, path string, content []byte) {
	t.Helper()
	_ = os.Chmod(path, 0o640) // a blob is read-only, and may not be there
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o640); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) read(t *testing.T, ref blob.Ref) []byte {
	t.Helper()
	content, err := os.ReadFile(r.path(ref))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// flip changes one byte of a blob's file.
func (r *rig) flip(t *testing.T, ref blob.Ref) {
	t.Helper()
	content := r.read(t, ref)
	content[len(content)/2] ^= 1
	r.write(t, r.path(ref), content)
}

func (r *rig) examine(t *testing.T, opts doctor.Options) ([]doctor.Finding, doctor.Summary) {
	t.Helper()
	var found []doctor.Finding
	sum, err := r.doctor.Examine(t.Context(), opts, func(f doctor.Finding) { found = append(found, f) })
	if err != nil {
		t.Fatal(err)
	}
	if int(sum.Findings) != len(found) || sum.Clean() != (len(found) == 0) {
		t.Errorf("%d findings, and the sum is %+v", len(found), sum)
	}
	return found, sum
}

// expect examines and wants exactly these kinds.
func (r *rig) expect(t *testing.T, opts doctor.Options, kinds ...doctor.Kind) []doctor.Finding {
	t.Helper()
	found, _ := r.examine(t, opts)
	got := make([]doctor.Kind, len(found))
	for i, f := range found {
		got[i] = f.Kind
	}
	slices.Sort(got)
	slices.Sort(kinds)
	if !slices.Equal(got, kinds) {
		t.Fatalf("with %+v found %v, want %v\n%v", opts, got, kinds, found)
	}
	return found
}

func (r *rig) isLost(t *testing.T, ref blob.Ref) bool {
	t.Helper()
	return r.count(t, `SELECT count(*) FROM blobs WHERE ref = $1 AND lost_at IS NOT NULL`, ref[:]) == 1
}
