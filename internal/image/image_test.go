package image

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

func TestCleanFilename(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sunset.jpg":                      "sunset.jpg",
		"закат над бухтой.jpg":            "закат над бухтой.jpg",
		"":                                "theid.png",
		" \t\n ":                          "theid.png",
		".":                               "theid.png",
		"..":                              "theid.png",
		"/":                               "theid.png",
		"a/b/c.png":                       "c.png",
		`C:\pictures\c.png`:               "c.png",
		"../../etc/passwd":                "passwd",
		"  padded.png ":                   "padded.png",
		"a\x00b\x1b[0m\r\n.png":           "ab[0m.png",
		"\xff\xfe\xfd":                    "theid.png",
		"\u0085x":                         "x",
		"photo\u202egpj.exe":              "photogpj.exe",
		"\u2067\u2069a\u200f.png":         "a\u200f.png",
		strings.Repeat("ж", 300):          strings.Repeat("ж", 255),
		strings.Repeat("x", 300) + ".png": strings.Repeat("x", 251) + ".png",
	} {
		got := cleanFilename(name, "theid", imaging.PNG)
		if got != want {
			t.Errorf("%q became %q, want %q", name, got, want)
		}
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > MaxFilename || cleanFilename(got, "other", imaging.PNG) != got {
			t.Errorf("%q became %q, which is not clean", name, got)
		}
	}
}

func FuzzCleanFilename(f *testing.F) {
	for _, seed := range []string{"a.png", "../x", "\x00", "\xff", strings.Repeat("ж", 300), " " + strings.Repeat("x", 255)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := cleanFilename(name, "theid", imaging.PNG)
		if got == "" || !utf8.ValidString(got) || utf8.RuneCountInString(got) > MaxFilename || strings.ContainsAny(got, "/\\\x00\n") {
			t.Errorf("%q became %q", name, got)
		}
		if again := cleanFilename(got, "other", imaging.PNG); again != got {
			t.Errorf("%q became %q and then %q", name, got, again)
		}
	})
}

func TestVisibleTo(t *testing.T) {
	t.Parallel()
	for v, want := range map[Visibility][3]bool{Public: {true, true, true}, Unlisted: {true, true, true}, Private: {true, false, false}} {
		img := Image{AccountID: "owner", Visibility: v}
		for i, viewer := range []string{"owner", "another", ""} {
			if img.VisibleTo(viewer) != want[i] {
				t.Errorf("%s to %q: %t", v, viewer, !want[i])
			}
		}
	}
	if (Image{Visibility: Private}).VisibleTo("") {
		t.Error("an image without an owner is a stranger's")
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		img            Image
		thumbnail, web imaging.Format
	}{
		{Image{Format: imaging.JPEG, Frames: 1}, imaging.WebP, imaging.JPEG},
		{Image{Format: imaging.PNG, Frames: 1, Transparent: true}, imaging.WebP, imaging.PNG},
		{Image{Format: imaging.GIF, Frames: 2}, imaging.JPEG, imaging.GIF},
		{Image{Format: imaging.WebP, Frames: 2, Transparent: true}, imaging.PNG, imaging.GIF},
		{Image{Format: imaging.WebP, Frames: 1, Transparent: true}, imaging.WebP, imaging.PNG},
		{Image{Format: imaging.AVIF, Frames: 1}, imaging.WebP, imaging.JPEG},
		{Image{Format: imaging.HEIC, Frames: 1}, imaging.WebP, imaging.JPEG},
		{Image{Format: imaging.TIFF, Frames: 1, Transparent: true}, imaging.WebP, imaging.PNG},
	} {
		if thumbnail, web := tc.img.ThumbnailFormat(), tc.img.WebFormat(); thumbnail != tc.thumbnail || web != tc.web || !thumbnail.CanMake() {
			t.Errorf("%+v: %s and %s", tc.img, thumbnail, web)
		}
	}
}

// A variant may be older than the picture, when somebody else stored the same bytes before. Nothing of it may tell.
func TestFileDoesNotTellOfOthers(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	img := Image{Format: imaging.JPEG, Width: 100, CreatedAt: created}
	file := img.file(&variant.File{Size: 5, Digest: [16]byte{1, 2}, Path: "variants/x"}, variant.Shape{Format: imaging.WebP})
	if !file.ModTime.Equal(created) || file.ETag != `"01020000000000000000000000000000"` || file.Format != imaging.WebP {
		t.Errorf("%+v", file)
	}
}
