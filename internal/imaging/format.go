package imaging

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/kadr-app/kadr/internal/imaging/vips"
)

// Format names a picture format in lower case, as it is stored and as it crosses process boundaries.
type Format string

// The formats that Kadr knows. What may come in and what can be made is in the table below.
const (
	JPEG Format = "jpeg"
	PNG  Format = "png"
	GIF  Format = "gif"
	WebP Format = "webp"
	AVIF Format = "avif"
	HEIC Format = "heic"
	TIFF Format = "tiff"
)

// traits is one row of the table of formats. A format is added here, and in the loader's and saver's switch in vips.c.
type traits struct {
	format    Format
	name      string // for messages
	mediaType string
	extension string
	aliases   []string // other names and extensions by which it is asked for
	native    int      // its number in package vips
	matches   func(head []byte) bool
	output    bool // can be made
	animated  bool // may hold more than one frame
	alpha     bool // may be transparent
	shrinks   bool // its decoder can make the picture smaller while decoding
	maxSide   int  // the longest side that the format can hold, when it is made
	quality   int  // when nothing was asked for; 0: the format has no such thing
	effort    int
	maxEffort int
}

// Qualities and efforts: WebP 80 at effort 2 costs half the time of effort 4 for 3 % more bytes (DESIGN §12); JPEG 82 is
// where a photograph at thumbnail sizes stops showing blocks; PNG level 6 is zlib's own balance, more gains next to
// nothing; AVIF at effort 1 takes a tenth of the time of effort 4.
func formats() []traits {
	return []traits{
		{
			format: JPEG, name: "JPEG", mediaType: "image/jpeg", extension: "jpg", aliases: []string{"jpg", "jpe", "jfif"},
			native: vips.JPEG, output: true, shrinks: true, maxSide: 65535, quality: 82,
			matches: func(head []byte) bool { return bytes.HasPrefix(head, []byte("\xff\xd8\xff")) },
		},
		{
			format: PNG, name: "PNG", mediaType: "image/png", extension: "png",
			native: vips.PNG, output: true, alpha: true, maxSide: 1_000_000, effort: 6, maxEffort: 9,
			matches: func(head []byte) bool { return bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")) },
		},
		{
			format: GIF, name: "GIF", mediaType: "image/gif", extension: "gif",
			native: vips.GIF, output: true, alpha: true, animated: true, maxSide: 65535, effort: 3, maxEffort: 10,
			matches: func(head []byte) bool {
				return bytes.HasPrefix(head, []byte("GIF87a")) || bytes.HasPrefix(head, []byte("GIF89a"))
			},
		},
		{
			format: WebP, name: "WebP", mediaType: "image/webp", extension: "webp",
			native: vips.WebP, output: true, alpha: true, animated: true, shrinks: true, maxSide: 16383, quality: 80,
			effort: 2, maxEffort: 6,
			matches: func(head []byte) bool {
				return len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP"
			},
		},
		{
			format: AVIF, name: "AVIF", mediaType: "image/avif", extension: "avif",
			native: vips.AVIF, output: true, alpha: true, maxSide: 16384, quality: 55, effort: 1, maxEffort: 9,
			matches: func(head []byte) bool { return hasBrand(head, "avif", "avis") },
		},
		{
			format: HEIC, name: "HEIC", mediaType: "image/heic", extension: "heic", aliases: []string{"heif", "hif"},
			native: vips.HEIC, alpha: true,
			matches: func(head []byte) bool {
				return hasBrand(head, "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs")
			},
		},
		{
			format: TIFF, name: "TIFF", mediaType: "image/tiff", extension: "tiff", aliases: []string{"tif"},
			native: vips.TIFF, alpha: true,
			matches: func(head []byte) bool {
				for _, magic := range []string{"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"} {
					if bytes.HasPrefix(head, []byte(magic)) {
						return true
					}
				}
				return false
			},
		},
	}
}

// hasBrand tells whether an ISO media file says that it is of one of the brands, first of all or besides others. HEIC and
// AVIF lie in the same container, and what it holds may be named second only.
func hasBrand(head []byte, brands ...string) bool {
	if len(head) < 12 || string(head[4:8]) != "ftyp" {
		return false
	}
	if slices.Contains(brands, string(head[8:12])) {
		return true
	}
	if major := string(head[8:12]); major != "mif1" && major != "msf1" && major != "miaf" {
		return false
	}
	end := min(len(head), int(min(binary.BigEndian.Uint32(head), 1<<20)))
	for at := 16; at+4 <= end; at += 4 {
		if slices.Contains(brands, string(head[at:at+4])) {
			return true
		}
	}
	return false
}

func (f Format) traits() (traits, bool) {
	for _, t := range formats() {
		if t.format == f {
			return t, true
		}
	}
	return traits{}, false
}

// ParseFormat reads a format's name or file extension ("jpeg", "jpg", "PNG"), without a dot, in any case.
func ParseFormat(name string) (Format, bool) {
	name = strings.ToLower(name)
	for _, t := range formats() {
		if string(t.format) == name {
			return t.format, true
		}
		for _, alias := range t.aliases {
			if alias == name {
				return t.format, true
			}
		}
	}
	return "", false
}

// ParseMediaType reads a media type without parameters, such as "image/jpeg", in any case.
func ParseMediaType(mediaType string) (Format, bool) {
	for _, t := range formats() {
		if strings.EqualFold(t.mediaType, mediaType) {
			return t.format, true
		}
	}
	return "", false
}

// Sniff finds the format in a file's first bytes, whatever its name says. 32 bytes are enough; fewer may do.
func Sniff(head []byte) (Format, bool) {
	for _, t := range formats() {
		if t.matches(head) {
			return t.format, true
		}
	}
	return "", false
}

// MediaType returns the format's media type, such as "image/jpeg", or "application/octet-stream" for no format.
func (f Format) MediaType() string {
	if t, ok := f.traits(); ok {
		return t.mediaType
	}
	return "application/octet-stream"
}

// Extension returns the usual file extension without a dot, such as "jpg", or "bin" for no format.
func (f Format) Extension() string {
	if t, ok := f.traits(); ok {
		return t.extension
	}
	return "bin"
}

// Name returns the name as people write it, such as "JPEG".
func (f Format) Name() string {
	if t, ok := f.traits(); ok {
		return t.name
	}
	return "unknown"
}

// CanMake tells whether pictures can be made in this format, given a libvips that can: see Pool.Formats.
func (f Format) CanMake() bool {
	t, ok := f.traits()
	return ok && t.output
}

// Animates tells whether the format may hold more than one frame.
func (f Format) Animates() bool {
	t, ok := f.traits()
	return ok && t.animated
}

// DefaultQuality is what an Output without one is made with; 0 where the format has no such thing.
func (f Format) DefaultQuality() int {
	t, _ := f.traits()
	return t.quality
}

func (f Format) String() string { return string(f) }
