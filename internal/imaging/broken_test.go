package imaging_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
)

// sentence checks that a message is ours and fit to be shown.
func sentence(t *testing.T, e *apperr.Error) {
	t.Helper()
	if m := e.Message; !strings.HasSuffix(m, ".") || strings.Contains(strings.ToLower(m), "vips") || strings.Contains(m, "lib") {
		t.Errorf("message %q", m)
	}
}

func TestTruncatedPicturesAreRefused(t *testing.T) {
	t.Parallel()
	large := noise(160, 120)
	for name, file := range map[string][]byte{
		"jpeg": encode(t, imaging.JPEG, large), "png": encode(t, imaging.PNG, large), "gif": encode(t, imaging.GIF, large),
		"webp": encode(t, imaging.WebP, large), "animated gif": animation(t, 19, 60, 50),
		"animated webp": fixture(t, "animated.webp"), "progressive jpeg": fixture(t, "progressive.jpg"),
	} {
		if _, err := ingest(t, file); err != nil {
			t.Fatalf("%s, whole: %v", name, err)
		}
		for _, percent := range []int{10, 50, 90, 99} {
			got, err := ingest(t, file[:len(file)*percent/100], imaging.Output{Shape: imaging.Shape{Width: 32}, Format: imaging.WebP})
			if err == nil {
				t.Errorf("%s at %d %%: %+v", name, percent, got.Info)
				continue
			}
			e := wantError(t, err, imaging.ErrBroken)
			sentence(t, e)
			t.Logf("%s at %d %%: %s", name, percent, e.Message)
			if name == "jpeg" && percent == 50 && !strings.Contains(e.Message, "% of its rows") {
				t.Errorf("it does not say where: %s", e.Message)
			}
		}
	}
}

func TestOneByteShort(t *testing.T) {
	t.Parallel()
	m := paint(90, 70, gradient)
	for _, format := range []imaging.Format{imaging.JPEG, imaging.PNG, imaging.WebP} {
		file := encode(t, format, m)
		_, err := ingest(t, file[:len(file)-1])
		sentence(t, wantError(t, err, imaging.ErrBroken))
	}
}

func TestDamageInTheMiddle(t *testing.T) {
	t.Parallel()
	scramble := func(file []byte) []byte {
		file = slices.Clone(file)
		middle := len(file) / 2
		for i := range 40 {
			file[middle+i] ^= 0xa5
		}
		return file
	}
	for name, tc := range map[string]struct {
		file []byte
		says string
	}{
		"png":  {scramble(encode(t, imaging.PNG, noise(200, 150))), "wrong checksum"},
		"jpeg": {slices.Concat(encode(t, imaging.JPEG, noise(200, 150))[:9000], []byte{0xff, 0xd9}), "JPEG"},
		"gif":  {scramble(animation(t, 20, 80, 80)), "GIF"},
	} {
		_, err := ingest(t, tc.file)
		e := wantError(t, err, imaging.ErrBroken)
		sentence(t, e)
		if !strings.Contains(e.Message, tc.says) {
			t.Errorf("%s: %s", name, e.Message)
		}
	}
}

func TestWhatBrowsersShrugOffIsAccepted(t *testing.T) {
	t.Parallel()
	jpeg, png := encode(t, imaging.JPEG, paint(120, 80, gradient)), encode(t, imaging.PNG, paint(120, 80, gradient))
	for name, file := range map[string][]byte{
		"bytes after a JPEG":   append(slices.Clone(jpeg), "motion photo"...),
		"bytes after a PNG":    append(slices.Clone(png), "<html>"...),
		"junk before a marker": slices.Concat(jpeg[:2], []byte{0xff, 0xff}, jpeg[2:]),
		"broken EXIF":          oriented(jpeg, 99),
		"GIF without trailer":  bytes.TrimSuffix(encode(t, imaging.GIF, paint(30, 20, gradient)), []byte{0x3b}),
	} {
		if got, err := ingest(t, file); err != nil || got.Orientation != 1 {
			t.Errorf("%s: %+v, %v", name, got.Info, err)
		}
	}
}

