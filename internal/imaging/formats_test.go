package imaging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/imaging/hostile"
	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

// sources are the gradient in every format that can be read.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	m := paint(80, 60, gradient)
	deep := image.NewNRGBA64(m.Bounds())
	for y := range 60 {
		for x := range 80 {
			deep.Set(x, y, gradient((float64(x)+.5)/80, (float64(y)+.5)/60))
		}
	}
	avif, _ := render(t, encode(t, imaging.PNG, m), imaging.Output{Format: imaging.AVIF, Quality: 90})
	var plain, packed bytes.Buffer
	if err := errors.Join(tiff.Encode(&plain, m, nil), tiff.Encode(&packed, deep, &tiff.Options{Compression: tiff.Deflate, Predictor: true})); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"jpeg": encode(t, imaging.JPEG, m), "png": encode(t, imaging.PNG, m), "png, deep": encode(t, imaging.PNG, deep),
		"gif": encode(t, imaging.GIF, m), "webp": encode(t, imaging.WebP, m), "avif": avif[0],
		"heic": fixture(t, "gradient.heic"), "tiff": plain.Bytes(), "tiff, packed": packed.Bytes(),
	}
}

func TestEveryPairOfFormats(t *testing.T) {
	t.Parallel()
	input, output := pool(t).Formats()
	if len(input) != 7 || len(output) != 5 {
		t.Fatalf("this machine's libvips reads %v and makes %v, so nothing is proved here", input, output)
	}
	reference := paint(80, 60, gradient)
	for name, file := range sources(t) {
		want, _, _ := strings.Cut(name, ",")
		got, err := ingest(t, file, imaging.Output{Shape: imaging.Shape{Width: 40}, Format: imaging.WebP})
		if err != nil || string(got.Format) != want || got.Width != 80 || got.Height != 60 || got.Frames != 1 || !got.Outputs[0].Made {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if d := placeholderDistance(t, got.ThumbHash, gradient); d > 25 {
			t.Errorf("%s: placeholder at distance %.1f", name, d)
		}
		var outputs []imaging.Output
		for _, f := range output {
			outputs = append(outputs, imaging.Output{Format: f, Quality: 90})
		}
		files, _ := render(t, file, outputs...)
		for i, f := range output {
			if made, _ := imaging.Sniff(files[i]); made != f {
				t.Errorf("%s to %s: it is %s", name, f, made)
			}
			back, _ := render(t, files[i], imaging.Output{Format: imaging.PNG}) // for what Go cannot decode
			limit := 0.02
			if f == imaging.GIF || want == "gif" {
				limit = 0.2 // a dither
			}
			if d := imagetest.DSSIM(reference, decode(t, back[0])); d > limit {
				t.Errorf("%s to %s: DSSIM %.4f", name, f, d)
			}
		}
	}
}

// A grey picture has fewer channels, and a transparent one more: every encoder has to take them.
func TestEveryKindIntoEveryFormat(t *testing.T) {
	t.Parallel()
	_, output := pool(t).Formats()
	grey, half := image.NewGray(image.Rect(0, 0, 48, 32)), paint(48, 32, func(u, v float64) color.NRGBA {
		c := gradient(u, v)
		c.A = uint8(255 * v)
		return c
	})
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i)
	}
	for name, file := range map[string][]byte{
		"grey": encode(t, imaging.PNG, grey), "transparent": encode(t, imaging.PNG, half),
		"cmyk": fixture(t, "cmyk.jpg"), "wide gamut": fixture(t, "p3.jpg"), "sideways": oriented(encode(t, imaging.JPEG, grey), 6),
	} {
		reference, _ := render(t, file, imaging.Output{Format: imaging.PNG})
		for _, f := range output {
			made, _ := render(t, file, imaging.Output{Format: f, Quality: 95})
			back, _ := render(t, made[0], imaging.Output{Format: imaging.PNG})
			flat := reference
			if f == imaging.JPEG {
				flat, _ = render(t, reference[0], imaging.Output{
					Format: imaging.PNG,
					Shape:  imaging.Shape{Background: imaging.Color{R: 255, G: 255, B: 255, Set: true}},
				})
			}
			limit := 0.06
			if f == imaging.GIF {
				limit = 0.6 // no half transparency, and a dither
			}
			if d := imagetest.DSSIM(decode(t, flat[0]), decode(t, back[0])); d > limit {
				t.Errorf("%s to %s: DSSIM %.4f", name, f, d)
			}
		}
	}
}

