package doctor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/doctor"
)

var (
	look       = doctor.Options{}
	deep       = doctor.Options{Deep: true}
	repair     = doctor.Options{Repair: true}
	deepRepair = doctor.Options{Deep: true, Repair: true}
)

// repaired wants every finding to be repaired.
func repaired(t *testing.T, found []doctor.Finding) {
	t.Helper()
	for _, f := range found {
		if !f.Repaired {
			t.Errorf("not repaired: %v", f)
		}
	}
}

func TestSound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 7 { // more than one page, and a last one that is not full
		img := r.picture(t)
		if err := r.addVariant(t.Context(), img.Ref, "r1-w320.webp"); err != nil {
			t.Fatal(err)
		}
	}
	for _, opts := range []doctor.Options{look, deep, repair, deepRepair} {
		var dones []int64
		opts.Progress = func(done, total int64) {
			dones = append(dones, done)
			if want := map[bool]int64{true: 21000, false: 7}[opts.Deep]; total != want {
				t.Errorf("a total of %d, want %d", total, want)
			}
		}
		_, sum := r.examine(t, opts)
		if want := (doctor.Summary{Blobs: 7, Bytes: 21000, Variants: 7, Accounts: 1}); sum != want {
			t.Errorf("%+v, want %+v", sum, want)
		}
		if len(dones) != 7 || dones[6] != map[bool]int64{true: 21000, false: 7}[opts.Deep] {
			t.Errorf("progress %v", dones)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.picture(t)
	content := []byte("a picture that will be lost")
	img := r.pictureOf(t, content)
	other := r.pictureOf(t, content)
	if err := r.addVariant(t.Context(), img.Ref, "r1-w320.webp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.path(img.Ref)); err != nil {
		t.Fatal(err)
	}
	found := r.expect(t, look, doctor.Missing)[0]
	if found.Ref != img.Ref || found.Path != blob.Path(img.Ref) || found.Repaired || found.References != 2 ||
		len(found.Images) != 2 || found.Images[0] != (doctor.ImageRef{ID: img.ID, AccountName: "anna"}) {
		t.Errorf("%+v", found)
	}
	if text := found.String(); !strings.Contains(text, img.ID+" of anna, "+other.ID+" of anna") {
		t.Error(text)
	}
	if r.isLost(t, img.Ref) {
		t.Error("an examination changed something")
	}
	repaired(t, r.expect(t, repair, doctor.Missing))
	if !r.isLost(t, img.Ref) {
		t.Error("not marked as lost")
	}
	for _, opts := range []doctor.Options{look, deepRepair} { // it is never hidden
		lost := r.expect(t, opts, doctor.Lost)[0]
		if lost.Repaired || len(lost.Images) != 2 || !strings.Contains(lost.Detail, "since 2") {
			t.Errorf("%+v", lost)
		}
	}
	if n := r.count(t, `SELECT count(*) FROM images`); n != 3 {
		t.Errorf("%d pictures are left of 3", n)
	}
	if _, err := r.blobs.OpenVariant(t.Context(), img.Ref, "r1-w320.webp"); err != nil {
		t.Errorf("the last good thing is gone: %v", err)
	}
	r.pictureOf(t, content) // heals the others
	r.expect(t, deep)
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.picture(t)
	short, flipped := r.picture(t), r.picture(t)
	r.write(t, r.path(short.Ref), r.read(t, short.Ref)[:100])
	r.flip(t, flipped.Ref)
	if got := r.expect(t, look, doctor.Damaged)[0]; got.Ref != short.Ref || !strings.Contains(got.Detail, "100 bytes instead of 3000") {
		t.Errorf("%+v", got)
	}
	r.expect(t, deep, doctor.Damaged, doctor.Damaged)
	bad := r.read(t, flipped.Ref)
	repaired(t, r.expect(t, deepRepair, doctor.Damaged, doctor.Damaged))
	if !r.isLost(t, short.Ref) || !r.isLost(t, flipped.Ref) {
		t.Error("not marked as lost")
	}
	kept, err := os.ReadFile(filepath.Join(r.dir, "quarantine", flipped.Ref.String()+".1"))
	if err != nil || !bytes.Equal(kept, bad) {
		t.Errorf("what was damaged is not in the quarantine: %v", err)
	}
	r.expect(t, deepRepair, doctor.Lost, doctor.Lost)
}

func TestDamagedUnderAnUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := r.picture(t)
	good := r.read(t, img.Ref)
	r.flip(t, img.Ref)
	if err := r.images.ReserveBlob(t.Context(), img.Ref, img.Size, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := r.expect(t, deepRepair, doctor.Damaged)[0]; got.Repaired || got.Blocked == "" {
		t.Errorf("the file was taken from under an upload: %+v", got)
	}
	if len(r.read(t, img.Ref)) == 0 || r.isLost(t, img.Ref) {
		t.Error("something was changed")
	}
	if err := r.images.ReleaseBlob(t.Context(), img.Ref); err != nil {
		t.Fatal(err)
	}
	r.pictureOf(t, good) // as Commit replaces what is damaged
	r.expect(t, deep)
}

func TestFoundAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := r.picture(t)
	good := r.read(t, img.Ref)
	r.exec(t, `UPDATE blobs SET lost_at = '2026-01-02 03:04:05Z'`)
	if got := r.expect(t, look, doctor.FoundAgain)[0]; !strings.Contains(got.Detail, "since 2026-01-02T03:04:05Z") {
		t.Errorf("%+v", got)
	}
	// An upload that has named its file and not yet inserted its picture is about to say so itself.
	if err := r.images.ReserveBlob(t.Context(), img.Ref, img.Size, time.Minute); err != nil {
		t.Fatal(err)
	}
	r.expect(t, repair)
	if err := r.images.ReleaseBlob(t.Context(), img.Ref); err != nil {
		t.Fatal(err)
	}
	// What was lost is believed by nothing but its hash.
	r.flip(t, img.Ref)
	r.expect(t, look, doctor.Damaged)
	r.write(t, r.path(img.Ref), good)
	repaired(t, r.expect(t, repair, doctor.FoundAgain))
	r.expect(t, deep)
}

func TestWrongSizeOnRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := r.picture(t)
	r.exec(t, `UPDATE blobs SET size = 7`)
	r.expect(t, look, doctor.WrongSize)
	repaired(t, r.expect(t, repair, doctor.WrongSize))
	r.expect(t, deep)
	if len(r.read(t, img.Ref)) != 3000 {
		t.Error("the file was sound, and is not any more")
	}
}

func TestUnreferenced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.picture(t)
	img := r.picture(t)
	if _, err := r.images.DeleteImages(t.Context(), anna, []string{img.ID}, nil); err != nil {
		t.Fatal(err)
	}
	bare := sha256.Sum256([]byte("a row without a file"))
	r.exec(t, `INSERT INTO blobs (ref, size) VALUES ($1, 5)`, bare[:])
	reserved := blob.Ref(sha256.Sum256([]byte("an upload under way")))
	if err := r.images.ReserveBlob(t.Context(), reserved, 5, time.Minute); err != nil {
		t.Fatal(err)
	}
	r.expect(t, look, doctor.Unreferenced, doctor.Unreferenced)
	repaired(t, r.expect(t, repair, doctor.Unreferenced, doctor.Unreferenced))
	r.expect(t, deep)
	if _, err := r.blobs.Open(t.Context(), img.Ref); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the file is still there: %v", err)
	}
	if n := r.count(t, `SELECT count(*) FROM blobs`); n != 2 {
		t.Errorf("%d rows, want those of the picture and of the upload", n)
	}
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	kept := r.picture(t)
	orphan := func(content string) blob.Ref {
		ref := blob.Ref(sha256.Sum256([]byte(content)))
		r.write(t, r.path(ref), []byte(content))
		return ref
	}
	whole, alone := orphan("copied in"), orphan("copied in with variants")
	left := blob.Ref(sha256.Sum256([]byte("only variants")))
	for _, ref := range []blob.Ref{alone, left} {
		for _, name := range []string{"r1-w320.webp", "r1-w640.webp", "r1-w64.webp"} {
			r.write(t, filepath.Join(r.dir, filepath.FromSlash(blob.VariantPath(ref, name))), []byte("small"))
		}
	}
	paths := map[string]bool{}
	for _, f := range r.expect(t, look, doctor.Orphan, doctor.Orphan, doctor.Orphan) {
		paths[f.Path] = true
	}
	if !paths[blob.Path(whole)] || !paths[blob.Path(alone)] || !paths[blob.VariantPath(left, "r1-w320.webp")] {
		t.Errorf("%v", paths)
	}
	repaired(t, r.expect(t, repair, doctor.Orphan, doctor.Orphan, doctor.Orphan))
	_, sum := r.examine(t, deep)
	if want := (doctor.Summary{Blobs: 1, Bytes: kept.Size, Accounts: 1}); sum != want {
		t.Errorf("%+v, want %+v", sum, want)
	}
	for _, ref := range []blob.Ref{whole, alone} {
		if _, err := r.blobs.Open(t.Context(), ref); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("the file is still there: %v", err)
		}
	}
}

func TestNothingIsRemovedForAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	content := []byte("the right database is another one")
	ref := blob.Ref(sha256.Sum256(content))
	r.write(t, r.path(ref), content)
	if got := r.expect(t, repair, doctor.Orphan)[0]; got.Repaired || !strings.Contains(got.String(), "wrong database") {
		t.Errorf("%v", got)
	}
	if !bytes.Equal(r.read(t, ref), content) {
		t.Error("the file was changed")
	}
}

func TestStray(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.picture(t)
	stray := filepath.Join(r.dir, "blobs", "ab", "holiday.jpg")
	r.write(t, stray, []byte("whose?"))
	for range 2 {
		got := r.expect(t, repair, doctor.Stray)[0]
		if got.Path != "blobs/ab/holiday.jpg" || got.Repaired || !strings.Contains(got.String(), "never removed") {
			t.Errorf("%v", got)
		}
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error(err)
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"bert", "cleo", "dora", "emil"} {
		r.addAccount(t, name, name)
	}
	r.picture(t)
	r.exec(t, `UPDATE account_usage SET bytes = 1, images = 2, quota_bytes = 9999 WHERE account_id = $1`, anna)
	r.exec(t, `UPDATE account_usage SET images = 1 WHERE account_id = 'emil'`)
	r.exec(t, `DELETE FROM account_usage WHERE account_id = 'cleo'`)
	names := map[string]bool{}
	for _, f := range r.expect(t, look, doctor.WrongUsage, doctor.WrongUsage, doctor.WrongUsage) {
		names[f.Account] = true
	}
	if !names["anna"] || !names["cleo"] || !names["emil"] {
		t.Errorf("%v", names)
	}
	repaired(t, r.expect(t, repair, doctor.WrongUsage, doctor.WrongUsage, doctor.WrongUsage))
	r.expect(t, deep)
	if r.count(t, `SELECT count(*) FROM account_usage WHERE bytes = 3000 AND images = 1 AND quota_bytes = 9999`) != 1 {
		t.Error("the quota was not left alone")
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 5 {
		r.picture(t)
	}
	ctx, cancel := context.WithCancel(t.Context())
	opts := deep
	opts.Progress = func(int64, int64) { cancel() }
	sum, err := r.doctor.Examine(ctx, opts, func(f doctor.Finding) { t.Error(f) })
	if !errors.Is(err, context.Canceled) || sum.Blobs != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// A file that cannot be looked at (a wrong user, a disk that is gone) is not a file that is lost.
func TestTroubleWithTheDiskIsNoFinding(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	img := r.picture(t)
	if err := os.Remove(r.path(img.Ref)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(r.path(img.Ref), r.path(img.Ref)); err != nil { // fails for root too
		t.Fatal(err)
	}
	_, err := r.doctor.Examine(t.Context(), deepRepair, func(f doctor.Finding) { t.Error(f) })
	if !errors.Is(err, syscall.ELOOP) || r.isLost(t, img.Ref) {
		t.Errorf("err = %v", err)
	}
}
