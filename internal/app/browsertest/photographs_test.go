package browsertest_test

import (
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

// photograph is a JPEG like a photograph; another number is another one, of another shape.
func photograph(name string, number int) file {
	shapes := [][2]int{{1200, 800}, {800, 1200}, {1200, 900}, {1000, 1000}, {1600, 700}, {900, 1200}, {1280, 720}, {700, 1400}}
	shape := shapes[number%len(shapes)]
	return file{name: name, mediaType: "image/jpeg", bytes: imagetest.Photograph(uint64(number), shape[0], shape[1])}
}

// photographs are n of them, or, where KADR_TEST_PHOTOS names a folder, those that lie there.
func photographs(t *testing.T, n int) (files []file) {
	t.Helper()
	dir := os.Getenv("KADR_TEST_PHOTOS")
	if dir == "" {
		for i := range n {
			files = append(files, photograph(fmt.Sprintf("IMG_%04d.jpg", 2041+i*7), i))
		}
		return files
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		mediaType := mime.TypeByExtension(filepath.Ext(e.Name()))
		if !slices.Contains([]string{"image/jpeg", "image/png", "image/gif", "image/webp"}, mediaType) || len(files) == n {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{name: e.Name(), mediaType: mediaType, bytes: content})
	}
	if len(files) == 0 {
		t.Fatalf("KADR_TEST_PHOTOS: %s has no pictures", dir)
	}
	return files
}

// fill gives a person n pictures: a dozen uploaded ones at most, the others rows that share their files.
func (p *person) fill(t *testing.T, n int) (uploaded []image) {
	t.Helper()
	for _, f := range photographs(t, min(n, 12)) {
		uploaded = append(uploaded, p.upload(t, f, "public"))
	}
	if n > len(uploaded) {
		p.in.db.Multiply(t, p.name, n)
	}
	return uploaded
}
