package imaging

import (
	"image"
	"testing"
)

// Turning is checked against the pixels it moves: what turn says in one orientation is what both say one after the other.
func TestTurnsCompose(t *testing.T) {
	t.Parallel()
	whole := extent{4, 3}
	// put is where a point of a picture of the given size goes.
	put := func(p image.Point, size extent, orientation int) image.Point {
		turned := size.turned(orientation)
		for y := range turned.height {
			for x := range turned.width {
				if stored(image.Rect(x, y, x+1, y+1), size, orientation).Min == p {
					return image.Pt(x, y)
				}
			}
		}
		t.Fatalf("orientation %d loses %v of %v", orientation, p, size)
		return p
	}
	for orientation := 1; orientation <= 8; orientation++ {
		for degrees, rotated := range map[int]int{0: 1, 90: 6, 180: 3, 270: 8} {
			for flip, flipped := range map[Flip]int{"": 1, FlipHorizontal: 2, FlipVertical: 4, FlipBoth: 3} {
				got := turn(orientation, degrees, flip)
				for y := range whole.height {
					for x := range whole.width {
						p := image.Pt(x, y)
						size := whole.turned(orientation)
						want := put(put(put(p, whole, orientation), size, rotated), size.turned(rotated), flipped)
						if at := put(p, whole, got); at != want {
							t.Errorf("%d, %d, %q: %d moves %v to %v, not to %v", orientation, degrees, flip, got, p, at, want)
						}
					}
				}
			}
		}
	}
}

func TestEveryOrientationIsKnownByItsCorner(t *testing.T) {
	t.Parallel()
	// The stored pixel at the left of the top, as displayed.
	corners := []image.Point{{0, 0}, {3, 0}, {3, 2}, {0, 2}, {0, 0}, {0, 2}, {3, 2}, {3, 0}}
	for i, want := range corners {
		if got := stored(image.Rect(0, 0, 1, 1), extent{4, 3}, i+1).Min; got != want {
			t.Errorf("orientation %d begins with %v, not %v", i+1, got, want)
		}
	}
}

func TestShrinkForCuts(t *testing.T) {
	t.Parallel()
	whole := extent{4000, 3000}
	for _, tc := range []struct {
		cut    image.Rectangle
		scaled extent
		want   int
	}{
		{whole.bounds(), extent{500, 375}, 8},
		{whole.bounds(), extent{501, 376}, 4},
		{whole.bounds(), extent{4000, 3000}, 1},
		{image.Rect(800, 800, 1600, 1600), extent{100, 100}, 8},
		{image.Rect(801, 800, 1600, 1600), extent{100, 100}, 2},
		{image.Rect(801, 800, 1600, 1600), extent{400, 400}, 1},
	} {
		r := recipe{material: material{cut: tc.cut, orientation: 1}, scaled: tc.scaled}
		if got := shrinkFor(whole, []recipe{r}); got != tc.want {
			t.Errorf("%v to %v: %d, want %d", tc.cut, tc.scaled, got, tc.want)
		}
	}
}
