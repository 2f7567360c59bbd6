package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// NewVariant implements Store.
func (d *Dir) NewVariant(_ context.Context, ref Ref, name string) (*Variant, error) {
	if err := CheckVariantName(name); err != nil {
		return nil, err
	}
	if err := d.room(d.reserve / 2); err != nil {
		return nil, err
	}
	t, err := d.temp.create()
	if err != nil {
		return nil, err
	}
	return &Variant{temp: t, file: t.f, publish: func(v *Variant) error { return d.publishVariant(v, ref, name) }}, nil
}

// publishVariant puts a variant into its place.
//
// The file is synced before it is named and the folder is not: a power cut may lose the variant, and then it is made
// again, but what has the name is whole. Nothing cheaper is sound: the gateway sends variants without asking us, so a
// checksum inside would not be looked at, and a file named first can come back empty. A flush is about a millisecond,
// shared with those of other writers, where making the variant took a decoder ten to two hundred.
//
// Remove deletes the blob first and its variants second, and this looks for the blob after the variant has its name.
// So either this sees that the blob is gone, or Remove sees the variant: none is left over.
func (d *Dir) publishVariant(v *Variant, ref Ref, name string) error {
	if v.temp.f == nil {
		return errDiscarded
	}
	info, err := v.temp.f.Stat()
	if err != nil {
		return storageError("commit variant", err)
	}
	if info.Size() == 0 {
		return errors.New("blob: commit variant: nothing was written")
	}
	if err := v.temp.f.Sync(); err != nil {
		return storageError("commit variant", err)
	}
	final := d.abs(VariantPath(ref, name))
	// More than once, for a removal that runs at the same time takes the folder away again.
	for range 5 {
		if err = v.temp.nameNew(final); errors.Is(err, fs.ErrExist) {
			err = v.temp.nameOver(final)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err := d.makeVariantFolder(filepath.Dir(final)); err != nil {
			return storageError("commit variant", err)
		}
	}
	if gone := d.mustExist(ref); gone != nil {
		_ = os.Remove(final)               // best effort: Remove is at it too,
		_ = os.Remove(filepath.Dir(final)) // and doctor finds what both missed
		return gone
	}
	if err != nil {
		return storageError("commit variant", err)
	}
	return nil
}

// RemoveVariant implements Store. It takes an empty folder away too; publishVariant makes it again when it needs it.
func (d *Dir) RemoveVariant(_ context.Context, ref Ref, name string) error {
	if err := CheckVariantName(name); err != nil {
		return err
	}
	file := d.abs(VariantPath(ref, name))
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return storageError("remove variant", err)
	}
	_ = os.Remove(filepath.Dir(file)) // fails while there are others
	return nil
}

// makeVariantFolder makes a blob's folder of variants and the two above it.
func (d *Dir) makeVariantFolder(folder string) error {
	if err := makeFolders(filepath.Dir(folder)); err != nil {
		return err
	}
	if err := os.Mkdir(folder, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// mustExist returns ErrNotFound when there is no such blob.
func (d *Dir) mustExist(ref Ref) error {
	_, err := os.Lstat(d.abs(Path(ref)))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotFound.Wrap(err)
	}
	if err != nil {
		return storageError("find blob", err)
	}
	return nil
}
