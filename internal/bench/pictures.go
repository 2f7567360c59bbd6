package main

import (
	"bytes"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"math"
	"os"

	"github.com/kadr-app/kadr/internal/bench/barevips"
)

// photo12 reads or makes the JPEG of 12 MP.
func (b *bench) photo12() ([]byte, error) { return photograph(b.photo, 4000, 3000) }

// photo24 reads or makes the JPEG of 24 MP.
func (b *bench) photo24() ([]byte, error) { return photograph(b.large, 6000, 4000) }

// progressive24 makes a progressive JPEG of the one of 24 MP.
func (b *bench) progressive24() ([]byte, error) {
	photo, err := b.photo24()
	if err != nil {
		return nil, err
	}
	if err := barevips.Start(); err != nil {
		return nil, err
	}
	return barevips.Progressive(photo)
}

// photograph reads a file, or makes a picture that is as hard to decode: gradients, edges and grain.
func photograph(name string, w, h int) ([]byte, error) {
	if name != "" {
		return os.ReadFile(name)
	}
	img := stdimage.NewYCbCr(stdimage.Rect(0, 0, w, h), stdimage.YCbCrSubsampleRatio420)
	seed := uint32(1)
	for y := range h {
		for x := range w {
			seed = seed*1664525 + 1013904223
			v := 128 + 60*math.Sin(float64(x)/97)*math.Cos(float64(y)/71) + float64(seed>>28) + float64((x/250+y/250)%2*24)
			img.Y[img.YOffset(x, y)] = uint8(v)
		}
	}
	for i := range img.Cb {
		c := color.YCbCr{Cb: uint8(100 + i%(w/2)/40), Cr: uint8(110 + i/(w/2)/40)}
		img.Cb[i], img.Cr[i] = c.Cb, c.Cr
	}
	var buf bytes.Buffer
	err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 90})
	return buf.Bytes(), err
}

// numbered is a JPEG with a number in a comment after the first marker, so that every copy is another file.
func numbered(photo []byte) *payload {
	p := newPayload(0)
	p.data = append(p.data, photo[:2]...)
	p.data = append(p.data, 0xFF, 0xFE, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0)
	p.data = append(p.data, photo[2:]...)
	p.at = 6
	return p
}
