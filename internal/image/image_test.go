package image

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
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

func TestNormalize(t *testing.T) {
	t.Parallel()
	still := Image{Format: imaging.JPEG, Width: 1000, Height: 500, Frames: 1}
	animation := Image{Format: imaging.GIF, Width: 1000, Height: 500, Frames: 5}
	for name, tc := range map[string]struct {
		img  Image
		ask  Shape
		want Shape
		err  apperr.Kind
	}{
		"as it is":           {still, Shape{imaging.JPEG, 0}, Shape{imaging.JPEG, 0}, 0},
		"narrower":           {still, Shape{imaging.JPEG, 320}, Shape{imaging.JPEG, 320}, 0},
		"its own width":      {still, Shape{imaging.JPEG, 1000}, Shape{imaging.JPEG, 0}, 0},
		"wider":              {still, Shape{imaging.WebP, 3840}, Shape{imaging.WebP, 0}, 0},
		"not on the ladder":  {still, Shape{imaging.WebP, 321}, Shape{}, apperr.Invalid},
		"to GIF":             {still, Shape{imaging.GIF, 0}, Shape{imaging.GIF, 0}, 0},
		"to HEIC":            {still, Shape{imaging.HEIC, 0}, Shape{}, apperr.NotFound},
		"animated":           {animation, Shape{imaging.GIF, 0}, Shape{imaging.GIF, 0}, 0},
		"animated, narrower": {animation, Shape{imaging.GIF, 320}, Shape{imaging.GIF, 320}, 0},
		"animated, wider":    {animation, Shape{imaging.GIF, 1024}, Shape{imaging.GIF, 0}, 0},
		"a still of it":      {animation, Shape{imaging.WebP, 320}, Shape{imaging.WebP, 320}, 0},
	} {
		got, err := tc.img.normalize(tc.ask)
		switch {
		case err == nil && (tc.err != 0 || got != tc.want):
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		case err != nil && apperr.KindOf(err) != tc.err:
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := still.normalize(Shape{imaging.WebP, 321}); errors.Is(err, errFormat) {
		t.Error("a width is no matter of format")
	}
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

func TestThumbnailFormat(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		img  Image
		want imaging.Format
	}{
		{Image{Frames: 1}, imaging.WebP},
		{Image{Frames: 1, Transparent: true}, imaging.WebP},
		{Image{Frames: 2}, imaging.JPEG},
		{Image{Frames: 2, Transparent: true}, imaging.PNG},
	} {
		format, width := tc.img.Thumbnail()
		if format != tc.want || width != ThumbnailWidth || !format.CanMake() {
			t.Errorf("%+v: %s at %d", tc.img, format, width)
		}
	}
}

// A variant may be older than the picture, when somebody else stored the same bytes before. Nothing of it may tell.
func TestFileDoesNotTellOfOthers(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	older := created.Add(-48 * time.Hour)
	img := Image{Format: imaging.JPEG, Width: 100, CreatedAt: created}
	tags := map[string]bool{}
	for _, shape := range []Shape{{Format: imaging.JPEG}, {Format: imaging.WebP}, {Format: imaging.WebP, Width: 64}} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte("bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, older, older); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := newFile(f, img, shape)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		if !file.ModTime.Equal(created) {
			t.Errorf("%v is said to be from %v", shape, file.ModTime)
		}
		if tags[file.ETag] {
			t.Errorf("%v has the ETag of another shape", shape)
		}
		tags[file.ETag] = true
	}
}
