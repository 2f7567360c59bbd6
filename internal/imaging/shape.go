package imaging

import (
	"fmt"
	"math"
)

// Fit says how a picture comes into a box of which both sides are given.
type Fit string

// The fits. With one side given, or none, they are all Inside.
const (
	FitInside  Fit = "inside"  // as large as goes in, the proportions kept; also what "" means
	FitCover   Fit = "cover"   // fills the box, the proportions kept; what sticks out is cut off
	FitContain Fit = "contain" // goes in whole, and the rest of the box is background
	FitFill    Fit = "fill"    // stretched to the box
)

// Position says which part stays of what FitCover cuts, and where FitContain puts the picture.
type Position string

// The positions; "" means the centre.
const (
	Center      Position = "center"
	Top         Position = "top"
	TopRight    Position = "top_right"
	Right       Position = "right"
	BottomRight Position = "bottom_right"
	Bottom      Position = "bottom"
	BottomLeft  Position = "bottom_left"
	Left        Position = "left"
	TopLeft     Position = "top_left"
	Attention   Position = "attention" // what draws the eye (libvips' smartcrop); for FitCover alone
	Entropy     Position = "entropy"   // where most is going on; for FitCover alone
)

// Flip mirrors a picture.
type Flip string

// The flips; "" means none.
const (
	FlipHorizontal Flip = "horizontal" // left becomes right
	FlipVertical   Flip = "vertical"   // top becomes bottom
	FlipBoth       Flip = "both"
)

// Rect is a part of a picture in its own pixels, as displayed. The zero value is the whole picture.
type Rect struct {
	X, Y, Width, Height int
}

// Color is an opaque sRGB colour. The zero value is none at all; black is {Set: true}.
type Color struct {
	R, G, B uint8
	Set     bool
}

func (c Color) String() string {
	if !c.Set {
		return ""
	}
	return fmt.Sprintf("%02x%02x%02x", c.R, c.G, c.B)
}

// Shape is everything that can be done to a picture on its way into an Output. The zero value leaves it as it is. The
// steps are taken in the order of the fields.
type Shape struct {
	// Page is the frame to take of what moves, from 1. 0 takes all of them where the output's format can move (and the
	// source does), and else the first.
	Page int
	// Crop cuts a part out, before anything else is done to it.
	Crop Rect
	// Rotate turns clockwise by 0, 90, 180 or 270 degrees; then Flip mirrors.
	Rotate int
	Flip   Flip
	// Width and Height are the box in pixels; 0 leaves a side to the proportions.
	Width, Height int
	Fit           Fit
	Position      Position
	// Enlarge allows the result to have more pixels than the source. Without it a box is first made smaller, keeping its
	// proportions (with FitFill: side by side), until the picture need not grow; the canvas of FitContain stays what it is.
	Enlarge bool
	// Blur is the standard deviation of a Gaussian blur, in pixels of the result; 0 is none.
	Blur float64
	// Background is laid under what is transparent, and fills what FitContain leaves free. Unset it is white where the
	// output's format has no transparency, and transparent where it has.
	Background Color
}

// Size is what becomes of a picture of the given size, in pixels as displayed, when the shape is made in a format: no side
// is longer than the format can hold, and none is 0. A crop that lies outside is the same as none.
func (s Shape) Size(width, height int, f Format) (w, h int) {
	_, made := s.frame(extent{width, height}, f)
	return made.canvas.width, made.canvas.height
}

// frame is what a crop and a rotation leave of a picture, and how that gets into its box in a format.
func (s Shape) frame(picture extent, f Format) (extent, framing) {
	size := s.cut(picture)
	if s.Rotate == 90 || s.Rotate == 270 {
		size = extent{size.height, size.width}
	}
	t, _ := f.traits()
	return size, s.boxed(size).within(t.maxSide)
}

// cut is the size of what a crop leaves.
func (s Shape) cut(picture extent) extent {
	r := s.Crop
	if r.Width <= 0 || r.Height <= 0 || r.X < 0 || r.Y < 0 || r.X >= picture.width || r.Y >= picture.height {
		return picture
	}
	return extent{min(r.Width, picture.width-r.X), min(r.Height, picture.height-r.Y)}
}

// framing is how a picture, cut and turned, gets into its box: it is scaled to one size and then cut to, or laid on,
// another.
type framing struct{ scaled, canvas extent }

// boxed finds the framing for a picture of the given size.
func (s Shape) boxed(picture extent) framing {
	w, h := float64(picture.width), float64(picture.height)
	x, y := float64(s.Width)/w, float64(s.Height)/h // how much each side grows
	switch {
	case s.Width <= 0 && s.Height <= 0:
		return framing{picture, picture}
	case s.Width <= 0:
		x = y
	case s.Height <= 0:
		y = x
	}
	most := 1.0
	if s.Enlarge {
		most = math.Inf(1)
	}
	box := extent{s.Width, s.Height}
	switch {
	case s.Width <= 0 || s.Height <= 0 || s.Fit == FitInside || s.Fit == "":
		scaled := picture.times(min(x, y, most))
		return framing{scaled, scaled}
	case s.Fit == FitFill:
		scaled := extent{rounded(w * min(x, most)), rounded(h * min(y, most))}
		return framing{scaled, scaled}
	case s.Fit == FitContain:
		return framing{picture.times(min(x, y, most)), box}
	}
	if grow := max(x, y); grow > most {
		return framing{picture, box.times(1 / grow)}
	}
	return framing{picture.times(max(x, y)), box}
}