// turnedAVIF puts an irot property into an AVIF of one item that libheif has written.
func turnedAVIF(t *testing.T, file []byte, quarters byte) []byte {
	t.Helper()
	at := func(kind string) int { return bytes.Index(file, []byte(kind)) - 4 }
	size := func(b []byte, kind string, by int) {
		p := bytes.Index(b, []byte(kind)) - 4
		binary.BigEndian.PutUint32(b[p:], uint32(int(binary.BigEndian.Uint32(b[p:]))+by))
	}
	file = slices.Clone(file)
	data := uint32(at("mdat") + 8)
	locations := at("iloc")
	where := bytes.Index(file[locations:], binary.BigEndian.AppendUint32(nil, data))
	binary.BigEndian.PutUint32(file[locations+where:], data+10)
	properties := at("ipco")
	end := properties + int(binary.BigEndian.Uint32(file[properties:]))
	count := 0
	for p := properties + 8; p < end; p += int(binary.BigEndian.Uint32(file[p:])) {
		count++
	}
	links := at("ipma") + 8 + 4 + 4 + 2 // to how many properties the first item has
	last := links + 1 + int(file[links])
	file[links]++
	out := slices.Concat(file[:end], []byte{0, 0, 0, 9}, []byte("irot"), []byte{quarters}, file[end:last], []byte{byte(count + 1)}, file[last:])
	size(out, "ipco", 9)
	size(out, "ipma", 1)
	size(out, "iprp", 10)
	size(out, "meta", 10)
	return out
}

func TestOrientationOfContainers(t *testing.T) {
	t.Parallel()
	plain, _ := render(t, encode(t, imaging.PNG, paint(80, 60, gradient)), imaging.Output{Format: imaging.AVIF, Quality: 90})
	turned := turnedAVIF(t, plain[0], 1) // anticlockwise
	got, err := ingest(t, turned)
	if err != nil || got.Width != 60 || got.Height != 80 || got.Orientation != 1 {
		t.Fatalf("irot: %+v, %v", got.Info, err)
	}
	files, _ := render(t, turned, imaging.Output{Format: imaging.PNG})
	if d := distance(decode(t, files[0]), func(u, v float64) color.NRGBA { return gradient(1-v, u) }); d > 4 {
		t.Errorf("irot: distance %.1f", d)
	}
	seen := 0
	for f := range hostile.Corpus() {
		name, ok := strings.CutPrefix(f.Name, "exif/turned.")
		if !ok || name == "jpg" || name == "png" || name == "webp" {
			continue
		}
		seen++
		got, err := ingest(t, f.Data)
		// What a HEIF's EXIF says has been applied by its own properties, or means nothing; a TIFF's is its own property.
		want := map[string]imaging.Info{
			"avif": {Width: 64, Height: 48, Orientation: 1}, "heic": {Width: 64, Height: 64, Orientation: 1},
			"tiff": {Width: 48, Height: 64, Orientation: 6},
		}[name]
		if err != nil || got.Width != want.Width || got.Height != want.Height || got.Orientation != want.Orientation {
			t.Errorf("%s: %+v, %v", name, got.Info, err)
		}
	}
	if seen != 3 {
		t.Errorf("%d files were seen", seen)
	}
}

