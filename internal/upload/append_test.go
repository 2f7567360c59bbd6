package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// What came before a body broke off counts, whatever its length said.
func TestTruncatedReaders(t *testing.T) {
	t.Parallel()
	s, file := newStore(t), noise(500_000)
	cut := errors.New("cut")
	for name, body := range map[string]io.Reader{
		"cut":            io.MultiReader(bytes.NewReader(file[:300_000]), iotest.ErrReader(cut)),
		"with the data":  iotest.DataErrReader(io.MultiReader(bytes.NewReader(file[:300_000]), iotest.ErrReader(cut))),
		"byte by byte":   io.MultiReader(iotest.OneByteReader(bytes.NewReader(file[:300])), iotest.ErrReader(cut)),
		"a wrapped end":  io.MultiReader(bytes.NewReader(file[:300_000]), iotest.ErrReader(errors.Join(cut, io.EOF))),
		"at the outset":  iotest.ErrReader(cut),
		"after the last": io.MultiReader(bytes.NewReader(file), iotest.ErrReader(cut)),
	} {
		up := s.create(t, int64(len(file)))
		got, err := s.append(t, up.ID, 0, body)
		want := map[string]int64{"byte by byte": 300, "at the outset": 0, "after the last": int64(len(file))}
		n, special := want[name]
		if !special {
			n = 300_000
		}
		if !errors.Is(err, cut) || got.Offset != n {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if _, err := s.append(t, up.ID, n, bytes.NewReader(file[n:])); err != nil || !bytes.Equal(s.whole(t, up.ID), file) {
			t.Errorf("%s: it does not go on: %v", name, err)
		}
	}
	up := s.create(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Append(ctx, anna, up.ID, Part{Length: -1, Body: strings.NewReader("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// A part that turns out to be wrong is taken back, unless somebody went on from it.
func TestVerify(t *testing.T) {
	t.Parallel()
	s, wrong := newStore(t), errors.New("wrong")
	up := s.create(t, 10)
	if _, err := s.append(t, up.ID, 0, strings.NewReader("123")); err != nil {
		t.Fatal(err)
	}
	part := Part{Offset: 3, Length: -1, Body: strings.NewReader("456"), Verify: func() error { return wrong }}
	if got, err := s.Append(t.Context(), anna, up.ID, part); !errors.Is(err, wrong) || got.Offset != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	part.Body, part.Verify = strings.NewReader("456"), func() error {
		if _, err := s.append(t, up.ID, 6, strings.NewReader("7")); err != nil {
			t.Error(err)
		}
		return wrong
	}
	if got, err := s.Append(t.Context(), anna, up.ID, part); !errors.Is(err, wrong) || !errors.Is(err, ErrOffset) || got.Offset != 7 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Of many who send the same part one wins, through however many stores, and no byte is anywhere but in its place.
func TestAppendAtOnce(t *testing.T) {
	t.Parallel()
	s, file := newStore(t), noise(2<<20)
	up := s.create(t, int64(len(file)))
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		other, err := Open(s.folder, roomy)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			_, err := other.Append(t.Context(), anna, up.ID, Part{Length: int64(len(file)), Body: iotest.HalfReader(bytes.NewReader(file))})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, ErrOffset):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || !bytes.Equal(s.whole(t, up.ID), file) {
		t.Errorf("%d won, and the bytes are right: %t", won.Load(), bytes.Equal(s.whole(t, up.ID), file))
	}
}

// A sender that hangs keeps nobody from going on, and cannot come back in between.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	up := s.create(t, 10)
	hanging, feed := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := s.Append(t.Context(), anna, up.ID, Part{Length: 10, Body: hanging})
		done <- err
	}()
	if _, err := feed.Write([]byte("123")); err != nil {
		t.Fatal(err)
	}
	for got := up; got.Offset != 3; { // a pipe's write returns before what was read is written
		var err error
		if got, err = s.Get(anna, up.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.append(t, up.ID, 3, strings.NewReader("45")); err != nil {
		t.Fatal(err)
	}
	if _, err := feed.Write([]byte("xyz")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrOffset) {
		t.Errorf("who was overtaken: %v", err)
	}
	if _, err := s.append(t, up.ID, 5, strings.NewReader("67890")); err != nil {
		t.Fatal(err)
	}
	if got := s.whole(t, up.ID); string(got) != "1234567890" {
		t.Errorf("%s", got)
	}
	// Nor is anything added to what was removed.
	up = s.create(t, 10)
	removed := io.MultiReader(strings.NewReader("1"), readerFunc(func([]byte) (int, error) { return 0, s.Remove(anna, up.ID) }), strings.NewReader("2"))
	if _, err := s.append(t, up.ID, 0, removed); !errors.Is(err, ErrNotFound) {
		t.Errorf("added to what was removed: %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) {
	if n, err := f(p); n > 0 || err != nil {
		return n, err
	}
	return 0, io.EOF
}
