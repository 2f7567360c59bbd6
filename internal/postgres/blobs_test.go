package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
)

func refOf(s string) blob.Ref { return blob.Ref(sha256.Sum256([]byte(s))) }

// While a removal is at its file nobody may come to rely on it: neither an upload nor another removal that waited for the
// same lock and found the row gone.
func TestRemovalHoldsOffOthers(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	images := NewImageStore(db)
	ref := refOf("removed twice")
	reserveAndRelease(t, images, ref) // both removals find a row, and wait for its lock
	firstAtFile, firstMayGo := make(chan struct{}), make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		_, err := images.RemoveBlob(t.Context(), ref, func(context.Context) error {
			close(firstAtFile)
			<-firstMayGo
			return nil
		})
		return err
	})
	<-firstAtFile
	g.Go(func() error {
		_, err := images.RemoveBlob(t.Context(), ref, func(ctx context.Context) error {
			// This one must hold a lock of its own by now: a reservation has to wait for it.
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			if err := images.ReserveBlob(ctx, ref, 1, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a blob was reserved while it was being removed: %v", err)
			}
			return nil
		})
		return err
	})
	time.Sleep(50 * time.Millisecond) // lets the second wait for the lock; without that the test proves less, not other
	close(firstMayGo)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	// The reservation that was given up may still have been made, after the removal was over.
	if n := queryInt(t, db, `SELECT count(*) FROM blobs WHERE uploads = 0`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// reserveAndRelease leaves a blob's row that nothing refers to.
func reserveAndRelease(t *testing.T, images *ImageStore, ref blob.Ref) {
	t.Helper()
	if err := images.ReserveBlob(t.Context(), ref, 8, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := images.ReleaseBlob(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
}

func TestReservationKeepsABlob(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	images := NewImageStore(db)
	ref := refOf("reserved")
	if err := images.ReserveBlob(t.Context(), ref, 8, time.Minute); err != nil {
		t.Fatal(err)
	}
	remove := func(context.Context) error { t.Error("the file of a reserved blob was removed"); return nil }
	if removed, err := images.RemoveBlob(t.Context(), ref, remove); removed || err != nil {
		t.Errorf("RemoveBlob = %v, %v", removed, err)
	}
	if refs, err := images.UnreferencedBlobs(t.Context(), 0, 10); err != nil || len(refs) != 0 {
		t.Errorf("UnreferencedBlobs = %v, %v", refs, err)
	}
	if err := images.ReleaseBlob(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	called := false
	removed, err := images.RemoveBlob(t.Context(), ref, func(context.Context) error { called = true; return nil })
	if !removed || !called || err != nil {
		t.Errorf("RemoveBlob = %v, called %v, %v", removed, called, err)
	}
}

func TestRemovalThatFailsForgetsNothing(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{})
	images := NewImageStore(db)
	ref := refOf("stuck")
	reserveAndRelease(t, images, ref)
	stuck := errors.New("the disk does not answer")
	if removed, err := images.RemoveBlob(t.Context(), ref, func(context.Context) error { return stuck }); removed || !errors.Is(err, stuck) {
		t.Errorf("RemoveBlob = %v, %v", removed, err)
	}
	if known, err := images.KnownBlobs(t.Context(), []blob.Ref{ref}); err != nil || !known[ref] {
		t.Errorf("KnownBlobs = %v, %v", known, err)
	}
}
