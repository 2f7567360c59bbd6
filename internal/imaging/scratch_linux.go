package imaging

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NewScratch returns an empty file in memory, for an Output that may not be wanted in the end. A file on disk costs more
// than it seems: ext4 avoids inodes that were freed within the last seconds, and looks through all of them at every new
// file, which took half of the server's time for small pictures. The caller closes it, and then it is gone.
func NewScratch() (*os.File, error) {
	fd, err := unix.MemfdCreate("kadr", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("imaging: make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "memory"), nil
}
