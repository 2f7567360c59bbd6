package imaging_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	_ "golang.org/x/image/webp"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

var shared = sync.OnceValues(func() (*imaging.Pool, error) { return imaging.NewPool(imaging.PoolConfig{Workers: 2}) })

func TestMain(m *testing.M) {
	imaging.DecoderMain()
	code := m.Run()
	if pool, err := shared(); err == nil {
		pool.Close()
	}
	os.Exit(code)
}

// pool returns decoders that tests share; those that kill or fill them make their own with newPool.
func pool(t testing.TB) *imaging.Pool {
	t.Helper()
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPool(t testing.TB, config imaging.PoolConfig) *imaging.Pool {
	t.Helper()
	p, err := imaging.NewPool(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func tempFile(t testing.TB, content []byte) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	return f
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// gradient is red to the right and green to the bottom, so that what it should be is known at every size.
func gradient(u, v float64) color.NRGBA {
	return color.NRGBA{R: uint8(255 * u), G: uint8(255 * v), B: 128, A: 255}
}

func paint(w, h int, at func(u, v float64) color.NRGBA) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetNRGBA(x, y, at((float64(x)+.5)/float64(w), (float64(y)+.5)/float64(h)))
		}
	}
	return m
}

// distance is the mean difference of a channel to what the picture should be, in steps of 256.
func distance(m image.Image, at func(u, v float64) color.NRGBA) float64 {
	b := m.Bounds()
	sum := 0.0
	for y := range b.Dy() {
		for x := range b.Dx() {
			want := at((float64(x)+.5)/float64(b.Dx()), (float64(y)+.5)/float64(b.Dy()))
			got := color.NRGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			diff := func(a, b uint8) float64 { return math.Abs(float64(a) - float64(b)) }
			sum += diff(got.A, want.A)
			if want.A > 0 {
				sum += diff(got.R, want.R) + diff(got.G, want.G) + diff(got.B, want.B)
			}
		}
	}
	return sum / float64(4*b.Dx()*b.Dy())
}

func encode(t testing.TB, format imaging.Format, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case imaging.JPEG:
		err = jpeg.Encode(&b, m, &jpeg.Options{Quality: 95})
	case imaging.PNG:
		err = png.Encode(&b, m)
	case imaging.GIF:
		err = gif.Encode(&b, m, nil)
	case imaging.WebP:
		files, _ := render(t, encode(t, imaging.PNG, m), imaging.Output{Format: imaging.WebP, Quality: 95})
		return files[0]
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(t testing.TB, file []byte) image.Image {
	t.Helper()
	m, format, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("a picture of ours does not decode: %v", err)
	}
	if format == "webp" {
		m = studioRange(m)
	}
	return m
}

// studioRange sets right what Go's WebP decoder gets wrong: it takes the colours for a JPEG's, but they run from 16 to 235.
func studioRange(m image.Image) image.Image {
	var alpha func(x, y int) uint8
	var planes *image.YCbCr
	switch m := m.(type) {
	case *image.YCbCr:
		planes, alpha = m, func(int, int) uint8 { return 255 }
	case *image.NYCbCrA:
		planes, alpha = &m.YCbCr, func(x, y int) uint8 { return m.A[m.AOffset(x, y)] }
	default:
		return m
	}
	clip := func(v float64) uint8 { return uint8(max(0, min(255, math.Round(v)))) }
	out := image.NewNRGBA(m.Bounds())
	for y := m.Bounds().Min.Y; y < m.Bounds().Max.Y; y++ {
		for x := m.Bounds().Min.X; x < m.Bounds().Max.X; x++ {
			c := planes.YCbCrAt(x, y)
			l, cb, cr := 1.164*(float64(c.Y)-16), float64(c.Cb)-128, float64(c.Cr)-128
			out.SetNRGBA(x, y, color.NRGBA{clip(l + 1.596*cr), clip(l - .391*cb - .813*cr), clip(l + 2.018*cb), alpha(x, y)})
		}
	}
	return out
}

func withFiles(t testing.TB, outputs []imaging.Output) []imaging.Output {
	outputs = slices.Clone(outputs)
	for i := range outputs {
		outputs[i].File = tempFile(t, nil)
	}
	return outputs
}

func contents(t testing.TB, outputs []imaging.Output) [][]byte {
	t.Helper()
	var all [][]byte
	for _, o := range outputs {
		b, err := io.ReadAll(io.NewSectionReader(o.File, 0, 1<<30))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

func render(t testing.TB, file []byte, outputs ...imaging.Output) ([][]byte, []imaging.Rendered) {
	t.Helper()
	outputs = withFiles(t, outputs)
	rendered, err := pool(t).Render(context.Background(), tempFile(t, file), imaging.RenderRequest{Outputs: outputs})
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	return contents(t, outputs), rendered
}

func ingest(t testing.TB, file []byte, outputs ...imaging.Output) (imaging.Ingested, error) {
	t.Helper()
	return pool(t).Ingest(context.Background(), tempFile(t, file), imaging.IngestRequest{Outputs: withFiles(t, outputs)})
}

func wantError(t testing.TB, err error, want *apperr.Error) *apperr.Error {
	t.Helper()
	var e *apperr.Error
	if !errors.Is(err, want) || !errors.As(err, &e) {
		t.Fatalf("error = %v, want %s", err, want.Code)
	}
	return e
}

// oriented puts an EXIF block that holds an orientation and a GPS-like text into a JPEG.
func oriented(file []byte, orientation byte) []byte {
	tiff := []byte{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 2}
	tiff = append(tiff, 0x01, 0x0f, 0, 2, 0, 0, 0, 6, 0, 0, 0, 38)
	tiff = append(tiff, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0)
	tiff = append(tiff, "SECRET"...)
	body := append([]byte("Exif\x00\x00"), tiff...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(body)+2))
	return slices.Concat(file[:2], head, body, file[2:])
}

// noise does not compress, so that a file can be cut anywhere and something is missing.
func noise(w, h int) *image.NRGBA {
	r := rand.New(rand.NewPCG(1, 2))
	return paint(w, h, func(float64, float64) color.NRGBA {
		return color.NRGBA{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32()), 255}
	})
}

func animation(t testing.TB, frames, w, h int) []byte {
	t.Helper()
	g := &gif.GIF{}
	r := rand.New(rand.NewPCG(3, 4))
	for range frames {
		m := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White, color.NRGBA{255, 0, 0, 255}})
		for i := range m.Pix {
			m.Pix[i] = uint8(r.IntN(3))
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 4)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// largePNG is 81 MP of black in one bit each: some 10 KB that take 81 MB to hold.
func largePNG() []byte {
	const side = 9000
	var body bytes.Buffer
	z := zlib.NewWriter(&body)
	row := make([]byte, 1+side/8)
	for range side {
		_, _ = z.Write(row)
	}
	_ = z.Close()
	chunk := func(kind string, body []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		b = append(append(b, kind...), body...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	header := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, side), side)
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(header, 1, 0, 0, 0, 0)),
		chunk("IDAT", body.Bytes()), chunk("IEND", nil))
}
