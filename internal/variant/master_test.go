package variant_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

func TestMasterIsMadeOnceAndUsed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 320}), r.picture(960, 720, 1)
	original := int64(len(photo(960, 720, 1)))
	var from atomic.Int64
	r.before = func(f *os.File, req imaging.RenderRequest) error {
		info, err := f.Stat()
		from.Store(info.Size())
		if reduced := req.Width == 960 && req.Height == 720; reduced != (info.Size() != original) {
			t.Errorf("a source of %d bytes with the size %d × %d", info.Size(), req.Width, req.Height)
		}
		return err
	}
	open(t, m, src, webp(480)) // larger than the master: no reason to make one
	if n := len(r.last().Outputs); n != 1 || len(r.files()) != 1 {
		t.Errorf("%d outputs, %v", n, r.files())
	}
	open(t, m, src, webp(160))
	hasMaster := func() bool { return r.files()[variant.MasterName] > 0 } // what somebody waits for is there first
	eventually(t, "there is a master", hasMaster)
	master := r.files()[variant.MasterName]
	if n := len(r.last().Outputs); n != 2 || from.Load() != original || master == 0 {
		t.Errorf("%d outputs, from %d bytes; the master has %d", n, from.Load(), master)
	}
	for _, width := range []int{64, 200, 320} {
		open(t, m, src, webp(width))
		if from.Load() != master || len(r.last().Outputs) != 1 {
			t.Errorf("%d was made from %d bytes, and the master has %d", width, from.Load(), master)
		}
	}
	cut := webp(100)
	cut.Crop = imaging.Rect{X: 10, Y: 10, Width: 200, Height: 100}
	f, err := m.Open(t.Context(), src, cut)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if from.Load() != original {
		t.Error("a part was cut out of the master")
	}
	eventually(t, "the master is on record", func() bool {
		return r.int(`SELECT coalesce(sum(size), 0) FROM variants WHERE name = $1`, variant.MasterName) == int(master)
	})

	// Gone, it is made again; damaged, it is removed first.
	if err := r.blobs.RemoveVariant(t.Context(), src.Ref, variant.MasterName); err != nil {
		t.Fatal(err)
	}
	width := 200
	again := func() bool { // the claim on the one before may be there for a moment
		width++
		open(t, m, src, webp(width))
		return hasMaster()
	}
	eventually(t, "the master is made again", again)
	m.Keep(t.Context(), src, []variant.Kept{{Shape: variant.Shape{Format: imaging.JPEG}, Master: true, Data: strings.NewReader("damaged"), Size: 7}})
	r.before = nil
	open(t, m, src, webp(66))
	if _, there := r.files()[variant.MasterName]; there {
		t.Error("the damaged master is there still")
	}
	eventually(t, "the master is made once more", again)
	if now := r.files()[variant.MasterName]; now != master {
		t.Errorf("it has %d bytes now, and before %d", now, master)
	}
}

// What comes while the master is being made waits for it rather than decode the original once more.
func TestMasterInTheMaking(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 320}), r.picture(960, 720, 1)
	begun, goOn := make(chan struct{}), make(chan struct{})
	var first sync.Once
	r.before = func(*os.File, imaging.RenderRequest) error {
		first.Do(func() { close(begun); <-goOn })
		return nil
	}
	var work sync.WaitGroup
	work.Go(func() { open(t, m, src, webp(64)) })
	<-begun
	work.Go(func() { open(t, m, src, webp(320)) })
	time.Sleep(30 * time.Millisecond)
	r.expectRenders(1)
	close(goOn)
	work.Wait()
	r.expectRenders(2)
	if r.last().Width != 960 {
		t.Error("the second one was not made from the master")
	}
}

func TestWhichPicturesHaveMasters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.maker(variant.Config{MasterSide: 1280})
	for what, tc := range map[string]struct {
		src  variant.Source
		want string
	}{
		"landscape":     {variant.Source{Format: imaging.JPEG, Width: 4000, Height: 3000, Frames: 1}, "jpeg 1280"},
		"portrait":      {variant.Source{Format: imaging.HEIC, Width: 3000, Height: 4000, Frames: 1}, "jpeg 960"},
		"transparent":   {variant.Source{Format: imaging.PNG, Width: 4000, Height: 3000, Frames: 1, Transparent: true}, "png 1280"},
		"animated":      {variant.Source{Format: imaging.GIF, Width: 4000, Height: 3000, Frames: 2}, ""},
		"hardly larger": {variant.Source{Format: imaging.JPEG, Width: 1600, Height: 1200, Frames: 1}, ""},
		"larger":        {variant.Source{Format: imaging.JPEG, Width: 1601, Height: 1200, Frames: 1}, "jpeg 1280"},
	} {
		got := ""
		if shape, ok := m.MasterOf(tc.src); ok {
			got = fmt.Sprint(shape.Format, " ", shape.Width)
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", what, got, tc.want)
		}
	}
	if _, ok := r.maker(variant.Config{}).MasterOf(variant.Source{Format: imaging.JPEG, Width: 4000, Height: 3000, Frames: 1}); ok {
		t.Error("a master where there are none")
	}
	if n := len(m.MasterOutputs()); n != 2 {
		t.Errorf("an upload has %d masters to choose from", n)
	}
}

