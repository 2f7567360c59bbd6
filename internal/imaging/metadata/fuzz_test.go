package metadata_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging/metadata"
)

func FuzzStripJPEG(f *testing.F) {
	progressive, err := os.ReadFile("../testdata/progressive.jpg")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(progressive)
	f.Add(jpegFile(f))
	f.Add(dirtyJPEG(f))
	fuzzStrip(f, "jpeg")
}

func FuzzStripPNG(f *testing.F) {
	f.Add(pngFile(f))
	f.Add(dirtyPNG(f))
	fuzzStrip(f, "png")
}

func FuzzStripGIF(f *testing.F) {
	f.Add(gifFile(f))
	f.Add(dirtyGIF(f))
	fuzzStrip(f, "gif")
}

func FuzzStripWebP(f *testing.F) {
	animated, err := os.ReadFile("../testdata/animated.webp")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(animated)
	f.Add(dirtyWebP(f))
	fuzzStrip(f, "webp")
}

func FuzzStripAVIF(f *testing.F) { fuzzHEIF(f, "avif") }
func FuzzStripHEIC(f *testing.F) { fuzzHEIF(f, "heic") }

func fuzzHEIF(f *testing.F, format string) {
	f.Add(still(f, format))
	f.Add(dirtyHEIF(f, format))
	small := isoStill(format, isoItem{kind: "iden", references: []isoReference{{"dimg", []int{2}}}},
		isoItem{kind: codedKind(format), data: []byte("px"), properties: [][]byte{size(1, 1)}}, isoItem{kind: "Exif", data: []byte("x"), inline: true})
	small.after = [][]byte{isoBox("moov")}
	f.Add(small.bytes())
	fuzzStrip(f, format)
}

func FuzzStripTIFF(f *testing.F) {
	everyTIFF(func(_ string, order binary.ByteOrder, big bool) {
		f.Add(dirtyTIFF(order, big))
		w := newTIFF(order, big)
		w.page(w.grey(2, 2, w.text(270))...)
		w.page(w.grey(3, 17)...)
		f.Add(w.b)
	})
	fuzzStrip(f, "tiff")
}

// fuzzStrip holds for any bytes: Strip either refuses them with a name for it, as Inspect does, or writes what it
// announced, and a stripped file has nothing left to strip.
func fuzzStrip(f *testing.F, format string) {
	f.Fuzz(func(t *testing.T, file []byte) {
		inspected, inspectErr := metadata.Inspect(bytes.NewReader(file), int64(len(file)), format)
		var out bytes.Buffer
		stripped, err := metadata.Strip(&out, bytes.NewReader(file), int64(len(file)), format)
		if (err == nil) != (inspectErr == nil) || stripped != inspected {
			t.Fatalf("Inspect: %+v, %v; Strip: %+v, %v", inspected, inspectErr, stripped, err)
		}
		if err != nil {
			if apperr.KindOf(err) != apperr.Unprocessable {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		if int64(out.Len()) != stripped.StrippedSize {
			t.Fatalf("wrote %d bytes, announced %d", out.Len(), stripped.StrippedSize)
		}
		clean := bytes.Clone(out.Bytes())
		out.Reset()
		again, err := metadata.Strip(&out, bytes.NewReader(clean), int64(len(clean)), format)
		if err != nil || again.Private || again.Orientation != stripped.Orientation || !bytes.Equal(out.Bytes(), clean) {
			t.Fatalf("stripped once: %+v; twice: %+v, %v", stripped, again, err)
		}
		if got := metadata.Orientation(bytes.NewReader(clean), int64(len(clean)), format); got != again.Orientation {
			t.Fatalf("Orientation = %d, Inspect says %d", got, again.Orientation)
		}
	})
}