// heldFrames renders a GIF or WebP to the format and returns it as a GIF that Go can read, with its pixels from libvips.
func heldFrames(t *testing.T, file []byte, o imaging.Output) (imaging.Info, *gif.GIF) {
	t.Helper()
	files, _ := render(t, file, o)
	got, err := ingest(t, files[0])
	if err != nil {
		t.Fatal(err)
	}
	again, _ := render(t, files[0], imaging.Output{Format: imaging.GIF})
	g, err := gif.DecodeAll(bytes.NewReader(again[0]))
	if err != nil {
		t.Fatal(err)
	}
	return got.Info, g
}

// moving is an animation whose frames can be told apart: each is of one colour, with a delay and a loop count of its own.
func moving(t *testing.T) ([]byte, []color.NRGBA) {
	t.Helper()
	colours := []color.NRGBA{{250, 0, 0, 255}, {0, 250, 0, 255}, {0, 0, 250, 255}, {250, 250, 0, 255}}
	g := &gif.GIF{LoopCount: 2}
	for i, c := range colours {
		m := image.NewPaletted(image.Rect(0, 0, 60, 40), color.Palette{c, color.Black})
		for x := range 30 { // the left half is black
			for y := range 40 {
				m.SetColorIndex(x, y, 1)
			}
		}
		g.Image, g.Delay = append(g.Image, m), append(g.Delay, 5*(i+1))
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), colours
}

func TestAnimationsAreKept(t *testing.T) {
	t.Parallel()
	file, colours := moving(t)
	webp, _ := render(t, file, imaging.Output{Format: imaging.WebP})
	for _, in := range [][]byte{file, webp[0]} {
		for name, shape := range map[string]imaging.Shape{
			"as it is": {}, "narrower": {Width: 30}, "cut": {Crop: imaging.Rect{X: 20, Y: 10, Width: 30, Height: 20}},
			"turned": {Rotate: 90}, "cover": {Width: 20, Height: 20, Fit: imaging.FitCover},
			"contain": {Width: 80, Height: 80, Fit: imaging.FitContain, Background: imaging.Color{R: 255, Set: true}},
			"found":   {Width: 20, Height: 30, Fit: imaging.FitCover, Position: imaging.Entropy},
			"blurred": {Blur: 2, Flip: imaging.FlipBoth},
		} {
			for _, out := range []imaging.Format{imaging.GIF, imaging.WebP} {
				info, g := heldFrames(t, in, imaging.Output{Shape: shape, Format: out})
				w, h := shape.Size(60, 40, out)
				if info.Frames != len(colours) || info.Width != w || info.Height != h || !slices.Equal(g.Delay, []int{5, 10, 15, 20}) || g.LoopCount != 2 {
					t.Errorf("%s into %s: %+v, delays %v, loop %d", name, out, info, g.Delay, g.LoopCount)
				}
			}
		}
		// Every frame shows itself, and none another.
		for page := range len(colours) + 1 {
			for _, out := range []imaging.Format{imaging.PNG, imaging.WebP, imaging.GIF} {
				o := imaging.Output{Shape: imaging.Shape{Page: page, Width: 30}, Format: out}
				if page == 0 && out != imaging.PNG {
					continue
				}
				files, _ := render(t, in, o)
				back, _ := render(t, files[0], imaging.Output{Format: imaging.PNG})
				c := color.NRGBAModel.Convert(decode(t, back[0]).At(25, 10)).(color.NRGBA)
				want := colours[max(0, page-1)]
				if diff := max(int(c.R)-int(want.R), int(want.R)-int(c.R), int(c.G)-int(want.G), int(want.G)-int(c.G)); diff > 12 {
					t.Errorf("page %d into %s: %v, want %v", page, out, c, want)
				}
			}
		}
	}
}

