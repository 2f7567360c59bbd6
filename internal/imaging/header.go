package imaging

import (
	"bytes"
	"encoding/binary"
	"io"
)

// outline is what the server itself reads of a picture: enough to guess what decoding it costs, and nothing else may rely
// on it. What is 0 could not be read.
type outline struct {
	format        Format
	size          int64 // of the file, in bytes
	width, height int   // as stored
	frames        int
	samples       float64 // values for each pixel: 3 for RGB, 1.5 for a JPEG with halved colours
	depth         int     // bytes for each sample
	whole         bool    // cannot be decoded from the top down: progressive, interlaced, one strip
}

// known tells whether the size could be read.
func (o outline) known() bool {
	return o.width > 0 && o.height > 0 && o.width <= maxOutlineSide && o.height <= maxOutlineSide
}

func (o outline) pixels() int64 { return int64(o.width) * int64(o.height) }

// These bound what is read of a file, whatever it says.
const (
	maxSegments    = 50       // parts of a file that are looked at, or jumped over
	maxPart        = 16 << 10 // bytes that are read of one part
	maxOutlineSide = 1 << 24  // of a picture: beyond, nothing decodes it
)

// readOutline reads a few hundred bytes of a file here and there. Errors do not matter: what cannot be read stays 0.
func readOutline(r io.ReaderAt, size int64) outline {
	p := parts{r, size}
	head := p.read(0, 64)
	format, _ := Sniff(head)
	o := outline{format: format, size: size, samples: 4, depth: 1}
	switch format {
	case JPEG:
		p.jpeg(&o)
	case PNG:
		p.png(&o)
	case GIF:
		p.gif(&o)
	case WebP:
		p.webp(&o)
	case AVIF, HEIC:
		p.heif(&o)
	case TIFF:
		p.tiff(&o)
	}
	if !o.known() {
		o.width, o.height = 0, 0
	}
	return o
}

// parts reads parts of a file.
type parts struct {
	r    io.ReaderAt
	size int64
}

// read returns up to n bytes at an offset, fewer at the end of the file, and none outside of it.
func (p parts) read(at, n int64) []byte {
	if at < 0 || at >= p.size || n <= 0 {
		return nil
	}
	b := make([]byte, min(n, p.size-at, maxPart))
	got, _ := p.r.ReadAt(b, at)
	return b[:got]
}

// jpeg looks for the frame header. Of several scans each holds some of the picture, and it takes all to decode a row.
func (p parts) jpeg(o *outline) {
	at := int64(2)
	for range maxSegments {
		b := p.read(at, 32)
		if len(b) < 4 || b[0] != 0xff {
			return
		}
		marker := b[1]
		switch {
		case marker == 0xff: // padding
			at++
			continue
		case marker == 0xd9 || marker == 0xda:
			return
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			if len(b) < 10 {
				return
			}
			o.height, o.width = int(binary.BigEndian.Uint16(b[5:])), int(binary.BigEndian.Uint16(b[7:]))
			o.whole = marker != 0xc0 && marker != 0xc1
			o.samples = sampling(b[9:])
			// Coefficients are what is kept of a picture with many scans, and take two bytes.
			o.depth = 2
			return
		}
		at += 2 + int64(binary.BigEndian.Uint16(b[2:]))
	}
}

// sampling returns how many samples a JPEG has for each pixel, from the components of its frame header.
func sampling(b []byte) float64 {
	sum, most := 0, 0
	for i := range min(int(b[0]), 4) {
		if len(b) < 4+3*i {
			break
		}
		area := int(b[2+3*i]>>4) * int(b[2+3*i]&15)
		sum, most = sum+area, max(most, area)
	}
	if most == 0 {
		return 3
	}
	return float64(sum) / float64(most)
}

// pngSamples is by the type of colour: grey, none, RGB, palette, and both with alpha. A palette may become RGBA.
var pngSamples = [...]float64{1, 4, 3, 4, 2, 4, 4}

func (p parts) png(o *outline) {
	b := p.read(8, 25)
	if len(b) < 25 || string(b[4:8]) != "IHDR" {
		return
	}
	b = b[8:]
	o.width, o.height = int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))
	o.whole = b[12] != 0
	if colours := b[9]; int(colours) < len(pngSamples) {
		o.samples = pngSamples[colours]
	}
	if b[8] == 16 {
		o.depth = 2
	}
}

