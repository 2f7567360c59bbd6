package imaging_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"slices"
	"testing"

	"go.n16f.net/thumbhash"

	"github.com/kadr-app/kadr/internal/imaging"
)

func TestEveryFormatIntoEveryFormat(t *testing.T) {
	t.Parallel()
	for _, in := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.GIF, imaging.WebP} {
		file := encode(t, in, paint(200, 150, gradient))
		got, err := ingest(t, file, imaging.Output{Shape: imaging.Shape{Width: 64}, Format: imaging.WebP})
		if err != nil || got.Format != in || got.Width != 200 || got.Height != 150 || got.Frames != 1 || got.Orientation != 1 {
			t.Fatalf("%s: %+v, %v", in, got.Info, err)
		}
		outputs := []imaging.Output{}
		for _, out := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP} {
			outputs = append(outputs, imaging.Output{Shape: imaging.Shape{Width: 80}, Format: out}, imaging.Output{Shape: imaging.Shape{Width: 120}, Format: out},
				imaging.Output{Shape: imaging.Shape{Width: 0}, Format: out}, imaging.Output{Shape: imaging.Shape{Width: 4000}, Format: out})
		}
		files, rendered := render(t, file, outputs...)
		for i, o := range outputs {
			width := min(o.Width, 200)
			if width == 0 {
				width = 200
			}
			m := decode(t, files[i])
			if b := m.Bounds(); b.Dx() != width || b.Dy() != width*3/4 || rendered[i] != (imaging.Rendered{Made: true, Width: width, Height: width * 3 / 4, Size: int64(len(files[i]))}) {
				t.Errorf("%s to %s at %d: %v, %+v", in, o.Format, o.Width, b, rendered[i])
			}
			limit := 4.0
			if in == imaging.GIF {
				limit = 16 // Go's dither to 256 colours
			}
			if d := distance(m, gradient); d > limit {
				t.Errorf("%s to %s at %d: distance %.1f", in, o.Format, o.Width, d)
			}
			if format, _ := imaging.Sniff(files[i]); format != o.Format {
				t.Errorf("asked for %s, got %s", o.Format, format)
			}
		}
	}
}

func TestIngestMakesOnlyWhatIsSmaller(t *testing.T) {
	t.Parallel()
	got, err := ingest(t, encode(t, imaging.JPEG, paint(320, 200, gradient)),
		imaging.Output{Shape: imaging.Shape{Width: 64}, Format: imaging.WebP}, imaging.Output{Shape: imaging.Shape{Width: 320}, Format: imaging.WebP},
		imaging.Output{Shape: imaging.Shape{Width: 160}, Format: imaging.JPEG})
	if err != nil {
		t.Fatal(err)
	}
	if o := got.Outputs; !o[0].Made || o[0].Width != 64 || o[1] != (imaging.Rendered{}) || o[2].Width != 160 || o[2].Height != 100 {
		t.Errorf("outputs = %+v", o)
	}
}

// quadrants shows its orientation: red, green above blue, white.
func quadrants(u, v float64) color.NRGBA {
	return []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}[int(u*2)+2*int(v*2)]
}

func TestEveryOrientation(t *testing.T) {
	t.Parallel()
	const w, h = 240, 120
	shown := paint(w, h, quadrants)
	for o := 1; o <= 8; o++ {
		sw, sh := w, h
		if o >= 5 {
			sw, sh = h, w
		}
		stored := image.NewNRGBA(image.Rect(0, 0, sw, sh))
		for y := range h {
			for x := range w {
				sx, sy := [][2]int{
					{x, y},
					{w - 1 - x, y},
					{w - 1 - x, h - 1 - y},
					{x, h - 1 - y},
					{y, x},
					{y, sh - 1 - x},
					{sw - 1 - y, sh - 1 - x},
					{sw - 1 - y, x},
				}[o-1][0], [][2]int{
					{x, y},
					{w - 1 - x, y},
					{w - 1 - x, h - 1 - y},
					{x, h - 1 - y},
					{y, x},
					{y, sh - 1 - x},
					{sw - 1 - y, sh - 1 - x},
					{sw - 1 - y, x},
				}[o-1][1]
				stored.Set(sx, sy, shown.At(x, y))
			}
		}
		file := oriented(encode(t, imaging.JPEG, stored), byte(o))
		outputs := withFiles(t, []imaging.Output{{Shape: imaging.Shape{Width: 120}, Format: imaging.PNG}, {Shape: imaging.Shape{Width: 60}, Format: imaging.WebP}})
		got, err := pool(t).Ingest(context.Background(), tempFile(t, file), imaging.IngestRequest{Outputs: outputs})
		if err != nil || got.Width != w || got.Height != h || got.Orientation != o {
			t.Fatalf("orientation %d: %+v, %v", o, got.Info, err)
		}
		whole, _ := render(t, file, imaging.Output{Format: imaging.JPEG})
		for i, b := range append(contents(t, outputs), whole...) {
			if d := distance(decode(t, b), quadrants); d > 6 {
				t.Errorf("orientation %d, output %d: distance %.1f", o, i, d)
			}
			if bytes.Contains(b, []byte("SECRET")) || bytes.Contains(b, []byte("Exif")) || bytes.Contains(b, []byte("EXIF")) {
				t.Errorf("orientation %d, output %d carries metadata", o, i)
			}
		}
		if d := placeholderDistance(t, got.ThumbHash, quadrants); d > 45 {
			t.Errorf("orientation %d: placeholder at distance %.1f", o, d)
		}
	}
}

