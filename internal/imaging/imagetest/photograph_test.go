package imagetest_test

import (
	"bytes"
	"image/jpeg"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

func TestPhotograph(t *testing.T) {
	t.Parallel()
	one := imagetest.Photograph(1, 320, 200)
	m, err := jpeg.Decode(bytes.NewReader(one))
	if err != nil || m.Bounds().Dx() != 320 || m.Bounds().Dy() != 200 {
		t.Fatalf("%v %v", m.Bounds(), err)
	}
	if !bytes.Equal(one, imagetest.Photograph(1, 320, 200)) {
		t.Error("one number gives two pictures")
	}
	other, err := jpeg.Decode(bytes.NewReader(imagetest.Photograph(2, 320, 200)))
	if err != nil {
		t.Fatal(err)
	}
	if d := imagetest.DSSIM(m, other); d < 0.05 {
		t.Errorf("two numbers give pictures that differ by %g alone", d)
	}
}
