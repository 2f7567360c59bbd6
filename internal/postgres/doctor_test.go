package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/doctor"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
)

func doctorTestRef(i int) blob.Ref { return sha256.Sum256(fmt.Appendf(nil, "%d", i)) }

func addDoctorTestAccount(t *testing.T, db *DB, id string) {
	t.Helper()
	exec(t, db, `INSERT INTO accounts (id, name, role, password_hash) VALUES ($1, $1, 'member', '')`, id)
	exec(t, db, `INSERT INTO account_usage (account_id) VALUES ($1)`, id)
}

func addDoctorTestImage(ctx context.Context, s *ImageStore, account, id string, ref blob.Ref) error {
	if err := s.ReserveBlob(ctx, ref, 10, time.Minute); err != nil {
		return err
	}
	_, _, err := s.CreateImage(ctx, image.Image{
		ID: id, AccountID: account, Ref: ref, Format: imaging.PNG, Width: 1, Height: 1, Frames: 1, Size: 10,
		Filename: "a.png", Visibility: image.Public, Placeholder: []byte{},
	}, true)
	return err
}

func TestDoctorBlobs(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	s := NewDoctorStore(db)
	addDoctorTestAccount(t, db, "anna")
	refs := []blob.Ref{{}} // the lowest there can be is on the first page too
	for i := range 5 {
		refs = append(refs, doctorTestRef(i))
	}
	for _, ref := range refs {
		exec(t, db, `INSERT INTO blobs (ref, size) VALUES ($1, 7)`, ref[:])
	}
	if err := addDoctorTestImage(t.Context(), s.images, "anna", "a", refs[1]); err != nil {
		t.Fatal(err)
	}
	for i, lifetime := range map[int]time.Duration{2: time.Minute, 3: -time.Second} {
		if err := s.images.ReserveBlob(t.Context(), refs[i], 7, lifetime); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, db, `UPDATE blobs SET lost_at = '2026-01-02' WHERE ref = $1`, refs[4][:])

	var got []blob.Ref
	var after *blob.Ref
	for {
		page, err := s.Blobs(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page {
			got = append(got, b.Ref)
			if b.Referenced != (b.Ref == refs[1]) || b.Reserved != (b.Ref == refs[2]) || (b.LostAt != nil) != (b.Ref == refs[4]) ||
				b.Size != 7 || b.CreatedAt.IsZero() {
				t.Errorf("%+v", b)
			}
		}
		if len(page) < 2 {
			break
		}
		after = &page[1].Ref
	}
	slices.SortFunc(refs, func(a, b blob.Ref) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(got, refs) {
		t.Errorf("%v, want %v", got, refs)
	}
	if blobs, bytes, err := s.Totals(t.Context()); err != nil || blobs != 6 || bytes != 42 {
		t.Errorf("a total of %d with %d bytes, %v", blobs, bytes, err)
	}
}

func TestDoctorLockBlob(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{MaxConns: 8})
	s := NewDoctorStore(db)
	addDoctorTestAccount(t, db, "anna")
	ref := doctorTestRef(1)
	var want []doctor.ImageRef
	for i := range doctor.MaxImages + 5 {
		id := fmt.Sprintf("id-%02d", i)
		if err := addDoctorTestImage(t.Context(), s.images, "anna", id, ref); err != nil {
			t.Fatal(err)
		}
		want = append(want, doctor.ImageRef{ID: id, AccountName: "anna"})
	}
	lock := func(c *doctor.Correction, fail error) doctor.Blob {
		t.Helper()
		var got doctor.Blob
		err := s.LockBlob(t.Context(), ref, func(_ context.Context, b doctor.Blob) (*doctor.Correction, error) {
			got = b
			return c, fail
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
		return got
	}
	got := lock(&doctor.Correction{Lost: true}, nil)
	if got.References != doctor.MaxImages+5 || !slices.Equal(got.Images, want[:doctor.MaxImages]) || !got.Referenced ||
		got.Reserved || got.LostAt != nil || got.Size != 10 {
		t.Errorf("%+v", got)
	}
	first := lock(&doctor.Correction{Lost: true}, nil).LostAt
	if again := lock(&doctor.Correction{Size: 5}, errors.New("stop")).LostAt; first == nil || again == nil || !again.Equal(*first) {
		t.Errorf("lost at %v, and then at %v", first, again)
	}
	lock(&doctor.Correction{Size: 11}, nil)
	if got := lock(nil, nil); got.LostAt != nil || got.Size != 11 {
		t.Errorf("%+v", got)
	}
	err := s.LockBlob(t.Context(), doctorTestRef(2), func(context.Context, doctor.Blob) (*doctor.Correction, error) {
		t.Error("called for a row that is not there")
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDoctorLockBlobKeepsOthersAway(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{MaxConns: 8})
	s := NewDoctorStore(db)
	addDoctorTestAccount(t, db, "anna")
	ref := doctorTestRef(1)
	if err := s.images.ReserveBlob(t.Context(), ref, 10, time.Minute); err != nil {
		t.Fatal(err)
	}
	var others sync.WaitGroup
	done := make(chan string, 2)
	err := s.LockBlob(t.Context(), ref, func(ctx context.Context, b doctor.Blob) (*doctor.Correction, error) {
		if !b.Reserved || b.Referenced {
			t.Errorf("%+v", b)
		}
		others.Go(func() {
			if err := s.images.ReserveBlob(ctx, ref, 10, time.Minute); err != nil {
				t.Error(err)
			}
			done <- "a reservation"
		})
		others.Go(func() {
			if _, err := s.RemoveBlob(ctx, ref, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
			done <- "a removal"
		})
		select {
		case what := <-done:
			t.Errorf("%s did not wait", what)
		case <-time.After(200 * time.Millisecond):
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	others.Wait()
	if err := s.images.ReleaseBlob(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if known, err := s.KnownBlobs(t.Context(), []blob.Ref{ref, doctorTestRef(2)}); err != nil || len(known) != 1 || !known[ref] {
		t.Errorf("known are %v, %v", known, err)
	}
}

// Repairs of the usage beside uploads leave it right at the end, and reading it never shows a difference.
func TestDoctorUsageBesideUploads(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{MaxConns: 8})
	s := NewDoctorStore(db)
	for _, id := range []string{"anna", "bert", "cleo"} {
		addDoctorTestAccount(t, db, id)
	}
	ctx, stop := context.WithCancel(t.Context())
	var uploads sync.WaitGroup
	for w := range 3 {
		uploads.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("%d-%d", w, i)
				err := addDoctorTestImage(ctx, s.images, "bert", id, doctorTestRef(i))
				if err == nil && i%3 == 0 {
					_, err = s.images.DeleteImages(ctx, "bert", []string{id}, nil)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	check := func() (all []doctor.Usage) {
		t.Helper()
		for after := ""; ; {
			page, err := s.Usages(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page {
				if u.Differs() {
					t.Errorf("%+v", u)
				}
			}
			all = append(all, page...)
			if len(page) < 2 {
				return all
			}
			after = page[1].AccountID
		}
	}
	for range 40 {
		check()
		if ok, err := s.RepairUsage(t.Context(), "bert"); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
	}
	for len(check()) < 3 || check()[1].Images == 0 { // however slow the uploads are
	}
	stop()
	uploads.Wait()
	if all := check(); len(all) != 3 || all[1].AccountName != "bert" || all[1].Images == 0 || all[1].Bytes != 10*all[1].Images {
		t.Errorf("%+v", all)
	}

	exec(t, db, `UPDATE account_usage SET bytes = 5, quota_bytes = 8 WHERE account_id = 'anna'`)
	exec(t, db, `DELETE FROM account_usage WHERE account_id = 'cleo'`)
	page, err := s.Usages(t.Context(), "", 10)
	if err != nil || !page[0].Differs() || page[1].Differs() || !page[2].Differs() || page[2].OnRecord {
		t.Errorf("%+v, %v", page, err)
	}
	for id, there := range map[string]bool{"anna": true, "cleo": true, "nobody": false} {
		if ok, err := s.RepairUsage(t.Context(), id); ok != there || err != nil {
			t.Errorf("%s: %v, %v", id, ok, err)
		}
	}
	check()
	if queryInt(t, db, `SELECT quota_bytes FROM account_usage WHERE account_id = 'anna'`) != 8 {
		t.Error("the quota was not left alone")
	}
}