// placeholderDistance compares coarsely: a ThumbHash is a blur.
func placeholderDistance(t *testing.T, hash []byte, at func(u, v float64) color.NRGBA) float64 {
	t.Helper()
	m, err := thumbhash.DecodeImage(hash)
	if err != nil {
		t.Fatal(err)
	}
	return distance(m, at)
}

func TestTransparency(t *testing.T) {
	t.Parallel()
	// Green where it is opaque; the transparent half hides red, which must not bleed.
	half := func(u, _ float64) color.NRGBA {
		if u < .5 {
			return color.NRGBA{0, 200, 0, 255}
		}
		return color.NRGBA{255, 0, 0, 0}
	}
	onWhite := func(u, v float64) color.NRGBA {
		if c := half(u, v); c.A > 0 {
			return c
		}
		return color.NRGBA{255, 255, 255, 255}
	}
	file := encode(t, imaging.PNG, paint(400, 200, half))
	got, err := ingest(t, file)
	if err != nil || !got.HasAlpha {
		t.Fatalf("%+v, %v", got.Info, err)
	}
	if d := placeholderDistance(t, got.ThumbHash, half); d > 25 {
		t.Errorf("placeholder at distance %.1f", d)
	}
	files, _ := render(t, file, imaging.Output{Shape: imaging.Shape{Width: 100}, Format: imaging.PNG}, imaging.Output{Shape: imaging.Shape{Width: 100}, Format: imaging.WebP},
		imaging.Output{Shape: imaging.Shape{Width: 100}, Format: imaging.JPEG})
	for i, want := range []func(u, v float64) color.NRGBA{half, half, onWhite} {
		m := decode(t, files[i])
		if d := distance(m, want); d > 4 {
			t.Errorf("output %d: distance %.1f", i, d)
		}
		if c := color.NRGBAModel.Convert(m.At(49, 25)).(color.NRGBA); i < 2 && c.R > 40 {
			t.Errorf("output %d: the hidden colour bleeds: %v", i, c)
		}
	}
}

func TestColourIsConverted(t *testing.T) {
	t.Parallel()
	// Both were made from the same sRGB picture; CMYK cannot hold all of it.
	want := func(u, v float64) color.NRGBA {
		return []color.NRGBA{{200, 60, 50, 255}, {60, 180, 70, 255}, {60, 80, 190, 255}, {220, 210, 200, 255}}[int(u*2)+2*int(v*2)]
	}
	for name, limit := range map[string]float64{"p3.jpg": 5, "cmyk.jpg": 25} {
		files, _ := render(t, fixture(t, name), imaging.Output{Format: imaging.PNG})
		if d := distance(decode(t, files[0]), want); d > limit {
			t.Errorf("%s: distance %.1f", name, d)
		}
	}
	if got, err := ingest(t, fixture(t, "p3.jpg")); err != nil || !got.HasProfile {
		t.Errorf("%+v, %v", got.Info, err)
	}
}

func TestGreyAndSixteenBits(t *testing.T) {
	t.Parallel()
	ramp := func(u, _ float64) color.NRGBA {
		return color.NRGBA{uint8(255 * u), uint8(255 * u), uint8(255 * u), 255}
	}
	grey, deep := image.NewGray(image.Rect(0, 0, 300, 200)), image.NewNRGBA64(image.Rect(0, 0, 300, 200))
	for y := range 200 {
		for x := range 300 {
			v := (float64(x) + .5) / 300
			grey.SetGray(x, y, color.Gray{uint8(255 * v)})
			deep.SetNRGBA64(x, y, color.NRGBA64{uint16(65535 * v), uint16(65535 * v), uint16(65535 * v), 65535})
		}
	}
	for name, m := range map[string]image.Image{"grey": grey, "16 bits": deep} {
		files, _ := render(t, encode(t, imaging.PNG, m), imaging.Output{Shape: imaging.Shape{Width: 150}, Format: imaging.PNG},
			imaging.Output{Shape: imaging.Shape{Width: 100}, Format: imaging.WebP}, imaging.Output{Shape: imaging.Shape{Width: 100}, Format: imaging.JPEG})
		for i, b := range files {
			if d := distance(decode(t, b), ramp); d > 3 {
				t.Errorf("%s, output %d: distance %.1f", name, i, d)
			}
		}
	}
}

