// Package imaging turns what a stranger sent into something that Kadr may trust: it finds out what a picture is, refuses
// what is broken or too large, and makes thumbnails and variants.
//
// No byte of a stranger's picture is decoded in the server. A Pool keeps decoder processes, as many as there are cores,
// which are the same binary started with the argument "decoder" (see DecoderMain). Each serves one request at a time
// over a socket: small messages and open file descriptors cross it, never pixels and never paths, so a decoder needs no
// file system, no network and no secret, and gives up all of them before it reads the first byte. One that crashes or
// hangs is killed and replaced; the request that met it gets an error that says so, and the others notice nothing.
//
// Decoding is libvips' work, through a thin C shim of our own in the package vips, whose comment says why it is not
// govips. The decisions are made in Go (plan.go), the pixels are moved in C.
//
// Lossless removal of private metadata needs no pixels and lives in the package metadata.
package imaging

import (
	"os"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// Limits that hold where a request names none.
const (
	DefaultMaxPixels int64 = 100_000_000
	DefaultMaxFrames int   = 10_000
)

// MaxOutputs is how many pictures one request may ask for.
const MaxOutputs = vips.MaxOutputs

// The errors that the package returns, all *apperr.Error; match them with errors.Is. The message may be more precise than
// the one given here.
var (
	ErrNotAllowed    = apperr.New(apperr.Unsupported, "image_type_not_allowed", "This is not a JPEG, PNG, GIF, WebP, AVIF, HEIC or TIFF picture.")
	ErrEmpty         = apperr.New(apperr.Unprocessable, "image_empty", "The file is empty.")
	ErrNoPage        = apperr.New(apperr.Invalid, "page_unavailable", "The picture does not have so many frames.").At("?page")
	ErrBroken        = apperr.New(apperr.Unprocessable, "image_broken", "The picture is damaged and cannot be decoded.")
	ErrTooManyPixels = apperr.New(apperr.Unprocessable, "image_too_many_pixels", "The picture has more pixels than are allowed.")
	ErrTooManyFrames = apperr.New(apperr.Unprocessable, "image_too_many_frames", "The animation has more frames than are allowed.")
	ErrTooLarge      = apperr.New(apperr.Unprocessable, "image_too_large_to_decode", "Decoding the picture takes more memory than is allowed.")
	ErrTooSlow       = apperr.New(apperr.Unprocessable, "image_too_slow", "Decoding the picture takes longer than is allowed.")
	ErrCrashed       = apperr.New(apperr.Unprocessable, "image_crashed_decoder", "The picture cannot be decoded: it makes the decoder fail.")
	ErrBusy          = apperr.New(apperr.Unavailable, "decoders_busy", "Too many pictures are being worked on just now. Please try again in a moment.")
	ErrClosed        = apperr.New(apperr.Unavailable, "decoders_closed", "The server is stopping. Please try again in a moment.")
)

// Limits are checked against what a picture says of itself, before anything is decoded in full.
type Limits struct {
	MaxPixels int64 // width × height × frames; 0 means DefaultMaxPixels
	MaxFrames int   // 0 means DefaultMaxFrames
}

// Output is one picture to make. The result is sRGB, turned upright, and carries no metadata. Transparency is kept where
// the format can. Of an animation all frames are kept in GIF and WebP, unless the shape names one, and the first in the
// other formats.
type Output struct {
	Shape
	Format  Format // one that CanMake
	Quality int    // 1 to 100; 0 means the format's default; of no meaning to PNG and GIF
	Effort  int    // of the encoder; 0 means the format's default, and more than it knows is the most that it knows
	// Intermediate makes what other pictures are made of, quickly and to be decoded quickly: a JPEG is baseline and has
	// its colour at full size unless it comes from a JPEG that does not, a PNG is lightly compressed, whatever Effort says. The other formats do not have it.
	Intermediate bool
	File         *os.File // empty, at offset 0, open for writing; its content is undefined after an error
	// When limits an IngestRequest's output to some kinds of pictures, which are not known before; Render ignores it.
	When Condition
}

// Condition says for which pictures an output is made. The zero value is: for all that are larger than the output.
type Condition struct {
	Still, Animated     bool // at most one; with neither, for both
	Opaque, Transparent bool // at most one; with neither, for both
	LongerThan          int  // the picture's longer side must have more pixels than this
}

// IngestRequest asks for a new upload to be checked, and for its thumbnails.
type IngestRequest struct {
	Limits
	// Outputs are made only where they are smaller than the picture and their condition holds. They are stills.
	Outputs []Output
}

// RenderRequest asks for variants of a picture that was ingested before. It decodes no more than they need.
type RenderRequest struct {
	Limits
	// Width and Height are the picture's, as displayed, where the source is a smaller copy of it (a master): every size in
	// the outputs counts from them. 0: they are the source's own.
	Width, Height int
	Outputs       []Output
	Priority      Priority
}

// Priority says who goes first when all decoders are at work. Within one, it is first come, first served.
type Priority int

// The priorities, from the one that goes first.
const (
	PriorityHigh       Priority = iota - 1 // small pictures, which many wait for
	PriorityNormal                         // uploads and larger pictures
	PriorityBackground                     // what nobody waits for
)

// Info says what a picture is.
type Info struct {
	Format      Format
	Width       int // in pixels as displayed: after the orientation is applied
	Height      int
	Frames      int // 1 for what does not move
	Orientation int // the EXIF value, 1 to 8, as stored
	HasAlpha    bool
	HasProfile  bool // an ICC profile is embedded
}

// Rendered is what became of the Output at the same place in the request.
type Rendered struct {
	Made          bool // false when an ingested picture is not larger than the output asked for: nothing was written
	Width, Height int
	Size          int64 // bytes
}

// Ingested is what is known of a picture that decodes to its last row and frame.
type Ingested struct {
	Info
	// ThumbHash is a placeholder of about 25 bytes (https://evanw.github.io/thumbhash/).
	ThumbHash []byte
	Outputs   []Rendered
}
