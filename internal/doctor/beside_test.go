package doctor_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/doctor"
	"github.com/kadr-app/kadr/internal/image"
)

// Uploads and deletions, of the same few pictures and of new ones, never look like damage, and a doctor that repairs
// never does any.
func TestBesideARunningServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	doctor.Hurried(r.doctor, 7, 500*time.Millisecond)
	for range 20 {
		r.picture(t)
	}
	broken := r.picture(t) // the one true finding
	r.flip(t, broken.Ref)

	ctx, stop := context.WithCancel(t.Context())
	var servers sync.WaitGroup
	for w := range 4 {
		servers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				content := fmt.Appendf(nil, "shared by all %d", i%5)
				if i%2 == 0 { // what always comes back
					content = fmt.Appendf(nil, "worker %d's own", w)
				}
				if err := r.serve(ctx, content); err != nil && ctx.Err() == nil {
					t.Errorf("worker %d, turn %d: %v", w, i, err)
					return
				}
			}
		})
	}
	for i, opts := range []doctor.Options{look, deep, deep, deepRepair, deepRepair, repair, look, deep} {
		want := doctor.Damaged
		switch {
		case !opts.Deep && i < 3:
			want = ""
		case i > 3:
			want = doctor.Lost
		}
		found, _ := r.examine(t, opts)
		found = slices.DeleteFunc(found, func(f doctor.Finding) bool { return f.Ref == broken.Ref && f.Kind == want })
		if len(found) > 0 {
			t.Errorf("run %d with %+v: false alarms %v", i, opts, found)
		}
	}
	stop()
	servers.Wait()
}

// serve is what a server does for one visitor: an upload, its thumbnail, a look at it, its deletion.
func (r *rig) serve(ctx context.Context, content []byte) error {
	var imgs []image.Image
	for range 2 {
		img, err := r.upload(ctx, content)
		if err != nil {
			return err
		}
		imgs = append(imgs, img)
	}
	ref := imgs[0].Ref
	if err := r.addVariant(ctx, ref, "r1-w320.webp"); err != nil {
		return err
	}
	f, err := r.blobs.Open(ctx, ref)
	if err != nil {
		return fmt.Errorf("an acknowledged picture is gone: %w", err)
	}
	defer f.Close()
	var rendering sync.WaitGroup
	defer rendering.Wait()
	rendering.Go(func() { // goes on while the picture is deleted
		if e := r.addVariant(ctx, ref, "r1-w640.webp"); e != nil && !errors.Is(e, blob.ErrNotFound) && ctx.Err() == nil {
			err = e
		}
	})
	if e := r.delete(ctx, 20*time.Millisecond, imgs...); e != nil {
		return e
	}
	rendering.Wait()
	return err
}

// meddler lets a test do something between two steps of an examination, as the server might: right before a row is
// locked, and right after each answer to which blobs are known.
type meddler struct {
	doctor.Store
	beforeLock func()
	afterKnown []func()
}

func (m *meddler) LockBlob(
	ctx context.Context, ref blob.Ref, look func(context.Context, doctor.Blob) (*doctor.Correction, error),
) error {
	if f := m.beforeLock; f != nil {
		m.beforeLock = nil
		f()
	}
	return m.Store.LockBlob(ctx, ref, look)
}

func (m *meddler) KnownBlobs(ctx context.Context, refs []blob.Ref) (map[blob.Ref]bool, error) {
	known, err := m.Store.KnownBlobs(ctx, refs)
	if len(m.afterKnown) > 0 {
		f := m.afterKnown[0]
		m.afterKnown = m.afterKnown[1:]
		f()
	}
	return known, err
}

func TestBetweenTheReadingAndTheLock(t *testing.T) {
	t.Parallel()
	content := []byte("what the picture should be")
	for what, meddle := range map[string]func(*testing.T, *rig, image.Image){
		"an upload heals it": func(t *testing.T, r *rig, _ image.Image) { r.pictureOf(t, content) },
		"the picture is deleted": func(t *testing.T, r *rig, img image.Image) {
			if _, err := r.images.DeleteImages(t.Context(), anna, []string{img.ID}, nil); err != nil {
				t.Error(err)
			}
		},
		"the picture is deleted with its bytes": func(t *testing.T, r *rig, img image.Image) {
			if err := r.delete(t.Context(), 0, img); err != nil {
				t.Error(err)
			}
		},
	} {
		for fault, spoil := range map[string]func(*testing.T, *rig, blob.Ref){
			"damaged": func(t *testing.T, r *rig, ref blob.Ref) { r.flip(t, ref) },
			"missing": func(t *testing.T, r *rig, ref blob.Ref) {
				if err := os.Remove(r.path(ref)); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(fault+", "+what, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				img := r.pictureOf(t, content)
				spoil(t, r, img.Ref)
				r.doctor = doctor.Hurried(doctor.New(&meddler{
					Store: r.store, beforeLock: func() { meddle(t, r, img) },
				}, r.blobs), 2, 0)
				r.expect(t, deepRepair)
				if r.isLost(t, img.Ref) {
					t.Error("marked as lost")
				}
			})
		}
	}
}

func TestOrphanThatIsNone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.picture(t)
	content := []byte("uploaded while doctor looks")
	ref := blob.Ref(sha256.Sum256(content))
	r.write(t, r.path(ref), content)
	var img image.Image
	upload := func() { img = r.pictureOf(t, content) }
	remove := func() {
		if err := r.remove(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	for _, steps := range [][]func(){
		{upload}, // after the first look
		{func() {}, func() { remove(); upload() }}, // after the second, which a removal and another upload made worthless
	} {
		r.doctor = doctor.Hurried(doctor.New(&meddler{Store: r.store, afterKnown: steps}, r.blobs), 9, 0)
		r.expect(t, look) // a repair would find out under the lock
		if err := r.delete(t.Context(), 0, img); err != nil {
			t.Fatal(err)
		}
		r.write(t, r.path(ref), content)
	}
}