// TestEachPictureIsJudgedByItself: what a decoder had against the pictures before must not hide what it has against this one.
func TestEachPictureIsJudgedByItself(t *testing.T) {
	t.Parallel()
	p := newPool(t, imaging.PoolConfig{Workers: 1})
	judge := func(file []byte) error {
		_, err := p.Ingest(t.Context(), tempFile(t, file), imaging.IngestRequest{})
		return err
	}
	whole := encode(t, imaging.JPEG, noise(200, 150))
	first := 4 + int(whole[4])<<8 + int(whole[5]) // where the second segment begins
	odd := slices.Concat(whole[:first], []byte("stray bytes"), whole[first:])
	for range 30 {
		if err := judge(odd); err != nil {
			t.Fatal(err)
		}
	}
	_ = wantError(t, judge(slices.Concat(whole[:9000], []byte{0xff, 0xd9})), imaging.ErrBroken)
}

func TestNotAPicture(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"text": []byte("hello, world, this is not a picture"), "svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"pdf": []byte("%PDF-1.7\n"), "bmp": []byte("BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00"), "one byte": {0xff},
		"exr": []byte("\x76\x2f\x31\x01"), "mp4": []byte("\x00\x00\x00\x1cftypisom\x00\x00\x00\x00"),
	} {
		_, err := ingest(t, file)
		if e := wantError(t, err, imaging.ErrNotAllowed); e.Kind != apperr.Unsupported {
			t.Errorf("%s: %v", name, e.Kind)
		}
	}
	_, err := ingest(t, nil)
	_ = wantError(t, err, imaging.ErrEmpty)
	for _, magic := range []string{
		"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF89a", "RIFF\x04\x00\x00\x00WEBP", "II*\x00\x08\x00\x00\x00",
		"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00", "\x00\x00\x00\x1cftypheic\x00\x00\x00\x00",
	} {
		_, err := ingest(t, []byte(magic))
		sentence(t, wantError(t, err, imaging.ErrBroken))
	}
}

func TestBombsAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	t.Parallel()
	png := encode(t, imaging.PNG, paint(8, 8, gradient))
	huge := slices.Clone(png)
	binary.BigEndian.PutUint32(huge[16:], 50_000)
	binary.BigEndian.PutUint32(huge[20:], 50_000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))

	jpeg := encode(t, imaging.JPEG, paint(8, 8, gradient))
	at := bytes.Index(jpeg, []byte{0xff, 0xc0})
	wide := slices.Clone(jpeg)
	binary.BigEndian.PutUint16(wide[at+5:], 65_500)
	binary.BigEndian.PutUint16(wide[at+7:], 65_500)

	frame := append([]byte{0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0x80, 0, 0, 0, 255, 255, 255, 2}, 2, 0x44, 1, 0)
	many := append([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00"), bytes.Repeat(frame, 500_000)...)
	many = append(many, 0x3b)

	// A frame of 65,535 squared with data for one pixel. (A canvas alone is no bomb: libvips goes by the frames.)
	canvas := slices.Concat([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), frame, []byte{0x3b})
	copy(canvas[13+5:], "\xff\xff\xff\xff")

	for name, tc := range map[string]struct {
		file []byte
		want *apperr.Error
	}{
		"png": {huge, imaging.ErrTooManyPixels}, "jpeg": {wide, imaging.ErrTooManyPixels},
		"gif frames": {many, imaging.ErrTooManyFrames}, "gif canvas": {canvas, imaging.ErrTooManyPixels},
	} {
		start := time.Now()
		_, err := ingest(t, tc.file)
		sentence(t, wantError(t, err, tc.want))
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func TestLimitsCountFrames(t *testing.T) {
	t.Parallel()
	file := tempFile(t, animation(t, 10, 50, 40))
	for _, tc := range []struct {
		limits imaging.Limits
		want   *apperr.Error
	}{
		{imaging.Limits{MaxPixels: 20_000}, nil},
		{imaging.Limits{MaxPixels: 19_999}, imaging.ErrTooManyPixels},
		{imaging.Limits{MaxFrames: 9}, imaging.ErrTooManyFrames},
	} {
		_, err := pool(t).Ingest(context.Background(), file, imaging.IngestRequest{Limits: tc.limits})
		if tc.want == nil && err != nil {
			t.Errorf("%+v: %v", tc.limits, err)
		} else if tc.want != nil {
			_ = wantError(t, err, tc.want)
		}
	}
}
