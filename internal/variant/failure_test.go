package variant_test

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

func TestBrokenPictureIsRemembered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := photo(640, 480, 1)
	src := variant.Source{Ref: r.put(whole[:200]), Format: imaging.JPEG, Width: 640, Height: 480, Frames: 1}
	m := r.maker(variant.Config{})
	var first error
	for i := range 3 {
		_, err := m.Open(t.Context(), src, webp(320))
		if apperr.KindOf(err) != apperr.Unprocessable {
			t.Fatalf("try %d: %v", i, err)
		}
		if first == nil {
			first = err
		}
	}
	r.expectRenders(1)
	if _, err := r.maker(variant.Config{}).Open(t.Context(), src, webp(320)); !errors.Is(err, first) {
		t.Errorf("another replica says %v, and the first one %v", err, first)
	}
	r.expectRenders(1)
	// After a while it is tried again.
	r.exec(`UPDATE variants SET failed_until = now()`)
	if _, err := r.maker(variant.Config{}).Open(t.Context(), src, webp(320)); apperr.KindOf(err) != apperr.Unprocessable {
		t.Error(err)
	}
	r.expectRenders(2)
}

// A broken picture is not tried for each of a set's sizes.
func TestBrokenSet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	whole := photo(640, 480, 1)
	src := variant.Source{Ref: r.put(whole[:200]), Format: imaging.JPEG, Width: 640, Height: 480, Frames: 1}
	m := r.makerOver(slowClaims{r.store()}, variant.Config{MasterSide: 320})
	var work sync.WaitGroup
	for i := range 6 {
		work.Go(func() {
			if _, err := m.Open(t.Context(), src, webp(60+i)); apperr.KindOf(err) != apperr.Unprocessable {
				t.Error(err)
			}
		})
	}
	work.Wait()
	r.expectRenders(2)
}

// What cannot be made together with something else must not take it along.
func TestOneOfASetFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.makerOver(slowClaims{r.store()}, variant.Config{MasterSide: 320}), r.picture(640, 480, 1)
	r.before = func(_ *os.File, req imaging.RenderRequest) error {
		for _, out := range req.Outputs {
			if out.Width == 300 {
				return imaging.ErrTooLarge
			}
		}
		return nil
	}
	var work sync.WaitGroup
	for _, width := range []int{64, 160, 300} {
		work.Go(func() {
			f, err := m.Open(t.Context(), src, webp(width))
			if width == 300 {
				if !errors.Is(err, imaging.ErrTooLarge) {
					t.Errorf("%d: %v", width, err)
				}
			} else if err != nil {
				t.Errorf("%d: %v", width, err)
			} else {
				f.Close()
			}
		})
	}
	work.Wait()
}

func TestBusyPassesThrough(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 320}), r.picture(640, 480, 1)
	var tries atomic.Int32
	r.before = func(*os.File, imaging.RenderRequest) error {
		if tries.Add(1) == 1 {
			return imaging.ErrBusy.After(3 * time.Second)
		}
		return nil
	}
	var busy *apperr.Error
	if _, err := m.Open(t.Context(), src, webp(320)); !errors.As(err, &busy) || busy.RetryAfter != 3*time.Second {
		t.Errorf("got %v", err)
	}
	if n := r.int(`SELECT count(*) FROM variants WHERE claimed_until > now()`); n != 0 {
		t.Errorf("%d claims are held still", n)
	}
	open(t, m, src, webp(320))
	r.expectRenders(2)
}
