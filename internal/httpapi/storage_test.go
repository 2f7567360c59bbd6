package httpapi_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// files returns the storage's files below a folder, by their paths.
func (in *instance) files(t *testing.T, below string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(in.dir, below), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() { // what went in between is no error
			files = append(files, strings.TrimPrefix(path, in.dir+"/"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// eventually waits for what happens behind a reply's back.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this did not come about: %s", what)
		}
	}
}

// underWay returns the storage's temporary files: those that have a name, and those that are open without one.
func (in *instance) underWay(t *testing.T) []string {
	t.Helper()
	files := in.files(t, "tmp")
	descriptors, _ := filepath.Glob("/proc/self/fd/*") // Linux; elsewhere temporary files have names
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, filepath.Join(in.dir, "tmp")+"/") {
			files = append(files, target)
		}
	}
	return files
}

// wantBlobs waits until the storage and the database know n blobs, and nothing is left of any upload under way.
func (in *instance) wantBlobs(t *testing.T, n int) {
	t.Helper()
	var rows, reservations int
	var files []string
	ok := func() bool {
		if err := in.db.Pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM blobs), (SELECT coalesce(sum(uploads), 0) FROM blobs)`).Scan(&rows, &reservations); err != nil {
			t.Fatal(err)
		}
		files = in.files(t, "blobs")
		return rows == n && len(files) == n && reservations == 0 && len(in.underWay(t)) == 0
	}
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d rows of blobs, %d reservations, files %v and %v; want %d", rows, reservations, files, in.underWay(t), n)
		}
	}
}
