package hostile

import (
	"bytes"
	"compress/zlib"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"slices"
)

// The size of every whole picture.
const (
	wide = 64
	high = 48
)

// whole is a picture with nothing wrong, to be spoilt.
type whole struct {
	name      string // with its extension
	data      []byte
	extension string
	optional  Want // added to what is wanted
	// trailer is how many bytes at the end nobody misses.
	trailer int
}

// wholes is one picture of every kind.
func wholes() []whole {
	return []whole{
		{name: "plain.jpg", data: plainJPEG(), extension: "jpg"},
		{name: "progressive.jpg", data: fixture("progressive.jpg"), extension: "jpg"},
		{name: "plain.png", data: plainPNG(), extension: "png"},
		{name: "plain.gif", data: plainGIF(1), extension: "gif", trailer: 1},
		{name: "moving.gif", data: plainGIF(4), extension: "gif", trailer: 1},
		{name: "lossy.webp", data: riff(still()), extension: "webp"},
		{name: "lossless.webp", data: riff(chunk{"VP8L", solid(wide, high)}), extension: "webp"},
		{name: "moving.webp", data: movingWebP(wide, high, slices.Repeat([]chunk{frame(wide, high, still())}, 4)...), extension: "webp"},
		{name: "plain.avif", data: fixture("still.avif"), extension: "avif", optional: optional},
		{name: "plain.heic", data: fixture("still.heic"), extension: "heic", optional: optional},
		{name: "plain.tiff", data: plainTIFF(), extension: "tiff", optional: optional},
	}
}

func fixture(name string) []byte {
	b, err := fixtures.ReadFile("testdata/" + name)
	if err != nil {
		panic(err) // it is in the binary
	}
	return b
}

// draw makes the one picture that all others are made of.
func draw() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, wide, high))
	for y := range high {
		for x := range wide {
			c := color.NRGBA{uint8(x * 4), uint8(y * 5), uint8((x*x + y*y) / 25), 255}
			if (x/8+y/6)%2 == 0 {
				c.R, c.B = 255-c.R, 255-c.B
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func plainJPEG() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, draw(), &jpeg.Options{Quality: 60}) // a buffer never fails
	return b.Bytes()
}

func plainPNG() []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, draw())
	return b.Bytes()
}

func plainGIF(frames int) []byte {
	palette := color.Palette{color.Black, color.White, color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}}
	var g gif.GIF
	r := random("gif")
	for range frames {
		m := image.NewPaletted(image.Rect(0, 0, wide, high), palette)
		for i := range m.Pix {
			m.Pix[i] = uint8(r.IntN(len(palette)))
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 4)
	}
	var b bytes.Buffer
	_ = gif.EncodeAll(&b, &g)
	return b.Bytes()
}

// random is the same sequence for the same seed.
func random(seed string) *rand.Rand {
	n := uint64(0)
	for _, c := range []byte(seed) {
		n = n*131 + uint64(c)
	}
	return rand.New(rand.NewPCG(n, 1)) //nolint:gosec // the same at every run is what it is for
}

func bytesOf(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func deflated(data []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// bomb is a zlib stream of some megabytes of zeros, each of which takes a kilobyte. The first is compressed and the second
// repeated: after it the compressor sees always the same.
func bomb(megabytes int) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	block := make([]byte, 1<<20)
	_, _ = z.Write(block)
	_ = z.Flush()
	first := b.Len()
	_, _ = z.Write(block)
	_ = z.Flush()
	again := slices.Clone(b.Bytes()[first:])
	stream := slices.Concat(b.Bytes()[:first], bytes.Repeat(again, megabytes-1))
	// An empty last block, and the Adler-32 of so many zeros.
	sum := uint32(megabytes<<20%65521)<<16 | 1
	return append(stream, 3, 0, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}
