package nginxtest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/nginxtest"
	"github.com/kadr-app/kadr/static"
)

// TestCompress lays out the folder static as the container's build does: the same files that the server has, each with a
// smaller one beside it where that is worth it, and times that depend on the content alone.
func TestCompress(t *testing.T) {
	t.Parallel()
	scripts, source, one, other := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "other")
	if err := nginxtest.WriteFiles(scripts); err != nil {
		t.Fatal(err)
	}
	compress := func(from, to string) {
		t.Helper()
		if out, err := exec.Command("/bin/sh", filepath.Join(scripts, "compress"), from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	compress("../../static", one)
	packed := 0
	var there []string
	err := filepath.WalkDir(one, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(one, path)
		switch filepath.Ext(name) {
		case ".br":
			return nil
		case ".gz":
			packed++
			whole, err := os.ReadFile(path[:len(path)-3])
			if err != nil {
				return err
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			unzip, err := gzip.NewReader(file)
			if err != nil {
				return err
			}
			if got, err := io.ReadAll(unzip); err != nil || !bytes.Equal(got, whole) {
				t.Errorf("%s is of something else: %v", name, err)
			}
			if info, err := d.Info(); err != nil || info.Size() >= int64(len(whole)) {
				t.Errorf("%s is not smaller", name)
			}
			return nil
		}
		there = append(there, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	err = fs.WalkDir(static.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			want = append(want, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(there)
	if !slices.Equal(there, want) {
		t.Errorf("nginx gets %q, and the server has %q", there, want)
	}
	if packed < len(want)/2 {
		t.Errorf("only %d of %d files are compressed", packed, len(want))
	}

	// The same from another checkout at another time, and another time when one byte is another.
	if err := os.CopyFS(source, os.DirFS("../../static")); err != nil {
		t.Fatal(err)
	}
	css := filepath.Join(source, "css", "base.css")
	if err := os.Chtimes(css, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	types := filepath.Join("js", "none.d.ts")
	if err := os.WriteFile(filepath.Join(source, types), []byte("export {};"), 0o644); err != nil {
		t.Fatal(err)
	}
	compress(source, other)
	if _, err := os.Stat(filepath.Join(other, types)); err == nil {
		t.Error("what only an editor reads is served")
	}
	times := func(folder string) (all [2]int64) {
		for i, name := range []string{"css/base.css", "css/base.css.gz"} {
			info, err := os.Stat(filepath.Join(folder, name))
			if err != nil {
				t.Fatal(err)
			}
			all[i] = info.ModTime().UnixNano()
		}
		return all
	}
	if times(one) != times(other) {
		t.Error("the same content has other times")
	}
	text, err := os.ReadFile(css)
	if err != nil {
		t.Fatal(err)
	}
	text[100] ^= 1
	if err := os.WriteFile(css, text, 0o644); err != nil {
		t.Fatal(err)
	}
	compress(source, other)
	a, b := times(one), times(other)
	if a[0] == b[0] || a[1] == b[1] {
		t.Error("another content has the same time")
	}
}
