package browsertest_test

import (
	"bytes"
	"encoding/base64"
	stdimage "image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// file is something that a person has on the disk.
type file struct {
	name      string
	mediaType string // as the system would tell a browser
	bytes     []byte
}

// save puts the file into a folder of its own and returns its path.
func (f file) save(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), f.name)
	if err := os.WriteFile(path, f.bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// js is an expression that makes the file in the page.
func (f file) js() string {
	return `new File([Uint8Array.from(atob(` + quote(base64.StdEncoding.EncodeToString(f.bytes)) +
		`), (c) => c.charCodeAt(0))], ` + quote(f.name) + `, { type: ` + quote(f.mediaType) + ` })`
}

// landscape is a JPEG of a sky over a meadow; another hour is another picture.
func landscape(t *testing.T, name string, hour uint8) file {
	t.Helper()
	const width, high = 800, 600
	m := stdimage.NewRGBA(stdimage.Rect(0, 0, width, high))
	for y := range high {
		for x := range width {
			c := color.RGBA{90 + 3*hour, uint8(140 + y/8), 230 - 2*hour, 255}
			if y > 380+(x*x/12000)%60 {
				c = color.RGBA{60, uint8(190 - y/6), 70 + hour, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return file{name: name, mediaType: "image/jpeg", bytes: b.Bytes()}
}

// ring is a PNG that is transparent but for a ring.
func ring(t *testing.T, name string) file {
	t.Helper()
	const size = 400
	m := stdimage.NewNRGBA(stdimage.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			dx, dy := x-size/2, y-size/2
			if d := dx*dx + dy*dy; d < 180*180 && d > 110*110 {
				m.SetNRGBA(x, y, color.NRGBA{220, 90, 40, 255})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return file{name: name, mediaType: "image/png", bytes: b.Bytes()}
}

// blinking is a GIF of two frames.
func blinking(t *testing.T, name string) file {
	t.Helper()
	palette := color.Palette{color.RGBA{30, 30, 60, 255}, color.RGBA{250, 210, 60, 255}}
	g := &gif.GIF{}
	for frame := range 2 {
		m := stdimage.NewPaletted(stdimage.Rect(0, 0, 160, 120), palette)
		for i := range m.Pix {
			m.Pix[i] = uint8((i%160/20 + i/160/20 + frame) % 2)
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 40)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return file{name: name, mediaType: "image/gif", bytes: b.Bytes()}
}

// notes is no picture.
func notes(name string) file {
	return file{name: name, mediaType: "text/plain", bytes: []byte("Milk, eggs, and a lens cap.\n")}
}