// Frames, a still and another page at once come from one decode.
func TestAnimationAndStillsTogether(t *testing.T) {
	t.Parallel()
	file, colours := moving(t)
	files, rendered := render(t, file,
		imaging.Output{Shape: imaging.Shape{Width: 30}, Format: imaging.WebP}, imaging.Output{Shape: imaging.Shape{Width: 20}, Format: imaging.GIF},
		imaging.Output{Shape: imaging.Shape{Width: 30}, Format: imaging.JPEG}, imaging.Output{Shape: imaging.Shape{Width: 20, Page: 3}, Format: imaging.WebP})
	frames := []int{}
	for i, b := range files {
		got, err := ingest(t, b)
		if err != nil || got.Width != rendered[i].Width {
			t.Fatalf("%+v, %v", got, err)
		}
		frames = append(frames, got.Frames)
	}
	if !slices.Equal(frames, []int{4, 4, 1, 1}) {
		t.Errorf("frames %v", frames)
	}
	if c := color.NRGBAModel.Convert(decode(t, files[3]).At(15, 5)).(color.NRGBA); c.B < 200 || c.R > 40 {
		t.Errorf("page 3 is %v, want %v", c, colours[2])
	}
}

func TestPageThatIsNotThere(t *testing.T) {
	t.Parallel()
	file, _ := moving(t)
	for page, f := range map[int][]byte{5: file, 2: encode(t, imaging.PNG, paint(8, 8, gradient))} {
		_, err := pool(t).Render(context.Background(), tempFile(t, f), imaging.RenderRequest{
			Outputs: withFiles(t, []imaging.Output{{Shape: imaging.Shape{Page: page}, Format: imaging.WebP}}),
		})
		e := wantError(t, err, imaging.ErrNoPage)
		sentence(t, e)
		if e.Kind != apperr.Invalid || e.Field != "?page" {
			t.Errorf("%+v", e)
		}
	}
}

func TestNothingIsToldAboutThePicture(t *testing.T) {
	t.Parallel()
	_, output := pool(t).Formats()
	animated, _ := moving(t)
	dir := t.TempDir()
	for name, file := range map[string][]byte{
		"still": oriented(encode(t, imaging.JPEG, paint(80, 60, gradient)), 6), "profile": fixture(t, "p3.jpg"), "moving": animated,
	} {
		for _, f := range output {
			files, _ := render(t, file, imaging.Output{Format: f, Shape: imaging.Shape{Width: 40}})
			path := filepath.Join(dir, name+"."+f.Extension())
			if err := os.WriteFile(path, files[0], 0o600); err != nil {
				t.Fatal(err)
			}
			tags, err := exec.Command("exiftool", "-a", "-G1", "-s", path).Output()
			if err != nil {
				t.Fatalf("exiftool: %v", err)
			}
			for line := range strings.Lines(string(tags)) {
				group, _, _ := strings.Cut(strings.TrimPrefix(line, "["), "]")
				switch group {
				case "ExifTool", "System", "File", "Composite", "GIF", "RIFF", "PNG", "PNG-pHYs", "QuickTime", "Meta":
				case "JFIF":
				default:
					t.Errorf("%s as %s: %s", name, f, strings.TrimSpace(line))
				}
			}
			if bytes.Contains(files[0], []byte("SECRET")) || bytes.Contains(files[0], []byte("vips")) {
				t.Errorf("%s as %s carries text", name, f)
			}
		}
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]imaging.Format{
		"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00": imaging.AVIF, "\x00\x00\x00\x1cftypavis\x00\x00\x00\x00": imaging.AVIF,
		"\x00\x00\x00\x18ftypheix\x00\x00\x00\x00":         imaging.HEIC,
		"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic": imaging.HEIC,
		"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif": imaging.AVIF,
		"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00mif1avif": "", // beyond the box
		"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00mif1heic": "",
		"II*\x00": imaging.TIFF, "MM\x00*": imaging.TIFF, "II+\x00": imaging.TIFF, "MM\x00+": imaging.TIFF, "II*": "", "BM": "",
	} {
		if got, _ := imaging.Sniff([]byte(head)); got != want {
			t.Errorf("%q is %q, want %q", head, got, want)
		}
	}
	for name, want := range map[string]imaging.Format{"heif": imaging.HEIC, "HIF": imaging.HEIC, "tif": imaging.TIFF, "jpe": imaging.JPEG, "avif": imaging.AVIF, "bmp": ""} {
		if got, _ := imaging.ParseFormat(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
