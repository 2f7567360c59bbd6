// Package metadata takes out of a picture file what its owner did not mean to publish (GPS, serial numbers, maker notes,
// thumbnails of the uncropped picture, comments, whatever is appended) and leaves every pixel as it was: the compressed
// data is copied verbatim, never decoded.
//
// It is pure Go, so that the server may run it on a stranger's bytes: every length is checked against the file, memory is
// bounded however large the file (128 KB for most; up to about 20 MB for an AVIF, HEIC or TIFF that is made for it), and
// time is linear in its size. What is kept is a list of what a decoder needs; all else goes, so that a kind of metadata
// invented tomorrow goes too. Orientation is kept, in a TIFF by its tag, in an AVIF or HEIC by the picture's properties,
// elsewhere by an EXIF block that holds nothing else; and so are colour profiles, animation (but that of an AVIF or HEIC)
// and loop counts.
//
// What an encoder writes into the compressed data itself, such as the settings that x265 puts there, is not looked for.
package metadata

import (
	"fmt"
	"io"
)

// Report is what is known of a file after one walk through its structure.
type Report struct {
	// Private tells that the file holds something that Strip removes. When it is false the file may stay as it is.
	Private bool
	// Orientation is the EXIF orientation, 1 to 8; 1 when there is none. It is 1 for an AVIF or HEIC, whatever EXIF says:
	// the decoder turns those.
	Orientation int
	// Frames counts the frames of a GIF or WebP; 1 for the other formats.
	Frames int
	// StrippedSize is how many bytes Strip writes.
	StrippedSize int64
}

// Inspect walks through a file of the given format ("jpeg", "png", "gif", "webp", "avif", "heic" or "tiff") and reports
// what Strip would do. The reader is read at offsets below size only. A file whose structure does not hold together, or
// that has more parts than any picture needs, is refused as apperr.Unprocessable "image_broken", with a message that says
// where; so are the few kinds of AVIF, HEIC and TIFF of which it is not known what to keep. A reader's own error is
// returned as it is.
func Inspect(r io.ReaderAt, size int64, format string) (Report, error) {
	return run(nil, r, size, format)
}

// Strip writes the file without its private metadata to w, and reports what it did. Stripping a stripped file changes
// nothing. Errors are those of Inspect, or w's own; after one, w holds a part of the file that is of no use.
func Strip(w io.Writer, r io.ReaderAt, size int64, format string) (Report, error) {
	return run(w, r, size, format)
}

// Orientation returns the EXIF orientation, 1 to 8 (see Report), reading no further than it has to. What cannot be read
// is 1.
func Orientation(r io.ReaderAt, size int64, format string) int {
	e := &editor{in: newWindow(r, size), orientation: 1, headOnly: true}
	if walk := walkers(format); walk != nil {
		_ = walk(e) // a broken file has the orientation found before the break
	}
	return e.orientation
}

func walkers(format string) func(*editor) error {
	switch format {
	case "jpeg":
		return walkJPEG
	case "png":
		return walkPNG
	case "gif":
		return walkGIF
	case "webp":
		return walkWebP
	case "avif":
		return walkAVIF
	case "heic":
		return walkHEIC
	case "tiff":
		return walkTIFF
	}
	return nil
}

func run(w io.Writer, r io.ReaderAt, size int64, format string) (Report, error) {
	walk := walkers(format)
	if walk == nil {
		return Report{}, fmt.Errorf("metadata: no such format: %q", format)
	}
	e := &editor{in: newWindow(r, size), orientation: 1}
	if format == "webp" {
		// A WebP states its length and contents in front, so it is walked once to learn them and once to write.
		if err := walk(e); err != nil {
			return Report{}, err
		}
		first := e.report()
		e = &editor{in: e.in, orientation: 1, known: &first}
	}
	e.out = w
	if err := walk(e); err != nil {
		return Report{}, err
	}
	if err := e.flush(); err != nil {
		return Report{}, err
	}
	return e.report(), nil
}
