package blob

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile lies beside the folders of the store.
const lockFile = "lock"

// ErrInUse says that other processes use the store in a way that does not go together.
var ErrInUse = errors.New("the storage is in use: a server or another command of kadr's works on it")

// Share says that the store is used, until the returned function is called or the process ends, so that nobody replaces
// what is in it. Errors: ErrInUse.
func (d *Dir) Share() (release func(), err error) { return d.lock(syscall.LOCK_SH) }

// Seize keeps everybody else from using the store. Errors: ErrInUse.
func (d *Dir) Seize() (release func(), err error) { return d.lock(syscall.LOCK_EX) }

// lock takes the lock of the store. It holds between the processes of one machine, and of several where the file system
// sees to it; where there are no locks at all, it holds between none.
func (d *Dir) lock(how int) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(d.root, lockFile), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, storageError("lock", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(ErrInUse, f.Close())
	case err != nil && !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOLCK) && !errors.Is(err, syscall.ENOSYS):
		return nil, errors.Join(storageError("lock", err), f.Close())
	}
	return func() { _ = f.Close() }, nil // the kernel gives the lock back in any case
}
