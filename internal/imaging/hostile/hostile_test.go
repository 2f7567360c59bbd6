package hostile_test

import (
	"bytes"
	"crypto/sha256"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"strings"
	"testing"

	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"github.com/kadr-app/kadr/internal/imaging/hostile"
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	names, kinds, size := map[string]bool{}, map[string]int{}, 0
	for f := range hostile.Corpus() {
		if names[f.Name] || f.Want == 0 || f.Extension() == "" || !strings.HasSuffix(f.FileName(), f.Extension()) {
			t.Errorf("%q, %q: %v", f.Name, f.FileName(), f.Want)
		}
		if len(f.Data) > 300_000 {
			t.Errorf("%s has %d bytes", f.Name, len(f.Data))
		}
		if f.Planted && !bytes.Contains(f.Data, []byte(hostile.Script)) {
			t.Errorf("%s: nothing is planted", f.Name)
		}
		names[f.Name] = true
		kind, _, _ := strings.Cut(f.Name, "/")
		kinds[kind]++
		size += len(f.Data)
	}
	if len(names) < 2000 || len(names) > 6000 || size > 60<<20 {
		t.Errorf("%d files, %d MB", len(names), size>>20)
	}
	t.Logf("%d files, %d MB: %v", len(names), size>>20, kinds)
}

func TestSameAtEveryCall(t *testing.T) {
	t.Parallel()
	sum := func() [32]byte {
		h := sha256.New()
		for f := range hostile.Corpus() {
			h.Write([]byte(f.Name))
			h.Write(f.Data)
		}
		return [32]byte(h.Sum(nil))
	}
	if first, second := sum(), sum(); first != second {
		t.Error("the files differ")
	}
}

// What the pictures are spoilt from has to be whole, or nothing is learnt from how they end.
func TestWholePicturesDecode(t *testing.T) {
	t.Parallel()
	seen := 0
	for f := range hostile.Corpus() {
		name, ok := strings.CutPrefix(f.Name, "disguise/")
		if !ok || !strings.HasSuffix(name, ".exe") || strings.Contains(name, "avif") || strings.Contains(name, "heic") ||
			name == "moving-webp.exe" { // which Go's decoder does not know
			continue
		}
		seen++
		m, _, err := image.Decode(bytes.NewReader(f.Data))
		if err != nil || m.Bounds().Dx() != 64 || m.Bounds().Dy() != 48 {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if seen != 8 {
		t.Errorf("%d were looked at", seen)
	}
}
