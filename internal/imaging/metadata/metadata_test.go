package metadata_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging/hostile"
	"github.com/kadr-app/kadr/internal/imaging/metadata"
)

// secret stands in everything that must not survive.
const secret = "59.938N-SN12345678"

// exif is a big-endian TIFF block with an orientation and a text that must go.
func exif(orientation byte) []byte {
	b := []byte{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 2}
	b = append(b, 0x01, 0x0f, 0, 2, 0, 0, 0, byte(len(secret)), 0, 0, 0, 38)
	b = append(b, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0)
	b = append(b, 0, 0, 0, 0)
	return append(b, secret...)
}

func picture() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 24, 16))
	for i := range m.Pix {
		m.Pix[i] = byte(i * 7)
	}
	return m
}

func segment(marker byte, body string) []byte {
	n := len(body) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, body...)
}

func jpegFile(t testing.TB, extra ...[]byte) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(append(append([][]byte{b.Bytes()[:2]}, extra...), b.Bytes()[2:])...)
}

func dirtyJPEG(t testing.TB) []byte {
	jfif := "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x02\x01" + "RGBRGB"
	return slices.Concat(jpegFile(t,
		segment(0xe0, jfif),
		segment(0xe1, "Exif\x00\x00"+string(exif(6))),
		segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+secret),
		segment(0xe2, "ICC_PROFILE\x00\x01\x01profile"),
		segment(0xe2, "MPF\x00"+secret),
		segment(0xed, "Photoshop 3.0\x00"+secret),
		[]byte{0xff, 0xff, 0xff}, segment(0xfe, secret),
		segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01"),
	), []byte("trailing "+secret))
}

func pngChunk(kind string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func pngFile(t testing.TB, extra ...[]byte) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	const head = 8 + 25
	return slices.Concat(append(append([][]byte{b.Bytes()[:head]}, extra...), b.Bytes()[head:])...)
}

func dirtyPNG(t testing.TB) []byte {
	return append(pngFile(t,
		pngChunk("gAMA", []byte{0, 0, 0xb1, 0x8f}),
		pngChunk("eXIf", exif(8)),
		pngChunk("tEXt", []byte("Comment\x00"+secret)),
		pngChunk("iTXt", []byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"+secret)),
		pngChunk("tIME", []byte{7, 0xea, 1, 1, 1, 1, 1}),
		pngChunk("prVt", []byte(secret)),
		pngChunk("pHYs", make([]byte, 9)),
	), secret...)
}

func gifFile(t testing.TB, extra ...[]byte) []byte {
	g := &gif.GIF{}
	for i := range 3 {
		m := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White})
		m.Pix[i] = 1
		g.Image = append(g.Image, m)
		g.Delay = append(g.Delay, 5)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	// After the header, which has a colour table only when all frames agree on one.
	head := 13
	if flags := b.Bytes()[10]; flags&0x80 != 0 {
		head += 3 << (flags&7 + 1)
	}
	return slices.Concat(append(append([][]byte{b.Bytes()[:head]}, extra...), b.Bytes()[head:])...)
}

func dirtyGIF(t testing.TB) []byte {
	n := byte(len(secret))
	return append(gifFile(t,
		append(append([]byte{0x21, 0xfe, n}, secret...), 0),
		append(append([]byte("\x21\xff\x0bXMP DataXMP"), append([]byte{n}, secret...)...), 0),
	), secret...)
}

