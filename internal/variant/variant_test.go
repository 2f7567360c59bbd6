package variant_test

import (
	"testing"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	still := variant.Source{Format: imaging.JPEG, Width: 1000, Height: 500, Frames: 1}
	tall := variant.Source{Format: imaging.PNG, Width: 500, Height: 1000, Frames: 1, Transparent: true}
	moving := variant.Source{Format: imaging.GIF, Width: 1000, Height: 500, Frames: 5}
	for _, tc := range []struct {
		src      variant.Source
		format   imaging.Format
		query    string
		name     string
		original bool
	}{
		{still, imaging.JPEG, "", "full.jpg", true},
		{still, imaging.JPEG, "w=320", "w320.jpg", false},
		{still, imaging.JPEG, "w=1000", "full.jpg", true},
		{still, imaging.JPEG, "w=3840&dpr=3", "full.jpg", true},
		{still, imaging.JPEG, "page=1", "full.jpg", true},
		{still, imaging.JPEG, "w=1600&h=1600", "full.jpg", true},
		{still, imaging.JPEG, "background=ff0000", "full.jpg", true},
		{still, imaging.WebP, "", "full.webp", false},
		{still, imaging.WebP, "w=3840", "full.webp", false},
		{still, imaging.WebP, "w=160&dpr=2", "w320.webp", false},
		{still, imaging.WebP, "h=160", "w320.webp", false},
		{still, imaging.WebP, "w=320&h=900", "w320.webp", false},
		{still, imaging.WebP, "w=320&q=80", "w320.webp", false},
		{still, imaging.WebP, "w=320&background=ff0000", "w320.webp", false},
		{still, imaging.PNG, "w=320", "w320.png", false},
		{tall, imaging.PNG, "h=320", "w160.png", false},
		{moving, imaging.GIF, "", "full.gif", true},
		{moving, imaging.GIF, "w=320", "w320.gif", false},
		{moving, imaging.WebP, "w=320", "w320.webp", false},
	} {
		p, err := parse(t, tc.query)
		if err != nil {
			t.Fatal(err)
		}
		shape, err := p.Shape(tc.src, tc.format)
		if err != nil {
			t.Fatal(err)
		}
		normal, original := shape.Normalize(tc.src)
		if got := normal.Name()[len("r2-"):]; got != tc.name || original != tc.original {
			t.Errorf("%s of a %s with %q: %s, %t; want %s, %t", tc.format, tc.src.Format, tc.query, got, original, tc.name, tc.original)
		}
	}
}

// What comes out differently has another name.
func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	src := variant.Source{Format: imaging.PNG, Width: 1000, Height: 500, Frames: 9, Transparent: true}
	names := map[string]string{}
	for _, query := range []string{
		"", "w=320", "w=321", "w=320&q=79", "w=320&page=1", "w=320&page=2", "w=320&rotate=90", "w=320&rotate=180", "w=320&flip=both", "w=320&flip=vertical",
		"w=320&blur=1", "w=320&blur=1.5", "w=320&background=000000", "w=320&background=ffffff", "w=320&crop=0,0,9,9", "w=320&crop=0,0,9,8", "w=320&h=320&fit=cover",
		"w=320&h=320&fit=cover&position=top", "w=320&h=320&fit=cover&position=attention", "w=320&h=320&fit=contain", "w=320&h=320&fit=fill",
		"w=2000&enlarge=true", "w=2001&enlarge=true",
	} {
		p, err := parse(t, query)
		if err != nil {
			t.Fatal(err)
		}
		shape, err := p.Shape(src, imaging.WebP)
		if err != nil {
			t.Fatal(err)
		}
		normal, _ := shape.Normalize(src)
		if other, taken := names[normal.Name()]; taken {
			t.Errorf("%q and %q are both %s", query, other, normal.Name())
		}
		names[normal.Name()] = query
		if again, _ := normal.Normalize(src); again != normal {
			t.Errorf("%q: %+v is not normal", query, normal)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	a, b := variant.Source{Ref: [32]byte{1}}, variant.Source{Ref: [32]byte{2}}
	if a.Version() == b.Version() || len(a.Version()) != 10 || a.Version() != (variant.Source{Ref: [32]byte{1}, Width: 5}).Version() {
		t.Errorf("%s %s", a.Version(), b.Version())
	}
}
