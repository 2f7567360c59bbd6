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
	Alpha, Profile, Interlace bool
}

// Output is one picture to make. Width and Height are as displayed, after turning.
type Output struct {
	Width, Height           int
	Format, Quality, Effort int
	FD                      int // open for writing, at offset 0
}

// Job is a set of pictures to make from one decode.
type Job struct {
	Frames                int // to decode; all but the first only to see that they decode
	Shrink                int // 1, 2, 4 or 8 by the JPEG or WebP decoder itself; 1 for other formats
	Orientation           int // EXIF, 1 to 8
	BaseWidth, BaseHeight int // the largest picture wanted, in the stored orientation
	Outputs               []Output
	HashWidth, HashHeight int // 0: none; up to HashSide
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
		Width: int(header.width), Height: int(header.height), Frames: int(header.frames),
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
	if len(job.Outputs) > MaxOutputs || job.HashWidth > HashSide || job.HashHeight > HashSide ||
		job.Orientation < 1 || job.Orientation > 8 {
		return Result{}, errors.New("vips: a job out of bounds")
	}
	c := C.KadrJob{
		source: source, frames: C.int(job.Frames), shrink: C.int(job.Shrink), orientation: C.int(job.Orientation),
		base_width: C.int(job.BaseWidth), base_height: C.int(job.BaseHeight), n_outputs: C.int(len(job.Outputs)),
		hash_width: C.int(job.HashWidth), hash_height: C.int(job.HashHeight),
	}
	for i, o := range job.Outputs {
		c.outputs[i] = C.KadrOutput{
			width: C.int(o.Width), height: C.int(o.Height), format: C.int(o.Format), quality: C.int(o.Quality),
			effort: C.int(o.Effort), fd: C.int(o.FD),
		}
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
	if n := job.HashWidth * job.HashHeight; n > 0 {
		bands := int(c.hash_bands)
		if bands < 1 || bands > 4 {
			return Result{}, errors.New("vips: placeholder pixels of no known kind")
		}
		result.HashPixels = toRGBA(unsafe.Slice((*byte)(unsafe.Pointer(&c.hash_pixels[0])), n*bands), bands)
	}
	return result, nil
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
