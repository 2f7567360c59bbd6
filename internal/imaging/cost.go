package imaging

import (
	"io"
	"math"
	"time"
)

// What a request costs is guessed before it waits, from its picture's header and from what is to be made of it. A wrong
// guess makes the queue less fair and nothing worse: time and memory of each decoder are limited whatever was guessed.
//
// The figures were measured with libvips 8.14 on photographs of 12 and 24 MP: memory as the decoder's peak (VmHWM) above
// what it has when it is idle, times on a machine that decodes a JPEG of 12 MP in 75 ms. On another one all of them are
// wrong by the same factor.

// decoding is what it takes to decode one pixel of a format.
type decoding struct {
	base   float64 // nanoseconds whatever the decoder's own shrinking
	scaled float64 // nanoseconds that are divided by its factor
	memory float64 // bytes for each pixel that has to be in memory at once
}

// decoding chooses the row. Of what is decoded from the top down a few rows are in memory, of the rest the whole picture.
func (o outline) decoding() decoding {
	switch o.format {
	case JPEG:
		if o.whole {
			return decoding{12, 3, o.samples * float64(o.depth)}
		}
		return decoding{2.2, 4.1, 0}
	case PNG:
		d := decoding{16 * float64(o.depth), 0, 0}
		if o.whole {
			d.memory = o.samples * float64(o.depth)
		}
		return d
	case WebP:
		if o.frames > 1 {
			return decoding{30, 0, 40}
		}
		return decoding{11, 9, 9}
	case GIF:
		return decoding{13, 0, 12}
	case AVIF:
		return decoding{30, 0, 12}
	case HEIC:
		return decoding{60, 0, 12}
	case TIFF:
		d := decoding{10, 0, 0}
		if o.whole {
			d.memory = o.samples * 2
		}
		return d
	}
	return decoding{}
}

// encoding is what it takes to make a picture in a format.
type encoding struct {
	fixed  time.Duration
	pixel  float64 // nanoseconds for each pixel
	memory float64 // bytes for each pixel
}

// encodingOf chooses the row; what efforts above a format's default cost is known of AVIF alone, where it matters.
func encodingOf(f Format, effort int) encoding {
	switch f {
	case JPEG:
		return encoding{0, 20, 4}
	case PNG:
		return encoding{0, 200, 1}
	case WebP:
		return encoding{0, 60, 6}
	case GIF:
		return encoding{10 * time.Millisecond, 300, 24}
	case AVIF:
		pixel := [...]float64{200, 200, 650, 2900, 4000, 8000, 25_000}
		return encoding{7 * time.Millisecond, pixel[min(max(effort, 0), len(pixel)-1)], 30}
	}
	return encoding{0, 120, 8}
}

const (
	requestCost   = time.Millisecond // of every request, were there nothing to decode
	requestMemory = 8 << 20          // of every picture: rows, tables, code that is touched

	// Of a picture whose header cannot be read, or which says that it is larger than is allowed. Most of them are refused
	// in no time; but who gets a header past the server that the decoder reads otherwise shall not count as nothing.
	unknownCost   = 50 * time.Millisecond
	unknownMemory = 64 << 20
)

// ask is the part of a request that its cost depends on.
type ask struct {
	operation operation
	limits    Limits
	picture   extent // RenderRequest's Width and Height
	outputs   []Output
}

// estimate reads what it needs of the source and guesses what the request costs.
func (a ask) estimate(src io.ReaderAt, size int64) (time.Duration, int64) {
	return a.estimateOf(readOutline(src, size), size)
}

func (a ask) estimateOf(o outline, size int64) (time.Duration, int64) {
	if a.operation == opSelfTest {
		return requestCost, 0
	}
	if o.format == "" {
		return requestCost, requestMemory
	}
	if a.operation == opProbe {
		return requestCost + time.Duration(size), requestMemory // a GIF is walked, a gigabyte in a second
	}
	allowed := a.limits.MaxPixels
	if allowed == 0 {
		allowed = DefaultMaxPixels
	}
	if !o.known() || o.pixels() > allowed {
		return unknownCost, unknownMemory
	}
	return a.costOf(o)
}

// costOf is for a picture whose size is known. Whether an animation moves in an output is guessed too.
func (a ask) costOf(o outline) (time.Duration, int64) {
	source := extent{o.width, o.height}
	shown := a.picture
	if shown.width <= 0 || shown.height <= 0 {
		shown = source
	}
	frames := 1.0
	nanoseconds, encoder, largest, scale := 0.0, 0.0, 0.0, 0.0
	for _, out := range a.outputs {
		if a.operation == opIngest && !out.When.mayHold(o, out.Shape) {
			continue
		}
		cut, made := out.frame(shown, out.Format)
		scale = max(scale, ratio(made.scaled, cut)*ratio(shown, source))
		pixels := float64(made.canvas.pixels())
		if t, _ := out.Format.traits(); t.animated && out.Page == 0 && a.operation == opRender && o.frames > 1 {
			frames = float64(o.frames)
			pixels *= frames
		}
		e := encodingOf(out.Format, out.Effort)
		nanoseconds += float64(e.fixed) + pixels*e.pixel
		encoder, largest = max(encoder, pixels*e.memory), max(largest, pixels)
	}
	shrink := 1.0
	if t, _ := o.format.traits(); t.shrinks && o.frames <= 1 {
		for shrink < 8 && scale*shrink*2 <= 1 {
			shrink *= 2
		}
	}
	if a.operation == opIngest {
		frames = float64(max(1, o.frames)) // all are decoded, to see that they can be
	}
	d, pixels := o.decoding(), float64(o.pixels())
	nanoseconds += pixels * frames * (d.base + d.scaled/shrink)
	held := pixels * d.memory
	if o.format == WebP && !o.whole {
		held /= shrink * shrink // its decoder keeps only what it made smaller
	}
	memory := requestMemory + held + 3*largest + encoder
	return requestCost + bounded[time.Duration](nanoseconds), bounded[int64](memory)
}

// bounded makes an integer of a number that may be too large for one.
func bounded[T ~int64](f float64) T { return T(min(max(f, 0), math.MaxInt64/4)) }

// ratio is how much longer the longer of two ratios between the sides is.
func ratio(a, b extent) float64 {
	return max(float64(a.width)/float64(b.width), float64(a.height)/float64(b.height))
}

// mayHold tells whether an ingested picture may come to have the output, as far as its outline says.
func (c Condition) mayHold(o outline, s Shape) bool {
	longer := max(o.width, o.height)
	switch {
	case c.Animated && o.frames <= 1, c.Still && o.frames > 1 && o.format == WebP:
		return false
	case longer <= c.LongerThan, c.Transparent && o.format == JPEG:
		return false
	}
	w, h := s.Size(o.width, o.height, o.format)
	return extent{w, h}.pixels() < o.pixels()
}
