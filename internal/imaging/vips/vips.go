// Package vips is the thin line between Go and libvips: four calls, one of which makes a whole set of pictures.
//
// It is a shim of our own and not govips because both measure alike (DESIGN §12) and this one is smaller to trust: one C
// call per picture, with no finalizer or garbage collection between Kadr and the memory of a picture, and with only the
// few operations reachable that Kadr allows. Go decides everything beforehand (see the plan in package imaging); the C
// side executes. What libvips says about a failure is for the log and never for a client.
//
// libvips keeps process-wide state, so the package is meant for a decoder process, which does one thing at a time from
// one OS thread. None of its functions may be called concurrently.
package vips

/*
#cgo pkg-config: vips glib-2.0 gobject-2.0
#cgo CFLAGS: -O2 -Wall
#include <stdlib.h>
#include "vips.h"
*/
import "C"

import (
	"errors"
	"runtime"
	"strings"
	"unsafe"
)

// The formats that the shim knows, as the C side numbers them. The zero value is none.
const (
	JPEG = C.KADR_JPEG
	PNG  = C.KADR_PNG
	GIF  = C.KADR_GIF
	WebP = C.KADR_WEBP
	AVIF = C.KADR_AVIF
	HEIC = C.KADR_HEIC
	TIFF = C.KADR_TIFF
	// Pixels makes no file, but Result.HashPixels.
	Pixels = C.KADR_PIXELS
)

// Seek is how the place of a cut is found.
type Seek int

// The ways to find it. With the zero value the place is given.
const (
	SeekNone      Seek = C.KADR_SEEK_NONE
	SeekAttention Seek = C.KADR_SEEK_ATTENTION
	SeekEntropy   Seek = C.KADR_SEEK_ENTROPY
)

const (
	// MaxOutputs is how many pictures one Job may make.
	MaxOutputs = C.KADR_MAX_OUTPUTS
	// HashSide is the longest side of the pixels for a placeholder.
	HashSide = C.KADR_HASH_SIDE
)

// Error is a failure in libvips' own words, which are for the log only.
type Error struct{ Text string }

func (e *Error) Error() string { return "libvips: " + e.Text }

// OutOfMemory tells whether the failure was an allocation that the memory limit refused.
func (e *Error) OutOfMemory() bool {
	text := strings.ToLower(e.Text)
	return strings.Contains(text, "out of memory") || strings.Contains(text, "insufficient memory") ||
		strings.Contains(text, "unable to allocate")
}

// Header is what a picture says of itself before any pixel is decoded.
type Header struct {
	Width, Height             int // of one frame, as stored
	Frames                    int
	Orientation               int // EXIF, 1 to 8, as libvips found it
	Alpha, Profile, Interlace bool
}

// Size is one of pixels.
type Size struct{ Width, Height int }

// Rect is a part of a picture. The zero value is all of it.
type Rect struct{ Left, Top, Width, Height int }

// Output is one picture to make. The steps are taken in the order of the fields.
type Output struct {
	From          int  // an earlier output: this one is made of its scaled picture; -1: of what was loaded
	Frame, Frames int  // which of those loaded, counted from 0; with From, the same as there
	Crop          Rect // in pixels as loaded
	Scaled        Size // before turning
	Orientation   int  // EXIF, 1 to 8: how to turn it
	Kept          bool // the scaled and turned picture has to be in memory: another output, Seek or Blur needs all of it
	Seek          Seek // finds Left and Top
	Left, Top     int  // where the canvas begins in the scaled picture; negative where it is larger
	Canvas        Size
	Blur          float64 // sigma
	Opaque        bool    // is laid on the background
	Background    [3]byte // RGB

	Format, Quality, Effort int
	Intermediate            bool // for being decoded again: quick, and with all the colour that there is
	FD                      int  // open for writing, at offset 0
}

// Job is a set of pictures to make from one decode.
type Job struct {
	Shrink       int // 1, 2, 4 or 8 by the JPEG or WebP decoder itself; 1 for other formats
	Page, Frames int // the first to decode, from 0, and how many
	Used         int // frames that outputs are made of; the others are decoded to see that they can be
	Outputs      []Output
	// Deliver is called for each output that was made in memory (a WebP), and has to write it. The data is gone after it.
	Deliver func(output Output, data []byte) error
}

// Result is what Run made besides the files.
type Result struct {
	HashPixels []byte // RGBA, 4 bytes a pixel, alpha not multiplied in
	Warnings   string // what libvips complained of and carried on, in its own words
}

// Start loads libvips into the process and blocks every loader and saver but those that Kadr uses.
func Start() error {
	name := C.CString("kadr")
	defer C.free(unsafe.Pointer(name))
	var text [512]C.char
	if C.kadr_start(name, &text[0]) != 0 {
		return newError(&text)
	}
	return nil
}

// Version returns the version of libvips that the shim was built with.
func Version() string { return C.GoString(C.kadr_version()) }

// ReadHeader reads a picture's header. Errors are *Error.
func ReadHeader(data []byte, format int) (Header, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	source, err := newSource(&pin, data, format)
	if err != nil {
		return Header{}, err
	}
	var header C.KadrHeader
	var text [512]C.char
	if C.kadr_header(&source, &header, &text[0]) != 0 {
		return Header{}, newError(&text)
	}
	return Header{
		Width: int(header.width), Height: int(header.height), Frames: int(header.frames), Orientation: int(header.orientation),
		Alpha: header.alpha != 0, Profile: header.profile != 0, Interlace: header.interlaced != 0,
	}, nil
}