// gif takes the frames' number from the file's size: to count them takes reading all of it. A byte holds about 16 pixels
// of a screen that was recorded, and one of a film.
func (p parts) gif(o *outline) {
	b := p.read(6, 4)
	if len(b) < 4 {
		return
	}
	o.width, o.height = int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	if n := o.pixels(); n > 0 {
		o.frames = int(min(1+o.size*4/n, int64(DefaultMaxFrames)))
	}
}

func (p parts) webp(o *outline) {
	b := p.read(12, 18)
	if len(b) < 15 {
		return
	}
	body := b[8:]
	switch string(b[:4]) {
	case "VP8 ":
		if len(body) < 10 {
			return
		}
		o.width, o.height = int(binary.LittleEndian.Uint16(body[6:])&0x3fff), int(binary.LittleEndian.Uint16(body[8:])&0x3fff)
	case "VP8L":
		bits := binary.LittleEndian.Uint32(body[1:])
		o.width, o.height = int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1
		o.whole = true
	case "VP8X":
		if len(body) < 10 {
			return
		}
		o.width = int(binary.LittleEndian.Uint32(body[4:])&0xffffff) + 1
		o.height = int(binary.LittleEndian.Uint32(body[6:])>>8) + 1
		p.webpChunks(o)
	}
}

// webpChunks looks whether the picture is lossless, which cannot be decoded smaller than it is, and counts the first
// frames of one that moves, taking the others to be as long.
func (p parts) webpChunks(o *outline) {
	at, frames := int64(12), int64(0)
	for range maxSegments {
		b := p.read(at, 8)
		if len(b) < 8 {
			o.frames = int(frames)
			return
		}
		switch string(b[:4]) {
		case "ANMF":
			frames++
		case "VP8L":
			o.whole = true
			return
		case "VP8 ":
			return
		}
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		at += 8 + n + n&1
	}
	o.frames = int(min(frames*p.size/at, int64(DefaultMaxFrames)))
}

// heif takes the largest of all sizes that the file declares, be it the picture's, its grid's or one tile's.
func (p parts) heif(o *outline) {
	at := int64(0)
	for range maxSegments {
		b := p.read(at, 16)
		if len(b) < 8 {
			return
		}
		n := int64(binary.BigEndian.Uint32(b))
		if n == 1 && len(b) == 16 {
			n = int64(binary.BigEndian.Uint64(b[8:]))
		}
		if string(b[4:8]) == "meta" {
			sizes(p.read(at, n), o)
			return
		}
		if n < 8 || at > p.size-n {
			return
		}
		at += n
	}
}

// sizes looks for "ispe" boxes without walking the boxes around them. What only looks like one makes the guess worse.
func sizes(meta []byte, o *outline) {
	for {
		i := bytes.Index(meta, []byte("ispe"))
		if i < 0 || len(meta) < i+16 {
			return
		}
		w, h := int(binary.BigEndian.Uint32(meta[i+8:])), int(binary.BigEndian.Uint32(meta[i+12:]))
		if w <= maxOutlineSide && h <= maxOutlineSide && int64(w)*int64(h) > o.pixels() {
			o.width, o.height = w, h
		}
		meta = meta[i+16:]
	}
}

// tiff reads the first directory.
func (p parts) tiff(o *outline) {
	var order binary.ByteOrder = binary.LittleEndian
	head := p.read(0, 8)
	if len(head) < 8 {
		return
	}
	if head[0] == 'M' {
		order = binary.BigEndian
	}
	if order.Uint16(head[2:]) != 42 {
		return
	}
	at := int64(order.Uint32(head[4:]))
	count := p.read(at, 2)
	if len(count) < 2 {
		return
	}
	rows := 0
	for entries := p.read(at+2, 12*int64(order.Uint16(count))); len(entries) >= 12; entries = entries[12:] {
		value := int(order.Uint32(entries[8:]))
		if order.Uint16(entries[2:]) == 3 {
			value = int(order.Uint16(entries[8:]))
		}
		switch order.Uint16(entries) {
		case 256:
			o.width = value
		case 257:
			o.height = value
		case 277:
			o.samples = float64(min(max(value, 1), 8))
		case 278:
			rows = value
		}
	}
	o.whole = rows > o.height/4
}