func riffChunk(kind string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func webpFile(chunks ...[]byte) []byte {
	body := slices.Concat(append([][]byte{[]byte("WEBP")}, chunks...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func dirtyWebP(testing.TB) []byte {
	frame := func(extra ...[]byte) []byte {
		return riffChunk("ANMF", slices.Concat(append([][]byte{make([]byte, 16), riffChunk("VP8L", []byte("pixel"))}, extra...)...))
	}
	return append(webpFile(
		riffChunk("VP8X", []byte{0x2e, 0, 0, 0, 23, 0, 0, 15, 0, 0}),
		riffChunk("ICCP", []byte("profile")),
		riffChunk("ANIM", make([]byte, 6)),
		frame(),
		frame(riffChunk("JUNK", []byte(secret))),
		riffChunk("EXIF", exif(3)),
		riffChunk("XMP ", []byte(secret)),
		riffChunk("WHAT", []byte(secret)),
	), secret...)
}

func strip(t testing.TB, file []byte, format string) ([]byte, metadata.Report) {
	t.Helper()
	var out bytes.Buffer
	report, err := metadata.Strip(&out, bytes.NewReader(file), int64(len(file)), format)
	if err != nil {
		t.Fatalf("Strip: %v", err)
	}
	return out.Bytes(), report
}

func TestStripRemovesWhatIsPrivateAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		dirty               []byte
		orientation, frames int
		keeps               []string
	}{
		"jpeg": {dirtyJPEG(t), 6, 1, []string{"JFIF", "ICC_PROFILE", "Adobe", "Exif"}},
		"png":  {dirtyPNG(t), 8, 1, []string{"gAMA", "pHYs", "eXIf", "IEND"}},
		"gif":  {dirtyGIF(t), 1, 3, []string{"NETSCAPE2.0"}},
		"webp": {dirtyWebP(t), 3, 2, []string{"VP8X", "ICCP", "ANIM", "EXIF"}},
		"avif": {dirtyHEIF(t, "avif"), 1, 1, []string{"avif", "av1C", "grid", "alpha"}},
		"heic": {dirtyHEIF(t, "heic"), 1, 1, []string{"heic", "hvcC", "grid", "alpha"}},
		"tiff": {dirtyTIFF(binary.BigEndian, false), 6, 1, []string{"MM\x00*", "the profile"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inspected, err := metadata.Inspect(bytes.NewReader(tc.dirty), int64(len(tc.dirty)), name)
			if err != nil || !inspected.Private || inspected.Orientation != tc.orientation || inspected.Frames != tc.frames {
				t.Fatalf("Inspect = %+v, %v", inspected, err)
			}
			clean, stripped := strip(t, tc.dirty, name)
			if stripped != inspected || int64(len(clean)) != stripped.StrippedSize {
				t.Errorf("Strip reports %+v and wrote %d bytes, Inspect %+v", stripped, len(clean), inspected)
			}
			if bytes.Contains(clean, []byte(secret)) || bytes.Contains(clean, []byte("RGBRGB")) {
				t.Error("something private is left")
			}
			for _, want := range tc.keeps {
				if !bytes.Contains(clean, []byte(want)) {
					t.Errorf("%s is gone", want)
				}
			}
			again, report := strip(t, clean, name)
			if report.Private || report.Orientation != tc.orientation || !bytes.Equal(again, clean) {
				t.Errorf("a clean file is taken for a dirty one: %+v", report)
			}
			if got := metadata.Orientation(bytes.NewReader(clean), int64(len(clean)), name); got != tc.orientation {
				t.Errorf("Orientation = %d, want %d", got, tc.orientation)
			}
			if name == "jpeg" || name == "png" || name == "gif" { // for the others see sameRendering
				samePixels(t, tc.dirty, clean)
			}
		})
	}
}

func samePixels(t *testing.T, a, b []byte) {
	t.Helper()
	x, _, err := image.Decode(bytes.NewReader(a))
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("stripped file does not decode: %v", err)
	}
	for py := range x.Bounds().Dy() {
		for px := range x.Bounds().Dx() {
			if x.At(px, py) != y.At(px, py) {
				t.Fatalf("pixel %d,%d differs", px, py)
			}
		}
	}
}

func TestWebPSaysTheTruthAboutItself(t *testing.T) {
	t.Parallel()
	clean, _ := strip(t, dirtyWebP(t), "webp")
	if got := int(binary.LittleEndian.Uint32(clean[4:])) + 8; got != len(clean) {
		t.Errorf("RIFF says %d bytes, there are %d", got, len(clean))
	}
	if flags := clean[20]; flags != 0x2a { // profile, EXIF (the orientation), animation
		t.Errorf("VP8X flags = %#x", flags)
	}
	upright, _ := strip(t, webpFile(riffChunk("VP8X", []byte{0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
		riffChunk("VP8L", []byte("px")), riffChunk("EXIF", exif(1))), "webp")
	if bytes.Contains(upright, []byte("EXIF")) || upright[20] != 0 {
		t.Errorf("an upright picture keeps EXIF: %q", upright)
	}
}

func TestCleanFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	progressive, err := os.ReadFile("../testdata/progressive.jpg") // several scans, restart markers
	if err != nil {
		t.Fatal(err)
	}
	animated, err := os.ReadFile("../testdata/animated.webp")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		format string
		file   []byte
	}{
		"jpeg": {"jpeg", jpegFile(t)}, "progressive": {"jpeg", progressive}, "png": {"png", pngFile(t)},
		"gif": {"gif", gifFile(t)}, "webp": {"webp", animated},
		"avif": {"avif", still(t, "avif")}, "heic": {"heic", still(t, "heic")},
		"gif without trailer": {"gif", bytes.TrimSuffix(gifFile(t), []byte{0x3b})},
	} {
		clean, report := strip(t, tc.file, tc.format)
		if report.Private || !bytes.Equal(clean, tc.file) {
			t.Errorf("%s: report %+v, unchanged %v", name, report, bytes.Equal(clean, tc.file))
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	t.Parallel()
	for format, file := range map[string][]byte{
		"jpeg": jpegFile(t, segment(0xe1, "Exif\x00\x00"+string(exif(6)))),
		"png":  pngFile(t, pngChunk("eXIf", exif(6))),
		"gif":  gifFile(t),
		"webp": webpFile(riffChunk("VP8X", make([]byte, 10)), riffChunk("VP8L", []byte("pixels"))),
		"avif": still(t, "avif"),
		"heic": still(t, "heic"),
		"tiff": greyTIFF(),
	} {
		for n := range len(file) - 1 {
			report, err := metadata.Inspect(bytes.NewReader(file[:n]), int64(n), format)
			if err == nil && format == "gif" && report.Frames < 3 {
				continue // ends between two frames: a shorter animation, as far as anybody can tell
			}
			var e *apperr.Error
			if !errors.As(err, &e) || e.Kind != apperr.Unprocessable || e.Code != "image_broken" || !strings.HasSuffix(e.Message, ".") {
				if err == nil && format == "gif" && file[n] == 0x3b {
					continue
				}
				t.Fatalf("%s cut at %d of %d: %+v, %v", format, n, len(file), report, err)
			}
		}
	}
}

// refused wants a file refused with a message that has these words.
func refused(t *testing.T, file []byte, format, words string) bool {
	t.Helper()
	_, err := metadata.Inspect(bytes.NewReader(file), int64(len(file)), format)
	var e *apperr.Error
	if !errors.As(err, &e) || e.Kind != apperr.Unprocessable || e.Code != "image_broken" || !strings.Contains(e.Message, words) {
		t.Errorf("got %v, want %q", err, words)
		return false
	}
	return true
}

func TestEXIFBehindTheScanIsNone(t *testing.T) {
	t.Parallel()
	file := bytes.TrimSuffix(jpegFile(t), []byte{0xff, 0xd9})
	file = slices.Concat(file, segment(0xe1, "Exif\x00\x00"+string(exif(6))), []byte{0xff, 0xd9})
	clean, report := strip(t, file, "jpeg")
	if !report.Private || report.Orientation != 1 || !bytes.Equal(clean, jpegFile(t)) {
		t.Errorf("%+v", report)
	}
}

// TestHostileFiles holds every file made to break servers against every walker that might be asked to walk it.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	formats := map[string]string{"jpg": "jpeg", "png": "png", "gif": "gif", "webp": "webp", "avif": "avif", "heic": "heic", "tiff": "tiff"}
	walked := map[string]int{}
	for f := range hostile.Corpus() {
		format, ok := formats[f.Extension()]
		if !ok {
			continue
		}
		start := time.Now()
		var clean bytes.Buffer
		_, err := metadata.Strip(&clean, bytes.NewReader(f.Data), int64(len(f.Data)), format)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", f.Name, took)
		}
		if err != nil {
			fine := !f.Want.Has(hostile.Refused422) && f.Want.Has(hostile.Accepted) && !strings.HasPrefix(f.Name, "disguise/")
			if apperr.KindOf(err) != apperr.Unprocessable || fine {
				t.Errorf("%s: %v", f.Name, err)
			}
			continue
		}
		walked[format]++
		again, report := strip(t, clean.Bytes(), format)
		if report.Private || !bytes.Equal(again, clean.Bytes()) {
			t.Errorf("%s: stripped twice: %+v", f.Name, report)
		}
	}
	for _, format := range formats {
		if walked[format] == 0 {
			t.Errorf("no hostile %s was walked to its end", format)
		}
	}
}

func TestShorterThanItsSize(t *testing.T) {
	t.Parallel()
	file := jpegFile(t)
	if _, err := metadata.Inspect(bytes.NewReader(file), int64(len(file))+10, "jpeg"); apperr.KindOf(err) != apperr.Internal || err == nil {
		t.Errorf("a reader's own failure became %v", err)
	}
}

func TestFiftyMegabytesOfJPEGAreFast(t *testing.T) {
	t.Parallel()
	scan := bytes.Repeat([]byte("\x12\x34\xff\x00entropy coded data goes on for a while, with a marker now and then\xff\xd0"), 700_000)
	file := slices.Concat([]byte{0xff, 0xd8}, segment(0xda, "\x01\x01\x00\x00\x3f\x00"), scan, []byte{0xff, 0xd9})
	start := time.Now()
	if _, err := metadata.Inspect(bytes.NewReader(file), int64(len(file)), "jpeg"); err != nil {
		t.Fatal(err)
	}
	// About 40 ms; the bound leaves room for the race detector on a busy machine.
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("%d MB took %v", len(file)>>20, took)
	}
}
