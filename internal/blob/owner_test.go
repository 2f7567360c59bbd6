package blob_test

import (
	"testing"

	"github.com/kadr-app/kadr/internal/blob"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := d.Owner(); owner != "" || err != nil {
		t.Fatalf("a new store belongs to %q, %v", owner, err)
	}
	if err := d.Claim("one"); err != nil {
		t.Fatal(err)
	}
	if err := d.Claim("two"); err == nil {
		t.Error("a store was claimed twice")
	}
	again, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if owner, err := again.Owner(); owner != "one" || err != nil {
		t.Errorf("the store belongs to %q, %v", owner, err)
	}
	if n, err := again.SweepTemp(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("%d temporary files were left, %v", n, err)
	}
}
