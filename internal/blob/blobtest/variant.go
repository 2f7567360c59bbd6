package blobtest

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
)

func testVariants(t *testing.T, s blob.Store) {
	const name = "w320-q80.webp"
	ref := Put(t, s, []byte("picture"))
	v, err := s.NewVariant(t.Context(), ref, name)
	if err != nil {
		t.Fatalf("NewVariant: %v", err)
	}
	if err := v.Commit(); err == nil {
		t.Error("Commit of an empty variant = nil")
	}
	if _, err := v.File().WriteString("half of it"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenVariant(t.Context(), ref, name); !errors.Is(err, blob.ErrVariantNotFound) {
		t.Errorf("OpenVariant before Commit: %v", err)
	}
	v.Discard()
	v.Discard()
	if err := v.Commit(); err == nil {
		t.Error("Commit after Discard = nil")
	}
	WantList(t, s, ref.String()+" 7")

	PutVariant(t, s, ref, name, []byte("first"))
	old, err := s.OpenVariant(t.Context(), ref, name)
	if err != nil {
		t.Fatalf("OpenVariant: %v", err)
	}
	PutVariant(t, s, ref, name, []byte("the second"))
	wantFile(t, old, nil, []byte("first"))
	f, err := s.OpenVariant(t.Context(), ref, name)
	wantFile(t, f, err, []byte("the second"))
	WantList(t, s, ref.String()+" 7", ref.String()+"/"+name+" 10")

	if v, err = s.NewVariant(t.Context(), ref, "again"); err != nil {
		t.Fatalf("NewVariant: %v", err)
	}
	defer v.Discard()
	if _, err := v.File().WriteString("x"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := v.Commit(); err != nil {
			t.Errorf("Commit: %v", err)
		}
	}
}

func testVariantNames(t *testing.T, s blob.Store) {
	ref := Put(t, s, []byte("picture"))
	for _, name := range []string{
		"", ".", "..", "../x", "a/b", `a\b`, "/x", ".hidden", "-x", "_x", "A", "a b", "a\x00", "a\n", "ä",
		strings.Repeat("a", 101),
	} {
		_, err := s.NewVariant(t.Context(), ref, name)
		wantErr(t, "NewVariant "+name, err, blob.ErrBadVariant)
		_, err = s.OpenVariant(t.Context(), ref, name)
		wantErr(t, "OpenVariant "+name, err, blob.ErrBadVariant)
		wantErr(t, "RemoveVariant "+name, s.RemoveVariant(t.Context(), ref, name), blob.ErrBadVariant)
	}
	for _, name := range []string{"a", "0", "a..b", "w320_q80-x.webp", strings.Repeat("a", 100)} {
		PutVariant(t, s, ref, name, []byte("x"))
	}
}

func testVariantOfNothing(t *testing.T, s blob.Store) {
	early, err := s.NewVariant(t.Context(), blob.Ref{1}, "w320.webp")
	if err != nil {
		t.Fatalf("NewVariant: %v", err)
	}
	defer early.Discard()
	if _, err := early.File().WriteString("made too early"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "Commit", early.Commit(), blob.ErrNotFound)

	ref := Put(t, s, []byte("picture"))
	v, err := s.NewVariant(t.Context(), ref, "w320.webp")
	if err != nil {
		t.Fatalf("NewVariant: %v", err)
	}
	defer v.Discard()
	if _, err := v.File().WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), ref); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	wantErr(t, "Commit", v.Commit(), blob.ErrNotFound)
	WantList(t, s)
}

func testVariantRacesRemove(t *testing.T, s blob.Store) {
	for range 20 {
		ref := Put(t, s, []byte("picture"))
		var g errgroup.Group
		for _, name := range []string{"a", "b", "c", "d"} {
			g.Go(func() error {
				v, err := s.NewVariant(t.Context(), ref, name)
				if errors.Is(err, blob.ErrNotFound) {
					return nil
				} else if err != nil {
					return err
				}
				defer v.Discard()
				if _, err := v.File().WriteString(name); err != nil {
					return err
				}
				if err := v.Commit(); !errors.Is(err, blob.ErrNotFound) {
					return err
				}
				return nil
			})
		}
		g.Go(func() error { return s.Remove(t.Context(), ref) })
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		WantList(t, s)
	}
}

