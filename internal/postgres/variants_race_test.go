package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/variant"
)

// Many ask for the same names at once, in every order: each name is granted once, and nothing deadlocks.
func TestClaimManyAtOnce(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	names := []string{"a", "b", "c", "d"}
	var mu sync.Mutex
	times := map[string]int{}
	var work errgroup.Group
	for i := range 40 {
		ask := slices.Concat(names[i%4:], names[:i%4])
		work.Go(func() error {
			claims, err := s.Claim(t.Context(), ref, ask, time.Minute)
			mu.Lock()
			defer mu.Unlock()
			for _, c := range claims {
				if c.Granted {
					times[c.Name]++
				}
			}
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if times[name] != 1 {
			t.Errorf("%s was granted %d times", name, times[name])
		}
	}
}

// Replicas evict, record, use and remove at the same time: nothing deadlocks, and no file is given to two of them.
func TestVariantsUnderFire(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	images := NewImageStore(db)
	refs := make([]blob.Ref, 6)
	var all []variant.Entry
	for i := range refs {
		refs[i] = addBlob(t, db, fmt.Sprint(i))
		for n := range 20 {
			all = append(all, variant.Entry{Ref: refs[i], Name: fmt.Sprint("v", n), Size: 1})
		}
	}
	if err := s.Record(t.Context(), all, nil); err != nil {
		t.Fatal(err)
	}
	exec(t, db, `UPDATE variants SET used_at = now() - interval '1 hour', used_hour = used_hour - 1`)
	var mu sync.Mutex
	struck := map[string]int{}
	var work errgroup.Group
	for i := range 3 {
		work.Go(func() error {
			for range 5 {
				entries, err := s.Evict(t.Context(), 7, 30*time.Minute, 50)
				if err != nil {
					return err
				}
				mu.Lock()
				for _, e := range entries {
					struck[e.Ref.String()+e.Name]++
				}
				mu.Unlock()
			}
			return nil
		})
		work.Go(func() error {
			uses := make([]variant.Use, 0, len(all))
			for n := range all {
				e := all[(n*7+i)%len(all)]
				uses = append(uses, variant.Use{Ref: e.Ref, Name: e.Name, At: time.Now()})
			}
			return s.Record(t.Context(), nil, uses[:40])
		})
		work.Go(func() error {
			for n := range 10 {
				_, err := s.Claim(t.Context(), refs[n%len(refs)], []string{"v3", "fresh", "v1"}, time.Second)
				if err != nil && !errors.Is(err, blob.ErrNotFound) {
					return err
				}
			}
			return nil
		})
		work.Go(func() error {
			_, err := images.RemoveBlob(t.Context(), refs[i], func(context.Context) error { return nil })
			return err
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for name, n := range struck {
		if n != 1 {
			t.Errorf("%s was struck out %d times", name, n)
		}
	}
	if n := queryInt(t, db, `SELECT count(*) FROM variants WHERE ref = ANY($1)`, refBytes(refs[:3])); n != 0 {
		t.Errorf("%d rows of removed blobs are left", n)
	}
}

// A claim waits for a removal under way, and then finds no blob; one that came first is taken along.
func TestClaimMeetsRemoval(t *testing.T) {
	t.Parallel()
	s, db := newVariants(t)
	ref := addBlob(t, db, "x")
	expectGranted(t, s, ref, []string{"early"}, "early")
	claimed := make(chan error, 1)
	ok, err := NewImageStore(db).RemoveBlob(t.Context(), ref, func(context.Context) error {
		go func() {
			_, err := s.Claim(t.Context(), ref, []string{"early", "late"}, time.Minute)
			claimed <- err
		}()
		select {
		case err := <-claimed:
			t.Errorf("the claim did not wait: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		return nil
	})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := <-claimed; !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("the claim: %v", err)
	}
	if n := queryInt(t, db, `SELECT count(*) FROM variants`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
