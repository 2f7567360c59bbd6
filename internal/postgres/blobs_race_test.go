package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
)

// Uploads and removals of one blob at the same time: whoever has an image of it has its file, and nobody's upload is in
// vain. The file is a flag here, which shows what a disk would be too slow for.
func TestNoFileIsRemovedUnderAnUpload(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	accounts := make([]account.Account, 6)
	for i := range accounts {
		accounts[i] = g.account(fmt.Sprint("user-", i), nil)
	}
	var file atomic.Bool
	remove := func(context.Context) error {
		file.Store(false)
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		if file.Load() {
			t.Error("an upload put the file there while it was being removed")
		}
		return nil
	}
	var work errgroup.Group
	for i, owner := range accounts {
		work.Go(func() error {
			for n := range 40 {
				img := picture(owner, "contested")
				if err := g.ReserveBlob(t.Context(), img.Ref, img.Size, time.Minute); err != nil {
					return fmt.Errorf("account %d, round %d: reserve: %w", i, n, err)
				}
				file.Store(true)
				if n%5 == 4 { // this one led to nothing
					if err := g.ReleaseBlob(t.Context(), img.Ref); err != nil {
						return err
					}
				} else {
					if _, _, err := g.CreateImage(t.Context(), img, false); err != nil {
						return fmt.Errorf("account %d, round %d: create: %w", i, n, err)
					}
					if !file.Load() {
						return fmt.Errorf("account %d, round %d: an image without its file", i, n)
					}
					if _, err := g.DeleteImages(t.Context(), owner.ID, []string{img.ID}, nil); err != nil {
						return err
					}
				}
				if _, err := g.RemoveBlob(t.Context(), img.Ref, remove); err != nil {
					return fmt.Errorf("account %d, round %d: remove: %w", i, n, err)
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := queryInt(t, g.db, `SELECT count(*) FROM blobs`); n != 0 || file.Load() {
		t.Errorf("%d rows are left, and the file: %v", n, file.Load())
	}
	for _, a := range accounts {
		g.expectUsage(a, 0, 0)
	}
}

// However many upload at the same time, an account stays within its quota, and has one image of the same bytes.
func TestUploadsOfOneAccountAtTheSameTime(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	quota := int64(50)
	carl := g.account("carl", &quota)
	var made, over, same atomic.Int64
	var work errgroup.Group
	for i := range 10 {
		work.Go(func() error {
			_, _, err := g.upload(picture(carl, fmt.Sprint("ten bytes", i)), true)
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, image.ErrQuota):
				over.Add(1)
			default:
				return err
			}
			return nil
		})
		work.Go(func() error {
			_, created, err := g.upload(picture(g.anna, "the same"), false)
			if err == nil && !created {
				same.Add(1)
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if made.Load() != 5 || over.Load() != 5 || same.Load() != 9 {
		t.Errorf("%d made, %d over the quota, %d the same", made.Load(), over.Load(), same.Load())
	}
	g.expectUsage(carl, 50, 5)
	g.expectUsage(g.anna, 8, 1)
	g.expectNoReservations()
}

// An upload that died holds its blob until its reservation has run out, and no longer.
func TestReservationsRunOut(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	dead, other := refOf("dead"), refOf("at work")
	if err := errors.Join(g.ReserveBlob(t.Context(), dead, 4, 200*time.Millisecond), g.ReserveBlob(t.Context(), other, 7, time.Minute)); err != nil {
		t.Fatal(err)
	}
	kept := func(context.Context) error { t.Error("a reserved file was removed"); return nil }
	if removed, err := g.RemoveBlob(t.Context(), dead, kept); removed || err != nil {
		t.Errorf("while it is reserved: %v, %v", removed, err)
	}
	if err := g.SweepReservations(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := queryInt(t, g.db, `SELECT count(*) FROM blobs WHERE uploads > 0`); n != 2 {
		t.Errorf("%d reservations", n)
	}
	time.Sleep(250 * time.Millisecond)
	if refs, err := g.UnreferencedBlobs(t.Context(), 0, 10); err != nil || !slices.Equal(refs, []blob.Ref{dead}) {
		t.Errorf("unreferenced: %v, %v", refs, err)
	}
	if refs, err := g.UnreferencedBlobs(t.Context(), time.Hour, 10); err != nil || len(refs) != 0 {
		t.Errorf("unreferenced for an hour: %v, %v", refs, err)
	}
	if err := g.SweepReservations(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := queryInt(t, g.db, `SELECT count(*) FROM blobs WHERE uploads > 0`); n != 1 {
		t.Errorf("%d reservations after the sweep", n)
	}
	if removed, err := g.RemoveBlob(t.Context(), dead, func(context.Context) error { return nil }); !removed || err != nil {
		t.Errorf("after its time: %v, %v", removed, err)
	}
	known, err := g.KnownBlobs(t.Context(), []blob.Ref{dead, other, refOf("never seen")})
	if err != nil || len(known) != 1 || !known[other] {
		t.Errorf("known: %v, %v", known, err)
	}
	if known, err := g.KnownBlobs(t.Context(), nil); err != nil || len(known) != 0 {
		t.Errorf("none of none: %v, %v", known, err)
	}
}

// A file without a row, as after a backup was put back, can be removed too.
func TestRemovalOfAFileThatNoRowKnows(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	called := false
	removed, err := g.RemoveBlob(t.Context(), refOf("orphan"), func(context.Context) error { called = true; return nil })
	if !removed || !called || err != nil {
		t.Errorf("RemoveBlob = %v, called %v, %v", removed, called, err)
	}
	if n := queryInt(t, g.db, `SELECT count(*) FROM blobs`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
