package imaging

import (
	"image"
	"math"

	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// extent is a width and a height in pixels.
type extent struct{ width, height int }

// times scales both sides.
func (s extent) times(scale float64) extent {
	return extent{rounded(float64(s.width) * scale), rounded(float64(s.height) * scale)}
}

// within returns s scaled down until no side is longer than maxSide; 0 is no limit.
func (s extent) within(maxSide int) extent {
	if longest := max(s.width, s.height); maxSide > 0 && longest > maxSide {
		return s.times(float64(maxSide) / float64(longest))
	}
	return s
}

func rounded(side float64) int { return max(1, int(math.Round(side))) }

// turned swaps the sides of what an orientation lays on its side.
func (s extent) turned(orientation int) extent {
	if orientation >= 5 {
		return extent{s.height, s.width}
	}
	return s
}

// holds tells whether neither side is shorter than the other one's.
func (s extent) holds(other extent) bool { return s.width >= other.width && s.height >= other.height }

func (s extent) pixels() int64 { return int64(s.width) * int64(s.height) }

func (s extent) bounds() image.Rectangle { return image.Rect(0, 0, s.width, s.height) }

func (s extent) native() vips.Size { return vips.Size{Width: s.width, Height: s.height} }

// stored is the picture's size before its orientation is applied.
func (info Info) stored() extent { return extent{info.Width, info.Height}.turned(info.Orientation) }

// within is the framing for a format whose longest side is limited.
func (f framing) within(maxSide int) framing {
	canvas := f.canvas.within(maxSide)
	if canvas == f.canvas {
		return f
	}
	if f.scaled == f.canvas {
		return framing{canvas, canvas}
	}
	scaled := f.scaled.times(float64(maxSide) / float64(max(f.canvas.width, f.canvas.height)))
	if f.scaled.holds(f.canvas) { // it is cut: rounding must not leave it too small
		scaled = extent{max(scaled.width, canvas.width), max(scaled.height, canvas.height)}
	} else {
		scaled = extent{min(scaled.width, canvas.width), min(scaled.height, canvas.height)}
	}
	return framing{scaled, canvas}
}

// cutIn is what a shape cuts out of a picture, in the pixels of a copy of it that may be smaller; both as displayed.
func (s Shape) cutIn(picture, source extent) image.Rectangle {
	size := s.cut(picture)
	if size == picture {
		return source.bounds()
	}
	x, y := float64(source.width)/float64(picture.width), float64(source.height)/float64(picture.height)
	at := func(v int, scale float64) int { return int(math.Round(float64(v) * scale)) }
	cut := image.Rect(at(s.Crop.X, x), at(s.Crop.Y, y), at(s.Crop.X+size.width, x), at(s.Crop.Y+size.height, y))
	return atLeastOne(cut, source)
}

// shrunk is a part of a picture in the pixels of one that is smaller by a factor.
func shrunk(cut image.Rectangle, whole extent, factor int) vips.Rect {
	at := func(v int) int { return (v + factor/2) / factor }
	// Decoders round the smaller picture's size up or down: what lies beyond the lower is not touched.
	small := extent{max(1, whole.width/factor), max(1, whole.height/factor)}
	r := atLeastOne(image.Rect(at(cut.Min.X), at(cut.Min.Y), at(cut.Max.X), at(cut.Max.Y)), small)
	return vips.Rect{Left: r.Min.X, Top: r.Min.Y, Width: r.Dx(), Height: r.Dy()}
}

// atLeastOne moves a rectangle into a picture, and makes it at least one pixel wide and high.
func atLeastOne(r image.Rectangle, picture extent) image.Rectangle {
	r.Min.X, r.Min.Y = min(r.Min.X, picture.width-1), min(r.Min.Y, picture.height-1)
	r.Max.X, r.Max.Y = min(r.Max.X, picture.width), min(r.Max.Y, picture.height)
	r.Max.X, r.Max.Y = max(r.Max.X, r.Min.X+1), max(r.Max.Y, r.Min.Y+1)
	return r
}

// pose is how an orientation turns a picture: clockwise by degrees, and then mirrored from left to right or not.
type pose struct {
	degrees  int
	mirrored bool
}

// poses are those of the EXIF orientations, the first of which is 1.
func poses() [8]pose {
	return [8]pose{{0, false}, {0, true}, {180, false}, {180, true}, {90, true}, {90, false}, {270, true}, {270, false}}
}

// turn is the orientation that comes to the same as the one given, followed by a rotation and a flip.
func turn(orientation, degrees int, flip Flip) int {
	p := poses()[orientation-1]
	rotate := func(by int) {
		if p.mirrored { // what is seen in a mirror turns the other way
			by = 360 - by
		}
		p.degrees = (p.degrees + by) % 360
	}
	rotate(degrees)
	switch flip {
	case FlipHorizontal:
		p.mirrored = !p.mirrored
	case FlipVertical:
		rotate(180)
		p.mirrored = !p.mirrored
	case FlipBoth:
		rotate(180)
	}
	for i, other := range poses() {
		if p == other {
			return i + 1
		}
	}
	return orientation // not reached with a multiple of 90
}

// stored is where a part of a picture as displayed lies in the picture as stored, whose size is given.
func stored(r image.Rectangle, whole extent, orientation int) image.Rectangle {
	p := poses()[orientation-1]
	if p.mirrored {
		width := whole.turned(orientation).width
		r.Min.X, r.Max.X = width-r.Max.X, width-r.Min.X
	}
	switch p.degrees {
	case 90:
		return image.Rect(r.Min.Y, whole.height-r.Max.X, r.Max.Y, whole.height-r.Min.X)
	case 180:
		return image.Rect(whole.width-r.Max.X, whole.height-r.Max.Y, whole.width-r.Min.X, whole.height-r.Min.Y)
	case 270:
		return image.Rect(whole.width-r.Max.Y, r.Min.X, whole.width-r.Min.Y, r.Max.X)
	}
	return r
}
