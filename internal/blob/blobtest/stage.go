package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
)

func testMemory(t *testing.T, s blob.Store) {
	const size, bound = 64 << 20, 4 << 20
	zeros := io.LimitReader(readerFunc(func(p []byte) (int, error) { clear(p); return len(p), nil }), size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	staged, err := s.Stage(t.Context(), zeros, size)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatalf("Stage: %v", err)
	}
	defer staged.Discard()
	if staged.Size() != size {
		t.Errorf("Size = %d, want %d", staged.Size(), size)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > bound {
		t.Errorf("staging %d bytes allocated %d, want at most %d", size, got, bound)
	}
}

func testRoundTrip(t *testing.T, s blob.Store) {
	sizes := []int{0, 1, 10_000_000}
	for _, edge := range []int{4 << 10, 64 << 10, 128 << 10, 256 << 10, 1 << 20} { // where buffers are likely to end
		sizes = append(sizes, edge-1, edge, edge+1)
	}
	for i, size := range sizes {
		data := Bytes(uint64(i), size)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(data),
			"half":  iotest.HalfReader(bytes.NewReader(data)),
			"eof":   iotest.DataErrReader(bytes.NewReader(data)), // the end comes with the last bytes
		} {
			staged, err := s.Stage(t.Context(), r, int64(size))
			if err != nil {
				t.Fatalf("Stage %d %s: %v", size, name, err)
			}
			if want := blob.Ref(sha256.Sum256(data)); staged.Ref() != want || staged.Size() != int64(size) {
				t.Errorf("%d %s: staged %v of %d bytes, want %v", size, name, staged.Ref(), staged.Size(), want)
			}
			if err := s.Commit(t.Context(), staged); err != nil {
				t.Errorf("Commit %d %s: %v", size, name, err)
			}
			staged.Discard()
		}
		Want(t, s, data)
	}
}

func testLimit(t *testing.T, s blob.Store) {
	for _, limit := range []int64{-1, 0, 1, 1000, 128 << 10, 1 << 20} {
		fits := max(limit, 0)
		staged, err := s.Stage(t.Context(), bytes.NewReader(make([]byte, fits)), limit)
		if err != nil {
			t.Fatalf("Stage %d of at most %d: %v", fits, limit, err)
		}
		staged.Discard()
		for _, more := range []int64{1, 2, 300 << 10} {
			_, err := s.Stage(t.Context(), bytes.NewReader(make([]byte, fits+more)), limit)
			wantErr(t, fmt.Sprintf("Stage %d of at most %d", fits+more, limit), err, blob.ErrTooLarge)
			if apperr.KindOf(err) != apperr.TooLarge {
				t.Errorf("the kind of %v is %v", err, apperr.KindOf(err))
			}
		}
	}
	staged, err := s.Stage(t.Context(), strings.NewReader("x"), 1<<63-1)
	if err != nil {
		t.Fatalf("Stage with the largest limit: %v", err)
	}
	staged.Discard()
	WantList(t, s)
}

func testLimitKnownEarly(t *testing.T, s blob.Store) {
	asked := 0
	slow := readerFunc(func(p []byte) (int, error) {
		if asked++; asked > 11 {
			t.Error("Stage read on after it had one byte too many")
			return 0, io.EOF
		}
		return copy(p, "x"), nil
	})
	_, err := s.Stage(t.Context(), slow, 10)
	wantErr(t, "Stage", err, blob.ErrTooLarge)
}

func testBadReaders(t *testing.T, s blob.Store) {
	broken := errors.New("the line is cut")
	named := apperr.New(apperr.Invalid, "digest_mismatch", "The digest does not match.")
	long := strings.Repeat("x", 300<<10)
	for _, tc := range []struct {
		r    io.Reader
		want error
	}{
		{then("", broken), broken},
		{then("some", broken), broken},
		{then(long, broken), broken},
		{then(long, io.ErrUnexpectedEOF), io.ErrUnexpectedEOF}, // a body cut short
		{then("some", fmt.Errorf("wrapped: %w", io.EOF)), io.EOF},
		{then("some", named), named},
		{iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(long))), iotest.ErrTimeout},
		{readerFunc(func([]byte) (int, error) { return 0, nil }), io.ErrNoProgress},
	} {
		staged, err := s.Stage(t.Context(), tc.r, noLimit)
		wantErr(t, "Stage", err, tc.want)
		if staged != nil {
			t.Error("Stage returned something beside the error")
		}
		if got, want := apperr.KindOf(err), apperr.KindOf(tc.want); got != want {
			t.Errorf("the kind of %v is %v, want %v", err, got, want)
		}
	}
	WantList(t, s)
}

func testReaderPanics(t *testing.T, s blob.Store) {
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
		WantList(t, s) // and the store's own cleanup finds no temporary file
	}()
	_, _ = s.Stage(t.Context(), readerFunc(func([]byte) (int, error) { panic("reader") }), noLimit)
}

func testCancel(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	endless := readerFunc(func(p []byte) (int, error) {
		if reads++; reads == 3 {
			cancel()
		}
		return len(p), nil
	})
	_, err := s.Stage(ctx, endless, noLimit)
	wantErr(t, "Stage", err, context.Canceled)
	if reads > 3 {
		t.Errorf("%d reads after the cancellation", reads-3)
	}
	staged := stage(t.Context(), t, s, []byte("kept"))
	wantErr(t, "Commit", s.Commit(ctx, staged), context.Canceled)
	WantList(t, s)
	if err := s.Commit(t.Context(), staged); err != nil {
		t.Errorf("Commit after one that was cancelled: %v", err)
	}
	wantErr(t, "Walk", s.Walk(ctx, func(blob.Entry) error { return nil }), context.Canceled)
}

func testStagedFile(t *testing.T, s blob.Store) {
	data := Bytes(1, 200_000)
	staged := stage(t.Context(), t, s, data)
	for range 2 { // before and after Commit
		got := make([]byte, len(data))
		if _, err := staged.File().ReadAt(got, 0); err != nil || !bytes.Equal(got, data) {
			t.Errorf("ReadAt: %v, or other bytes", err)
		}
		if _, err := staged.File().WriteAt([]byte("!"), 0); err == nil {
			t.Error("bytes whose hash is known could be changed")
		}
		if err := s.Commit(t.Context(), staged); err != nil {
			t.Fatalf("Commit: %v", err)
		}
	}
	if off, err := staged.File().Seek(0, io.SeekCurrent); off != 0 || err != nil {
		t.Errorf("the file is at offset %d (%v), want 0", off, err)
	}
	Want(t, s, data)
}

func testDiscard(t *testing.T, s blob.Store) {
	staged := stage(t.Context(), t, s, []byte("thrown away"))
	staged.Discard()
	staged.Discard()
	WantList(t, s)

	kept := []byte("kept")
	staged = stage(t.Context(), t, s, kept)
	if err := s.Commit(t.Context(), staged); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	staged.Discard()
	staged.Discard()
	Want(t, s, kept)
}