func TestWhatComesFromTheMaster(t *testing.T) {
	t.Parallel()
	src := variant.Source{Format: imaging.JPEG, Width: 4000, Height: 3000, Frames: 1}
	master := variant.Shape{Shape: imaging.Shape{Width: 1280}, Format: imaging.JPEG} // × 960
	for what, tc := range map[string]struct {
		shape imaging.Shape
		want  bool
	}{
		"narrow":                    {imaging.Shape{Width: 320}, true},
		"as wide":                   {imaging.Shape{Width: 1280}, true},
		"wider":                     {imaging.Shape{Width: 1281}, false},
		"as high":                   {imaging.Shape{Height: 960}, true},
		"higher":                    {imaging.Shape{Height: 961}, false},
		"as it is":                  {imaging.Shape{}, false},
		"inside":                    {imaging.Shape{Width: 2000, Height: 960}, true},
		"covers":                    {imaging.Shape{Width: 960, Height: 960, Fit: imaging.FitCover}, true},
		"covers, from a larger one": {imaging.Shape{Width: 900, Height: 1000, Fit: imaging.FitCover}, false},
		"contained":                 {imaging.Shape{Width: 4000, Height: 960, Fit: imaging.FitContain}, true},
		"filled":                    {imaging.Shape{Width: 1280, Height: 10, Fit: imaging.FitFill}, true},
		"filled, too wide":          {imaging.Shape{Width: 1300, Height: 10, Fit: imaging.FitFill}, false},
		"turned":                    {imaging.Shape{Width: 960, Rotate: 90}, true},
		"turned, too wide":          {imaging.Shape{Width: 1000, Rotate: 270}, false},
		"cut":                       {imaging.Shape{Width: 100, Crop: imaging.Rect{Width: 100, Height: 100}}, false},
		"a page":                    {imaging.Shape{Width: 100, Page: 1}, false},
	} {
		if got := variant.FromMaster(src, variant.Shape{Shape: tc.shape, Format: imaging.WebP}, master); got != tc.want {
			t.Errorf("%s: %t", what, got)
		}
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m, src := r.maker(variant.Config{MasterSide: 320}), r.picture(960, 720, 1)
	master := photo(320, 240, 1)
	m.Keep(t.Context(), src, []variant.Kept{
		{Shape: webp(320), Data: strings.NewReader("small"), Size: 5},
		{Shape: webp(64), Data: strings.NewReader("cut"), Size: 5},
		{Shape: variant.Shape{Format: imaging.JPEG, Quality: 95}, Master: true, Data: bytes.NewReader(master), Size: int64(len(master))},
	})
	if files := r.files(); len(files) != 2 || files["r2-w320.webp"] != 5 || files[variant.MasterName] != int64(len(master)) {
		t.Errorf("the files are %v", files)
	}
	eventually(t, "their bytes are on record", func() bool {
		return r.int(`SELECT coalesce(sum(size), 0) FROM variants`) == 5+len(master)
	})
	f, err := m.AtHand(t.Context(), src, webp(320))
	if err != nil || f.Size != 5 {
		t.Fatal(err)
	}
	f.Close()
	open(t, m, src, webp(160))
	if r.last().Width != 960 || len(r.last().Outputs) != 1 {
		t.Errorf("the master was not used: %+v", r.last())
	}
	m.Keep(t.Context(), variant.Source{Ref: blob.Ref{1}}, []variant.Kept{{Shape: webp(320), Data: strings.NewReader("lost"), Size: 4}})
	if _, err := r.blobs.OpenVariant(t.Context(), blob.Ref{1}, webp(320).Name()); !errors.Is(err, blob.ErrVariantNotFound) {
		t.Errorf("a variant of nothing: %v", err)
	}
}
