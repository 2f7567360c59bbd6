package blob

import (
	"context"
	"io"
	"os"
)

// OpenDirNamed is OpenDir as it is where unnamed files cannot be had.
func OpenDirNamed(dir string) (*Dir, error) {
	d, err := OpenDir(dir)
	if err == nil {
		d.temp.unnamed = false
	}
	return d, err
}

// OpenDirUnnamed is OpenDir with unnamed files wherever they can be had at all, as a test survives no power cut anyway.
func OpenDirUnnamed(dir string) (*Dir, error) {
	d, err := OpenDir(dir)
	if err == nil {
		d.temp.unnamed = tryUnnamed(d.temp.path)
	}
	return d, err
}

// Unnamed says which way d takes.
func (d *Dir) Unnamed() bool { return d.temp.unnamed }

// At has fn called between the steps of Commit.
func (d *Dir) At(fn func(step string)) { d.at = fn }

// Fill is the part of Stage that writes, into a file of the test's choice.
func (d *Dir) Fill(ctx context.Context, f *os.File, r io.Reader) error {
	_, _, err := d.fill(ctx, f, r, 1<<20)
	return err
}
