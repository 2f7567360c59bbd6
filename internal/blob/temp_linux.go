package blob

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// writebackStep is how much is written between two nudges to the kernel to send it to the disk, in bytes. It gained
// about a quarter for 10 MB files with eight writers: ext4 writes data before the journal, so without it one writer's
// sync of a folder waits for the data of all the others. Smaller files hardly reach it.
const writebackStep = 1 << 20

// canUnnamed says whether temporary files in dir may be unnamed: on ext4 and xfs.
//
// Support for O_TMPFILE is not enough. btrfs makes nothing durable for a file whose link count is 0 (it reasons that
// nobody could ever find it). And Commit wants more where files are unnamed: that one fsync of a freshly linked file makes
// its name durable too. On ext4 and xfs fsync flushes the journal up to the file's last change, the journal keeps its
// order, and a link or a rename changes the file (its link count, its time of change) in the same transaction as the
// folder, which comes after those that made the folders above. (Without a journal ext4 syncs a new name's folders itself.)
// The manual page of fsync promises less, so everywhere else the named way is taken, which every file system was built to
// honour.
func canUnnamed(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false
	}
	if t := int64(st.Type); t != unix.EXT4_SUPER_MAGIC && t != unix.XFS_SUPER_MAGIC {
		return false
	}
	return tryUnnamed(dir)
}

// tryUnnamed says whether an unnamed file can be made in dir and be given a name: not so where /proc is not mounted.
func tryUnnamed(dir string) bool {
	d := tempDir{path: dir, unnamed: true}
	t, err := d.create()
	if err != nil {
		return false
	}
	defer t.discard()
	name := d.randomName()
	if err := linkUnnamed(t.f, name); err != nil {
		return false
	}
	_ = os.Remove(name) // best effort: the sweep finds it
	return true
}

func openUnnamed(dir string) (*os.File, error) {
	for {
		fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, fileMode)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, &os.PathError{Op: "open unnamed", Path: dir, Err: err}
		}
		return os.NewFile(uintptr(fd), "unnamed"), nil
	}
}

func reopenUnnamed(f *os.File) (*os.File, error) { return os.Open(procPath(f)) }

func linkUnnamed(f *os.File, name string) error {
	err := unix.Linkat(unix.AT_FDCWD, procPath(f), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.LinkError{Op: "link", Old: f.Name(), New: name, Err: err}
	}
	return nil
}

// procPath is the way to link a descriptor that needs no privilege (AT_EMPTY_PATH does on most kernels).
func procPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }

// startWriteback asks the kernel to begin writing a range now and does not wait: the disk then works while the rest
// arrives and is decoded, and the sync in Commit finds little left to do. It promises nothing, so it may fail unheard;
// a write that fails is reported by that sync.
func startWriteback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
}
