package httpapi_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"testing"
)

// drawn paints a picture that differs with its seed.
func drawn(seed string, width, height int) *image.NRGBA {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	n := h.Sum64()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(n) + uint8(x*255/width), uint8(n >> 8), uint8(n>>16) + uint8(y*255/height), 255})
		}
	}
	// The seed itself, so that no two seeds can meet.
	for i := range min(8, width) {
		img.Pix[i*4] = byte(n >> (8 * i))
	}
	return img
}

func pngOf(seed string, width, height int) []byte { return encodePNG(drawn(seed, width, height)) }

func encodePNG(img image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func jpegOf(seed string, width, height int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, drawn(seed, width, height), &jpeg.Options{Quality: 95}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// gifOf is animated when it has more than one frame.
func gifOf(seed string, width, height, frames int) []byte {
	g := &gif.GIF{}
	for i := range frames {
		p := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Black, color.White, color.RGBA{200, 0, 0, 255}})
		for x := range width {
			p.SetColorIndex(x, (x*(i+1))%height, uint8(1+(x+i)%2))
		}
		for i, b := range []byte(seed) {
			p.SetColorIndex(i%width, i/width, b%3)
		}
		g.Image, g.Delay = append(g.Image, p), append(g.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func animatedWebP(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../imaging/testdata/animated.webp")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withExif puts an EXIF block into a JPEG: an orientation, and where it was taken.
func withExif(picture []byte, orientation uint16) []byte {
	le := binary.LittleEndian
	tiff := []byte("II*\x00\x08\x00\x00\x00")
	entry := func(tag, kind uint16, count, value uint32) {
		tiff = le.AppendUint16(tiff, tag)
		tiff = le.AppendUint16(tiff, kind)
		tiff = le.AppendUint32(tiff, count)
		tiff = le.AppendUint32(tiff, value)
	}
	tiff = le.AppendUint16(tiff, 2) // entries of the first directory
	entry(0x0112, 3, 1, uint32(orientation))
	const gps = 8 + 2 + 2*12 + 4
	entry(0x8825, 4, 1, gps)
	tiff = le.AppendUint32(tiff, 0)
	tiff = le.AppendUint16(tiff, 2) // entries of the GPS directory
	entry(0x0001, 2, 2, 'N')
	entry(0x0002, 5, 3, gps+2+2*12+4)
	tiff = le.AppendUint32(tiff, 0)
	for _, v := range []uint32{55, 1, 45, 1, 21, 1} {
		tiff = le.AppendUint32(tiff, v)
	}
	tiff = append(tiff, "GPSSECRET"...)
	payload := append([]byte("Exif\x00\x00"), tiff...)
	segment := append([]byte{0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(payload)+2))...)
	segment = append(segment, payload...)
	return append(append(append([]byte{}, picture[:2]...), segment...), picture[2:]...)
}

func sizeOf(t *testing.T, b []byte) (string, int, int) {
	t.Helper()
	cfg, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("not a picture: %v", err)
	}
	return format, cfg.Width, cfg.Height
}

func sha256Hex(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
