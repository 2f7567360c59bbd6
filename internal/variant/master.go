package variant

import (
	"context"
	"math"
	"os"

	"github.com/kadr-app/kadr/internal/imaging"
)

// A master is a smaller copy of a picture, at a quality where a second generation cannot be told, from which the smaller
// variants are made at a fraction of the cost. It is a variant like others, but for its name.

// masterName is the name of a master's file.
func masterName(f imaging.Format) string { return generation + "-master." + f.Extension() }

// MasterOutputs returns what an upload's own decode has to make for the picture to have its master, with no files yet:
// whichever is made is to be handed to Keep. It is empty when there are no masters.
func (m *Maker) MasterOutputs() []imaging.Output {
	if m.cfg.MasterSide == 0 {
		return nil
	}
	return imaging.MasterOutputs(m.cfg.MasterSide)
}

// masterOf returns the shape and key of the picture's master; false when it has none.
func (m *Maker) masterOf(src Source) (Shape, key, bool) {
	for _, out := range m.MasterOutputs() {
		if !meets(src, out.When) {
			continue
		}
		shape := Shape{Shape: out.Shape, Format: out.Format, Quality: out.Quality}
		// The width says the same as the box, and more plainly.
		width, _ := shape.Size(src.Width, src.Height, shape.Format)
		shape.Shape = imaging.Shape{Width: width}
		return shape, key{src.Ref, masterName(out.Format)}, true
	}
	return Shape{}, key{}, false
}

// meets tells whether a condition holds for a picture.
func meets(src Source, c imaging.Condition) bool {
	switch {
	case c.Still && src.Frames > 1, c.Animated && src.Frames <= 1:
		return false
	case c.Opaque && src.Transparent, c.Transparent && !src.Transparent:
		return false
	}
	return max(src.Width, src.Height) > c.LongerThan
}

// fromMaster tells whether a shape can be made from the picture's master as well as from the picture: the master need not
// be enlarged for it.
func fromMaster(src Source, shape, master Shape) bool {
	if shape.Page > 0 || shape.Crop != (imaging.Rect{}) {
		return false
	}
	has, hasHeight := master.Size(src.Width, src.Height, master.Format)
	width, height := src.Width, src.Height
	if shape.Rotate == 90 || shape.Rotate == 270 {
		width, height, has, hasHeight = height, width, hasHeight, has
	}
	x, y := float64(shape.Width)/float64(width), float64(shape.Height)/float64(height)
	switch {
	case shape.Width <= 0 && shape.Height <= 0:
		return false // as large as it is
	case shape.Width <= 0:
		x = y
	case shape.Height <= 0:
		y = x
	case shape.Fit == imaging.FitFill:
	case shape.Fit == imaging.FitCover:
		x = max(x, y)
		y = x
	default:
		x = min(x, y)
		y = x
	}
	return math.Round(x*float64(width)) <= float64(has) && math.Round(y*float64(height)) <= float64(hasHeight)
}

// openMaster opens a master's file; nil when there is none.
func (m *Maker) openMaster(ctx context.Context, k key) *os.File {
	f, err := m.blobs.OpenVariant(ctx, k.ref, k.name)
	if err != nil {
		return nil
	}
	m.use(k)
	return f
}
