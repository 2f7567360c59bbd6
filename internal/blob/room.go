package blob

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reserveShare bounds what is kept free to this part of the file system, so that a small one can be used too.
const reserveShare = 20

// KeepFree has the store leave so many bytes of its file system free, and at most a twentieth of it: a disk that is full to
// the last byte stops the database that lies on it, and with it everything. Stage and Check then return ErrStorageFull
// while there is less room, and NewVariant when there is less than half of it. It has to be called before the store is used.
func (d *Dir) KeepFree(bytes int64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(d.root, &fs); err != nil {
		return fmt.Errorf("blob: look for room: %w", err)
	}
	d.reserve = min(bytes, int64(fs.Blocks/reserveShare)*int64(fs.Bsize)) //nolint:unconvert // its type differs among systems
	return nil
}

// room returns ErrStorageFull when fewer bytes are free than are to be kept so.
func (d *Dir) room(keep int64) error {
	if keep <= 0 {
		return nil
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(d.root, &fs); err != nil {
		return storageError("look for room", err)
	}
	free := int64(fs.Bavail) * int64(fs.Bsize) //nolint:unconvert // its type differs among systems
	if free < keep {
		return ErrStorageFull.Wrap(fmt.Errorf("blob: %d bytes are free, and %d are to be kept free", free, keep))
	}
	return nil
}

// Room returns ErrStorageFull unless so many bytes fit beside what is to be kept free, for files that others put on the
// same file system.
func (d *Dir) Room(bytes int64) error { return d.room(d.reserve + bytes) }
