package app_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"slices"
	"testing"
)

// secret is in the private metadata of the tests' pictures, and must not be in what a stranger gets.
const secret = "59.9398N 30.3146E"

// newPicture makes a small picture that there is no second of: a JPEG or a PNG, from 16 to 175 pixels wide. With private
// metadata the server has something to remove.
func newPicture(rng *rand.Rand, private bool) []byte {
	return newPictureOf(rng, 16+rng.IntN(160), 16+rng.IntN(160), private)
}

func newPictureOf(rng *rand.Rand, w, h int, private bool) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	seed := rng.Uint32()
	for y := range h {
		for x := range w {
			// Blocks of seven pixels, so that neither format has an easy time.
			n := (uint32(x/7)*2654435761 ^ uint32(y/7)*40503 ^ seed) * 2246822519
			m.SetNRGBA(x, y, color.NRGBA{byte(n), byte(n>>8) + byte(x), byte(n>>16) + byte(y), 255})
		}
	}
	var file bytes.Buffer
	if rng.IntN(2) == 0 {
		_ = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&file, m) // a buffer takes everything
		if private {
			return insertChunk(file.Bytes(), "tEXt", []byte("Comment\x00"+secret))
		}
		return file.Bytes()
	}
	_ = jpeg.Encode(&file, m, &jpeg.Options{Quality: 60 + rng.IntN(40)}) // the same
	if private {
		return insertSegment(file.Bytes(), 0xFE, []byte(secret))
	}
	return file.Bytes()
}

// insertSegment puts a segment behind a JPEG's first marker.
func insertSegment(file []byte, marker byte, content []byte) []byte {
	segment := binary.BigEndian.AppendUint16([]byte{0xFF, marker}, uint16(len(content)+2))
	return slices.Concat(file[:2], segment, content, file[2:])
}

// pngHead is how long a PNG's signature and first chunk are.
const pngHead = 8 + 4 + 4 + 13 + 4

// insertChunk puts a chunk behind a PNG's first.
func insertChunk(file []byte, name string, content []byte) []byte {
	body := append([]byte(name), content...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	chunk = append(chunk, body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))
	return slices.Concat(file[:pngHead], chunk, file[pngHead:])
}

// samePixels reports whether two files show exactly the same.
func samePixels(t *testing.T, a, b []byte) bool {
	t.Helper()
	x, _, err := image.Decode(bytes.NewReader(a))
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return false
	}
	switch x := x.(type) {
	case *image.NRGBA:
		y, ok := y.(*image.NRGBA)
		return ok && x.Rect == y.Rect && bytes.Equal(x.Pix, y.Pix)
	case *image.RGBA:
		y, ok := y.(*image.RGBA)
		return ok && x.Rect == y.Rect && bytes.Equal(x.Pix, y.Pix)
	case *image.YCbCr:
		y, ok := y.(*image.YCbCr)
		return ok && x.Rect == y.Rect && bytes.Equal(x.Y, y.Y) && bytes.Equal(x.Cb, y.Cb) && bytes.Equal(x.Cr, y.Cr)
	}
	t.Fatalf("a picture of another kind: %T", x)
	return false
}

// newPhotograph makes a JPEG of 4000 by 3008 pixels. Go's encoder under the race detector would take six seconds, so it
// encodes four rows of blocks, and those are repeated: after a restart marker a JPEG goes on as if it began.
func newPhotograph(t *testing.T) []byte {
	t.Helper()
	const width, row, rows = 4000, 16, 188
	var head []byte
	var scans [4][]byte
	for i := range scans {
		m := image.NewYCbCr(image.Rect(0, 0, width, row), image.YCbCrSubsampleRatio420)
		rng := rand.New(rand.NewPCG(uint64(i), 12))
		for j := range m.Y {
			m.Y[j] = byte(j/5 + rng.IntN(24))
		}
		for j := range m.Cb {
			m.Cb[j], m.Cr[j] = byte(128+i*9), byte(100+j>>6)
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, m, &jpeg.Options{Quality: 85}); err != nil {
			t.Fatal(err)
		}
		scan := bytes.Index(file.Bytes(), []byte{0xFF, 0xDA})
		end := scan + 2 + int(binary.BigEndian.Uint16(file.Bytes()[scan+2:]))
		head = file.Bytes()[:end]
		scans[i] = file.Bytes()[end : file.Len()-2]
	}
	head = slices.Clone(head)
	frame := bytes.Index(head, []byte{0xFF, 0xC0})
	binary.BigEndian.PutUint16(head[frame+5:], row*rows)
	interval := binary.BigEndian.AppendUint16([]byte{0xFF, 0xDD, 0, 4}, width/row)
	file := slices.Concat(head[:frame], interval, head[frame:])
	for i := range rows {
		file = append(file, scans[i*i%7%4]...)
		if i < rows-1 {
			file = append(file, 0xFF, 0xD0+byte(i%8))
		}
	}
	return append(file, 0xFF, 0xD9)
}
