package blob

import (
	"errors"
	"os"
	"syscall"
)

// ErrInUse says that other processes use the store in a way that does not go together.
var ErrInUse = errors.New("the storage is in use: a server or another command of kadr's works on it")

// Share says that the store is used, until the returned function is called or the process ends, so that nobody replaces
// what is in it. Errors: ErrInUse.
func (d *Dir) Share() (release func(), err error) { return d.lock(syscall.LOCK_SH) }

// Seize keeps everybody else from using the store. Errors: ErrInUse.
func (d *Dir) Seize() (release func(), err error) { return d.lock(syscall.LOCK_EX) }

// lock locks the store's own folder: a file for it might belong to whoever came first, and be closed to the next. It holds
// between the processes of one machine, and of several where the file system sees to it; where a folder cannot be locked at
// all, it holds between none.
func (d *Dir) lock(how int) (release func(), err error) {
	f, err := os.Open(d.root)
	if err != nil {
		return nil, storageError("lock", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrInUse, f.Close())
	}
	return func() { _ = f.Close() }, nil // the kernel gives the lock back in any case
}
