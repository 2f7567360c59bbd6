package blob_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/blob/blobtest"
)

// ways are the two ways of a Dir; every test of files takes both.
func ways() map[string]func(string) (*blob.Dir, error) {
	return map[string]func(string) (*blob.Dir, error){
		"unnamed": blob.OpenDirUnnamed, "named": blob.OpenDirNamed,
	}
}

// eachWay runs a test on a new Dir of each kind.
func eachWay(t *testing.T, test func(t *testing.T, d *blob.Dir, dir string)) {
	t.Helper()
	for name, open := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d, err := open(dir)
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			test(t, d, dir)
		})
	}
}

// TestDir is not parallel: blobtest.Run measures the memory of the process.
func TestDir(t *testing.T) { //nolint:paralleltest // see above
	for name, open := range ways() {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // see above
			blobtest.Run(t, func(t *testing.T) blob.Store {
				t.Helper()
				dir := t.TempDir()
				d, err := open(dir)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				t.Cleanup(func() { wantNothingLeft(t, dir) })
				return d
			})
		})
	}
}

// wantNothingLeft fails the test when there is a temporary file, or (where /proc shows them) an open descriptor.
func wantNothingLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		t.Errorf("left in tmp: %s", e.Name())
	}
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, dir+"/") {
			t.Errorf("left open: %s", target)
		}
	}
}

func TestDirModes(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *blob.Dir, dir string) {
		ref := blobtest.Put(t, d, []byte("picture"))
		blobtest.PutVariant(t, d, ref, "x", []byte("x"))
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || path == dir {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			most := fs.FileMode(0o640)
			if e.IsDir() {
				most = 0o750
			}
			if strings.HasPrefix(path, filepath.Join(dir, "blobs")) && !e.IsDir() {
				if got := info.Mode().Perm(); got != 0o440 { // sealed, whatever the umask
					t.Errorf("the blob %s is %v", path, got)
				}
				return nil
			}
			if got := info.Mode().Perm(); got&^most != 0 || got&0o600 != 0o600 {
				t.Errorf("%s is %v, want %v less the umask", path, got, most)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A file under its final name that is torn, as a power cut leaves it on a disk that lies about flushes.
func TestCommitHealsATornFile(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *blob.Dir, dir string) {
		data := blobtest.Bytes(1, 300_000)
		flipped := bytes.Clone(data)
		flipped[200_000] ^= 1
		for name, torn := range map[string][]byte{
			"empty": {}, "truncated": data[:100_000], "longer": append(bytes.Clone(data), 0), "flipped": flipped,
			"zeros": make([]byte, len(data)),
		} {
			ref := blobtest.Put(t, d, data)
			if err := os.WriteFile(filepath.Join(dir, blob.Path(ref)), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			if again := blobtest.Put(t, d, data); again != ref {
				t.Errorf("%s: %v became %v", name, ref, again)
			}
			blobtest.Want(t, d, data)
			blobtest.WantList(t, d, ref.String()+" 300000")
		}
		wantNothingLeft(t, dir)
	})
}

func TestQuarantineKeepsTheBytes(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *blob.Dir, dir string) {
		data := []byte("picture")
		ref := blobtest.Put(t, d, data)
		blobtest.PutVariant(t, d, ref, "x", []byte("x"))
		for n, damage := range []string{"damage one", "damage two"} {
			if err := os.WriteFile(filepath.Join(dir, blob.Path(ref)), []byte(damage), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := d.Quarantine(t.Context(), ref); err != nil {
				t.Fatalf("Quarantine: %v", err)
			}
			aside := filepath.Join(dir, "quarantine", ref.String()+[]string{".1", ".2"}[n])
			if got, err := os.ReadFile(aside); string(got) != damage || err != nil {
				t.Errorf("quarantined %q, %v", got, err)
			}
			blobtest.WantList(t, d, ref.String()+"/x 1") // the variants stay
			blobtest.Put(t, d, data)
		}
	})
}

func TestWalkReportsStrays(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *blob.Dir, dir string) {
		ref := blobtest.Put(t, d, []byte("picture"))
		hex := ref.String()
		blobtest.PutVariant(t, d, ref, "x", []byte("x"))
		want := []string{hex + " 7", hex + "/x 1"}
		for _, stray := range []string{
			"blobs/readme", "blobs/ab/readme", "blobs/ab/cd/" + hex, "blobs/" + hex[:2] + "/" + hex[2:4] + "/" + hex + ".bak",
			"blobs/zz/deep/er/x", "variants/x", "variants/" + hex[:2] + "/" + hex[2:4] + "/x",
			"variants/ab/cd/" + hex + "/x", blob.VariantPath(ref, "UPPER"), blob.VariantPath(ref, "deeper/x"),
			"blobs/" + strings.ToUpper(hex[:2]+"/"+hex[2:4]+"/"+hex),
		} {
			file := filepath.Join(dir, stray)
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("?"), 0o600); err != nil {
				t.Fatal(err)
			}
			want = append(want, "stray "+stray+" 1")
		}
		blobtest.WantList(t, d, want...)

		// A link is not a blob, even under the right name.
		link := filepath.Join(dir, blob.Path(blob.Ref{1}))
		if err := os.MkdirAll(filepath.Dir(link), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("x", link); err != nil {
			t.Fatal(err)
		}
		blobtest.WantList(t, d, append(want, "stray "+blob.Path(blob.Ref{1})+" 1")...)
	})
}

func TestSweepTemp(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *blob.Dir, dir string) {
		old := time.Now().Add(-2 * time.Hour)
		for _, name := range []string{"tmp/old", "tmp/young", "blobs/check-old", "blobs/check-young", "blobs/other"} {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(name, "young") {
				if err := os.Chtimes(file, old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, want := range []int{2, 0} {
			if n, err := d.SweepTemp(t.Context(), time.Hour); n != want || err != nil {
				t.Errorf("SweepTemp = %d, %v, want %d", n, err, want)
			}
		}
		for _, name := range []string{"tmp/young", "blobs/check-young", "blobs/other"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// When the volume is unmounted under a running server, pictures must not go to the disk below.
func TestCheckFindsTheStoreGone(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, d *blob.Dir, dir string) {
		staged, err := d.Stage(t.Context(), strings.NewReader("x"), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer staged.Discard()
		if err := os.Rename(filepath.Join(dir, "blobs"), filepath.Join(dir, "gone")); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(t.Context()); err == nil {
			t.Error("Check = nil")
		}
		if err := d.Commit(t.Context(), staged); err == nil {
			t.Error("Commit = nil")
		}
		if _, err := os.Stat(filepath.Join(dir, "blobs")); err == nil {
			t.Error("the folder was made again")
		}
	})
}

func TestOpenDirMakesAndFinds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "store")
	d, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	blobtest.Put(t, d, []byte("picture"))
	if d, err = blob.OpenDir(dir); err != nil {
		t.Fatalf("OpenDir again: %v", err)
	}
	blobtest.Want(t, d, []byte("picture"))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.OpenDir(file); err == nil {
		t.Error("OpenDir of a file = nil")
	}
}
