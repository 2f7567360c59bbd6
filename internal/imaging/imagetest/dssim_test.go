package imagetest_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

func picture(w, h int, alpha uint8) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := uint8(128 + 100*math.Sin(float64(x*x+y*y)/700))
			m.SetNRGBA(x, y, color.NRGBA{v, uint8(x), uint8(y), alpha})
		}
	}
	return m
}

func TestDSSIM(t *testing.T) {
	t.Parallel()
	m := picture(200, 150, 255)
	if d := imagetest.DSSIM(m, m); d != 0 {
		t.Errorf("the same: %v", d)
	}
	before := 0.0
	for _, quality := range []int{95, 80, 50, 20, 5} {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
			t.Fatal(err)
		}
		other, err := jpeg.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		d := imagetest.DSSIM(m, other)
		if back := imagetest.DSSIM(other, m); d <= before || math.Abs(d-back) > 1e-12 {
			t.Errorf("quality %d: %v after %v, and back %v", quality, d, before, back)
		}
		before = d
	}
	if d := imagetest.DSSIM(m, picture(200, 150, 250)); d < 1e-4 {
		t.Errorf("other alpha: %v", d)
	}
	if d := imagetest.DSSIM(m, picture(200, 151, 255)); !math.IsInf(d, 1) {
		t.Errorf("other size: %v", d)
	}
	if d := imagetest.DSSIM(picture(3, 1, 255), picture(3, 1, 255)); d != 0 {
		t.Errorf("tiny: %v", d)
	}
}
