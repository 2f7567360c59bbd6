package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
)

func testCommitAgain(t *testing.T, s blob.Store) {
	data := Bytes(2, 150_000)
	ref := Put(t, s, data)
	if again := Put(t, s, data); again != ref {
		t.Errorf("the same bytes are %v and %v", ref, again)
	}
	WantList(t, s, ref.String()+" 150000")
	Want(t, s, data)

	staged := stage(t.Context(), t, s, []byte("twice"))
	for range 2 {
		if err := s.Commit(t.Context(), staged); err != nil {
			t.Errorf("Commit: %v", err)
		}
	}
	if err := s.Remove(t.Context(), staged.Ref()); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	if err := s.Commit(t.Context(), staged); err == nil { // nil is a promise that the bytes are there
		Want(t, s, []byte("twice"))
	}
}

func testCommitAfterDiscard(t *testing.T, s blob.Store) {
	staged := stage(t.Context(), t, s, []byte("gone"))
	staged.Discard()
	if err := s.Commit(t.Context(), staged); err == nil {
		t.Error("Commit of what was discarded = nil")
	}
	WantList(t, s)
}

func testCommitSameAtOnce(t *testing.T, s blob.Store) {
	data := Bytes(3, 300_000)
	start := make(chan struct{})
	g, ctx := errgroup.WithContext(t.Context())
	for range 32 {
		g.Go(func() error {
			staged, err := s.Stage(ctx, bytes.NewReader(data), noLimit)
			if err != nil {
				return err
			}
			defer staged.Discard()
			<-start
			if err := s.Commit(ctx, staged); err != nil {
				return err
			}
			return readBack(ctx, s, staged.Ref(), data)
		})
	}
	close(start)
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if lines := List(t, s); len(lines) != 1 {
		t.Errorf("one blob was stored as %v", lines)
	}
}

func testCommitManyAtOnce(t *testing.T, s blob.Store) {
	g, ctx := errgroup.WithContext(t.Context())
	for i := range 64 {
		g.Go(func() error {
			data := Bytes(uint64(i), 10_000+i)
			staged, err := s.Stage(ctx, bytes.NewReader(data), noLimit)
			if err != nil {
				return err
			}
			defer staged.Discard()
			if err := s.Commit(ctx, staged); err != nil {
				return err
			}
			return readBack(ctx, s, staged.Ref(), data)
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if lines := List(t, s); len(lines) != 64 {
		t.Errorf("%d blobs, want 64", len(lines))
	}
}

func readBack(ctx context.Context, s blob.Store, ref blob.Ref, data []byte) error {
	f, err := s.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	got, err := io.ReadAll(f)
	if err == nil && !bytes.Equal(got, data) {
		err = errors.New("other bytes came back")
	}
	return err
}

func testAbsent(t *testing.T, s blob.Store) {
	ref := blob.Ref{1}
	_, err := s.Open(t.Context(), ref)
	wantErr(t, "Open", err, blob.ErrNotFound)
	if apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("the kind of %v is %v", err, apperr.KindOf(err))
	}
	_, err = s.OpenVariant(t.Context(), ref, "w320.webp")
	wantErr(t, "OpenVariant", err, blob.ErrVariantNotFound)
	wantErr(t, "Quarantine", s.Quarantine(t.Context(), ref), blob.ErrNotFound)
	if err := s.Remove(t.Context(), ref); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

func testRemove(t *testing.T, s blob.Store) {
	ref, other := Put(t, s, []byte("one")), Put(t, s, []byte("another"))
	for _, r := range []blob.Ref{ref, other} {
		PutVariant(t, s, r, "w320.webp", []byte("small"))
		PutVariant(t, s, r, "w640.webp", []byte("larger"))
	}
	for range 2 {
		if err := s.Remove(t.Context(), ref); err != nil {
			t.Errorf("Remove: %v", err)
		}
	}
	_, err := s.Open(t.Context(), ref)
	wantErr(t, "Open", err, blob.ErrNotFound)
	_, err = s.OpenVariant(t.Context(), ref, "w320.webp")
	wantErr(t, "OpenVariant", err, blob.ErrVariantNotFound)
	WantList(t, s, other.String()+" 7", other.String()+"/w320.webp 5", other.String()+"/w640.webp 6")

	Put(t, s, []byte("one"))
	Want(t, s, []byte("one"))
}

func testReadWhileRemoved(t *testing.T, s blob.Store) {
	data := Bytes(4, 500_000)
	ref := Put(t, s, data)
	f, err := s.Open(t.Context(), ref)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if err := s.Remove(t.Context(), ref); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	wantFile(t, f, nil, data)
}

func testSweepSparesTheYoung(t *testing.T, s blob.Store) {
	staged := stage(t.Context(), t, s, []byte("in work"))
	if n, err := s.SweepTemp(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("SweepTemp = %d, %v", n, err)
	}
	if err := s.Commit(t.Context(), staged); err != nil {
		t.Errorf("Commit: %v", err)
	}
	Want(t, s, []byte("in work"))
}

func testCheck(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
	for range 20 {
		WantList(t, s) // what Check writes is nobody's business
	}
	wg.Wait()
}
