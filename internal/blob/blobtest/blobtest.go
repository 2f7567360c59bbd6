// Package blobtest is the suite that every blob.Store must pass: what the interface promises, tried from outside.
//
// A backend's test calls Run with a function that makes an empty store, and adds only what is particular to it.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kadr-app/kadr/internal/blob"
)

// Run tries every promise of blob.Store on stores made by open, each of them new and empty. The caller's test must not
// be parallel, because memory is measured for the whole process; the rest of the suite runs in parallel by itself.
func Run(t *testing.T, open func(t *testing.T) blob.Store) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { testMemory(t, open(t)) })
	for name, test := range map[string]func(*testing.T, blob.Store){
		"round trip":              testRoundTrip,
		"limit":                   testLimit,
		"limit known early":       testLimitKnownEarly,
		"bad readers":             testBadReaders,
		"reader panics":           testReaderPanics,
		"cancel":                  testCancel,
		"staged file":             testStagedFile,
		"discard":                 testDiscard,
		"commit again":            testCommitAgain,
		"commit after discard":    testCommitAfterDiscard,
		"commit the same at once": testCommitSameAtOnce,
		"commit many at once":     testCommitManyAtOnce,
		"absent":                  testAbsent,
		"remove":                  testRemove,
		"read while removed":      testReadWhileRemoved,
		"variants":                testVariants,
		"variant names":           testVariantNames,
		"variant of nothing":      testVariantOfNothing,
		"variant races remove":    testVariantRacesRemove,
		"remove variant":          testRemoveVariant,
		"remove variant races":    testRemoveVariantRaces,
		"walk":                    testWalk,
		"walk stops":              testWalkStops,
		"sweep spares the young":  testSweepSparesTheYoung,
		"quarantine":              testQuarantine,
		"check":                   testCheck,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

const noLimit = 1 << 40

// Bytes returns n bytes that only seed decides, and that do not compress.
func Bytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// Put stages and commits data, and fails the test when that does not work.
func Put(t *testing.T, s blob.Store, data []byte) blob.Ref {
	t.Helper()
	staged, err := s.Stage(t.Context(), bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("Stage: %v", err)
	}
	defer staged.Discard()
	if err := s.Commit(t.Context(), staged); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return staged.Ref()
}

// PutVariant makes a variant that holds data, and fails the test when that does not work.
func PutVariant(t *testing.T, s blob.Store, ref blob.Ref, name string, data []byte) {
	t.Helper()
	v, err := s.NewVariant(t.Context(), ref, name)
	if err != nil {
		t.Fatalf("NewVariant: %v", err)
	}
	defer v.Discard()
	if _, err := v.File().Write(data); err != nil {
		t.Fatalf("write the variant: %v", err)
	}
	if err := v.Commit(); err != nil {
		t.Fatalf("Variant.Commit: %v", err)
	}
}

// Want fails the test unless the store holds data, to the byte.
func Want(t *testing.T, s blob.Store, data []byte) {
	t.Helper()
	f, err := s.Open(t.Context(), sha256.Sum256(data))
	wantFile(t, f, err, data)
}

// List returns what Walk finds as sorted lines: "ref", "ref/variant" or "stray path", and the size.
func List(t *testing.T, s blob.Store) []string {
	t.Helper()
	lines := []string{}
	err := s.Walk(t.Context(), func(e blob.Entry) error {
		name := e.Ref.String()
		switch {
		case e.Stray != "":
			name = "stray " + e.Stray
		case e.Variant != "":
			name += "/" + e.Variant
		}
		if e.ModTime.IsZero() {
			t.Errorf("Walk: %s has no time", name)
		}
		lines = append(lines, fmt.Sprintf("%s %d", name, e.Size))
		return nil
	})
	if err != nil {
		t.Fatalf("Walk: %v", err)
	}
	slices.Sort(lines)
	return lines
}

// WantList fails the test unless Walk finds exactly these lines.
func WantList(t *testing.T, s blob.Store, want ...string) {
	t.Helper()
	want = append([]string{}, want...)
	slices.Sort(want)
	if diff := cmp.Diff(want, List(t, s)); diff != "" {
		t.Errorf("Walk (-want +got):\n%s", diff)
	}
}

func wantFile(t *testing.T, f *os.File, err error, data []byte) {
	t.Helper()
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer func() { _ = f.Close() }()
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came back, other than the %d that went in", len(got), len(data))
	}
}

func wantErr(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s = %v, want %v", what, err, target)
	}
}

// readerFunc makes a reader of a function.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// then is a reader of data that ends with err.
func then(data string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(data), readerFunc(func([]byte) (int, error) { return 0, err }))
}

func stage(ctx context.Context, t *testing.T, s blob.Store, data []byte) *blob.Staged {
	t.Helper()
	staged, err := s.Stage(ctx, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatalf("Stage: %v", err)
	}
	t.Cleanup(staged.Discard)
	return staged
}