// Run decodes data once and makes what the job asks for. Errors are *Error.
func Run(data []byte, format int, job Job) (Result, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	source, err := newSource(&pin, data, format)
	if err != nil {
		return Result{}, err
	}
	if !job.valid() {
		return Result{}, errors.New("vips: a job out of bounds")
	}
	c := C.KadrJob{
		source: source, shrink: C.int(job.Shrink), page: C.int(job.Page), frames: C.int(job.Frames), used: C.int(job.Used),
		n_outputs: C.int(len(job.Outputs)),
	}
	for i, o := range job.Outputs {
		c.outputs[i] = o.native()
	}
	failed := C.kadr_run(&c) != 0
	defer func() {
		for i := range job.Outputs {
			C.kadr_free(c.outputs[i].data)
		}
	}()
	if failed {
		return Result{}, newError(&c.error)
	}
	for i, o := range job.Outputs {
		if data := c.outputs[i].data; data != nil {
			if err := job.Deliver(o, unsafe.Slice((*byte)(data), int(c.outputs[i].length))); err != nil {
				return Result{}, err
			}
		}
	}
	result := Result{Warnings: C.GoString(&c.warning[0])}
	for _, o := range job.Outputs {
		if o.Format != Pixels {
			continue
		}
		bands := int(c.hash_bands)
		if bands < 1 || bands > 4 {
			return Result{}, errors.New("vips: placeholder pixels of no known kind")
		}
		n := o.Canvas.Width * o.Canvas.Height * bands
		result.HashPixels = toRGBA(unsafe.Slice((*byte)(unsafe.Pointer(&c.hash_pixels[0])), n), bands)
	}
	return result, nil
}

// valid tells whether the C side, which trusts what it is given, may be given the job.
func (job Job) valid() bool {
	for i, o := range job.Outputs {
		pixels := o.Format == Pixels
		switch {
		case o.From >= i, o.From < 0 && o.Frame+o.Frames > job.Used, o.Frames < 1, o.Frame < 0,
			o.Orientation < 1, o.Orientation > 8, o.Scaled.Width < 1, o.Scaled.Height < 1,
			o.Canvas.Width < 1, o.Canvas.Height < 1, pixels && (o.Canvas.Width > HashSide || o.Canvas.Height > HashSide),
			pixels && o.Frames > 1, o.From >= 0 && o.Frames != job.Outputs[o.From].Frames:
			return false
		}
	}
	return len(job.Outputs) <= MaxOutputs+1 && job.Used >= 0 && job.Used <= job.Frames
}

func (o Output) native() C.KadrOutput {
	return C.KadrOutput{
		from: C.int(o.From), frame: C.int(o.Frame), frames: C.int(o.Frames),
		crop_left: C.int(o.Crop.Left), crop_top: C.int(o.Crop.Top), crop_width: C.int(o.Crop.Width), crop_height: C.int(o.Crop.Height),
		scaled_width: C.int(o.Scaled.Width), scaled_height: C.int(o.Scaled.Height),
		orientation: C.int(o.Orientation), kept: truth(o.Kept),
		seek: C.int(o.Seek), canvas_left: C.int(o.Left), canvas_top: C.int(o.Top),
		canvas_width: C.int(o.Canvas.Width), canvas_height: C.int(o.Canvas.Height),
		blur: C.double(o.Blur), opaque: truth(o.Opaque),
		background: [3]C.uchar{C.uchar(o.Background[0]), C.uchar(o.Background[1]), C.uchar(o.Background[2])},
		format:     C.int(o.Format), quality: C.int(o.Quality), effort: C.int(o.Effort), intermediate: truth(o.Intermediate),
		fd: C.int(o.FD),
	}
}

func truth(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// toRGBA spreads pixels of 1 to 4 bands to four.
func toRGBA(pixels []byte, bands int) []byte {
	out := make([]byte, 0, len(pixels)/bands*4)
	for ; len(pixels) > 0; pixels = pixels[bands:] {
		p := [4]byte{pixels[0], pixels[0], pixels[0], 255}
		switch bands {
		case 2:
			p[3] = pixels[1]
		case 3, 4:
			copy(p[:], pixels[:bands])
		}
		out = append(out, p[:]...)
	}
	return out
}

// Locate decodes until something breaks. It returns the first row that could not be decoded, frames lying one below the
// other, and the number of rows; row is -1 when nothing broke, and rows 0 when not even the header could be read. With
// shrink (as in Job) rows are those of the smaller picture.
func Locate(data []byte, format, frames, shrink int) (row, rows int) {
	var pin runtime.Pinner
	defer pin.Unpin()
	source, err := newSource(&pin, data, format)
	if err != nil {
		return 0, 0
	}
	var n C.int
	row = int(C.kadr_locate(&source, C.int(frames), C.int(shrink), &n))
	return row, int(n)
}

// Trim gives freed memory back to the system.
func Trim() { C.kadr_trim() }

// newSource pins the data, so that a pointer to it may lie in what C is given.
func newSource(pin *runtime.Pinner, data []byte, format int) (C.KadrSource, error) {
	if len(data) == 0 {
		return C.KadrSource{}, errors.New("vips: no data")
	}
	pin.Pin(&data[0])
	return C.KadrSource{data: unsafe.Pointer(&data[0]), length: C.size_t(len(data)), format: C.int(format)}, nil
}

func newError(text *[512]C.char) *Error { return &Error{Text: strings.TrimSpace(C.GoString(&text[0]))} }