func TestAnimationsAreReadWholeAndShownByTheirFirstFrame(t *testing.T) {
	t.Parallel()
	got, err := ingest(t, fixture(t, "animated.webp"), imaging.Output{Shape: imaging.Shape{Width: 20}, Format: imaging.PNG})
	if err != nil || got.Frames != 5 || got.Width != 40 || got.Height != 30 || got.Outputs[0].Height != 15 {
		t.Fatalf("%+v, %v", got, err)
	}
	files, _ := render(t, fixture(t, "animated.webp"), imaging.Output{Shape: imaging.Shape{Width: 20}, Format: imaging.PNG})
	first := func(u, _ float64) color.NRGBA {
		return color.NRGBA{uint8(220 + 20*u), uint8(30 + 20*u), uint8(30 + 20*u), 255}
	}
	if d := distance(decode(t, files[0]), first); d > 6 {
		t.Errorf("distance %.1f", d)
	}
	if got, err := ingest(t, animation(t, 12, 50, 40)); err != nil || got.Frames != 12 || got.Height != 40 {
		t.Errorf("gif: %+v, %v", got.Info, err)
	}
}

func TestAwkwardShapes(t *testing.T) {
	t.Parallel()
	for _, size := range [][2]int{{1, 1}, {3, 1}, {2000, 1}, {1, 2000}, {33, 20000}} {
		file := encode(t, imaging.PNG, paint(size[0], size[1], gradient))
		got, err := ingest(t, file, imaging.Output{Shape: imaging.Shape{Width: 32}, Format: imaging.WebP}, imaging.Output{Shape: imaging.Shape{Width: 1}, Format: imaging.PNG})
		if err != nil || len(got.ThumbHash) < 5 {
			t.Errorf("%v: %+v, %v", size, got, err)
		}
		files, rendered := render(t, file, imaging.Output{Format: imaging.WebP})
		if b := decode(t, files[0]).Bounds(); max(b.Dx(), b.Dy()) > 16383 || b.Dx() != rendered[0].Width || b.Dy() != rendered[0].Height {
			t.Errorf("%v: %v, %+v", size, b, rendered)
		}
	}
}

func TestRequestsShareAnOpenFile(t *testing.T) {
	t.Parallel()
	src := tempFile(t, encode(t, imaging.JPEG, paint(800, 600, gradient)))
	if err := os.Remove(src.Name()); err != nil {
		t.Fatal(err)
	}
	offset, _ := src.Seek(0, 1)
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			info, err := pool(t).Probe(context.Background(), src, imaging.Limits{})
			if err == nil && info.Width != 800 {
				err = fmt.Errorf("%+v", info)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if after, _ := src.Seek(0, 1); after != offset {
		t.Errorf("the offset moved from %d to %d", offset, after)
	}
}

func TestFormatNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]imaging.Format{"jpg": imaging.JPEG, "JPEG": imaging.JPEG, "png": imaging.PNG, "gif": imaging.GIF, "webp": imaging.WebP, "svg": ""} {
		if got, ok := imaging.ParseFormat(name); got != want || ok != (want != "") {
			t.Errorf("ParseFormat(%q) = %q", name, got)
		}
	}
	if f, ok := imaging.ParseMediaType("Image/JPEG"); !ok || f.Extension() != "jpg" || f.MediaType() != "image/jpeg" || !f.CanMake() || !imaging.GIF.CanMake() || imaging.HEIC.CanMake() {
		t.Errorf("%q", f)
	}
}

func TestLargePhotographShrinksOnLoad(t *testing.T) {
	t.Parallel()
	file := encode(t, imaging.JPEG, paint(1203, 899, gradient))
	files, _ := render(t, file, imaging.Output{Shape: imaging.Shape{Width: 300}, Format: imaging.PNG}, imaging.Output{Shape: imaging.Shape{Width: 200}, Format: imaging.PNG},
		imaging.Output{Shape: imaging.Shape{Width: 150}, Format: imaging.PNG})
	worst := 0.0
	for _, b := range files {
		worst = math.Max(worst, distance(decode(t, b), gradient))
	}
	if worst > 2 {
		t.Errorf("distance %.1f", worst)
	}
	if slices.ContainsFunc(files, func(b []byte) bool { return len(b) == 0 }) {
		t.Error("an output is empty")
	}
}
