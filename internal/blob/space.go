package blob

import "golang.org/x/sys/unix"

// Space is how much room the file system of a store has, in bytes.
type Space struct {
	Total int64
	Free  int64 // that the store may still use; less than what is free where some is kept for the administrator
}

// Space asks the file system, which may hang when it is far away.
func (d *Dir) Space() (Space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(d.root, &st); err != nil {
		return Space{}, storageError("ask for free space", err)
	}
	block := int64(st.Bsize) //nolint:unconvert // its type differs between systems
	return Space{Total: int64(st.Blocks) * block, Free: int64(st.Bavail) * block}, nil
}