func testRemoveVariant(t *testing.T, s blob.Store) {
	ref := Put(t, s, []byte("picture"))
	PutVariant(t, s, ref, "a", []byte("one"))
	PutVariant(t, s, ref, "b", []byte("two"))
	f, err := s.OpenVariant(t.Context(), ref, "a")
	if err != nil {
		t.Fatalf("OpenVariant: %v", err)
	}
	for range 2 {
		if err := s.RemoveVariant(t.Context(), ref, "a"); err != nil {
			t.Errorf("RemoveVariant: %v", err)
		}
	}
	wantFile(t, f, nil, []byte("one"))
	WantList(t, s, ref.String()+" 7", ref.String()+"/b 3")
	if err := s.RemoveVariant(t.Context(), ref, "b"); err != nil {
		t.Errorf("RemoveVariant: %v", err)
	}
	if err := s.RemoveVariant(t.Context(), blob.Ref{1}, "b"); err != nil {
		t.Errorf("RemoveVariant of nothing: %v", err)
	}
	WantList(t, s, ref.String()+" 7")
	PutVariant(t, s, ref, "a", []byte("again"))
	WantList(t, s, ref.String()+" 7", ref.String()+"/a 5")
}

// testRemoveVariantRaces makes the only variants of a blob and removes them at the same time: each removal may take the
// folder from under the other.
func testRemoveVariantRaces(t *testing.T, s blob.Store) {
	ref := Put(t, s, []byte("picture"))
	var g errgroup.Group
	for _, name := range []string{"a", "b"} {
		g.Go(func() error {
			for range 50 {
				v, err := s.NewVariant(t.Context(), ref, name)
				if err != nil {
					return err
				}
				defer v.Discard()
				if _, err := v.File().WriteString(name); err != nil {
					return err
				}
				if err := v.Commit(); err != nil {
					return err
				}
				if err := s.RemoveVariant(t.Context(), ref, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	WantList(t, s, ref.String()+" 7")
}

func testWalk(t *testing.T, s blob.Store) {
	WantList(t, s)
	one, two := Put(t, s, []byte("one")), Put(t, s, nil)
	PutVariant(t, s, one, "w320.webp", []byte("small"))
	PutVariant(t, s, one, "w640.webp", []byte("larger"))
	stage(t.Context(), t, s, []byte("not there yet"))
	WantList(t, s, one.String()+" 3", two.String()+" 0", one.String()+"/w320.webp 5", one.String()+"/w640.webp 6")
	variants := false
	err := s.Walk(t.Context(), func(e blob.Entry) error {
		if variants && e.Variant == "" {
			t.Error("a blob came after a variant")
		}
		variants = e.Variant != ""
		return nil
	})
	if err != nil {
		t.Errorf("Walk: %v", err)
	}
}

func testWalkStops(t *testing.T, s blob.Store) {
	Put(t, s, []byte("one"))
	Put(t, s, []byte("two"))
	enough, calls := errors.New("enough"), 0
	err := s.Walk(t.Context(), func(blob.Entry) error { calls++; return enough })
	wantErr(t, "Walk", err, enough)
	if calls != 1 {
		t.Errorf("fn was called %d times", calls)
	}
	// Removing while walking is what doctor and the sweep do.
	err = s.Walk(t.Context(), func(e blob.Entry) error { return s.Remove(t.Context(), e.Ref) })
	if err != nil {
		t.Errorf("Walk with Remove: %v", err)
	}
	WantList(t, s)
}

func testQuarantine(t *testing.T, s blob.Store) {
	data := []byte("damaged, say")
	for range 3 {
		ref := Put(t, s, data)
		if err := s.Quarantine(t.Context(), ref); err != nil {
			t.Fatalf("Quarantine: %v", err)
		}
		_, err := s.Open(t.Context(), ref)
		wantErr(t, "Open", err, blob.ErrNotFound)
		WantList(t, s)
	}
	Put(t, s, data)
	Want(t, s, data)
}
