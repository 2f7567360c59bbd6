package postgres

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	s, _ := newVariants(t)
	var work errgroup.Group
	firsts := make([][]byte, 8)
	for i := range firsts {
		work.Go(func() error {
			keys, err := s.SigningKeys(t.Context())
			if err == nil && len(keys) != 1 {
				err = fmt.Errorf("%d keys", len(keys))
			}
			if err == nil {
				firsts[i] = keys[0]
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	first := firsts[0]
	for _, key := range firsts {
		if len(key) != 32 || !bytes.Equal(key, first) {
			t.Errorf("keys differ: %x and %x", key, first)
		}
	}
	key := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	for _, b := range []byte{1, 2} {
		if err := s.RotateSigningKey(t.Context(), key(b)); err != nil {
			t.Fatal(err)
		}
		keys, err := s.SigningKeys(t.Context())
		want := first
		if b == 2 {
			want = key(1)
		}
		if err != nil || len(keys) != 2 || !bytes.Equal(keys[0], key(b)) || !bytes.Equal(keys[1], want) {
			t.Errorf("after rotation %d: %x, %v", b, keys, err)
		}
	}
	for b := range 6 { // at the same time
		work.Go(func() error { return s.RotateSigningKey(t.Context(), key(byte(10+b))) })
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.SigningKeys(t.Context()); err != nil || len(keys) != 2 || bytes.Equal(keys[0], keys[1]) {
		t.Errorf("%x, %v", keys, err)
	}
}
