package blob_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
)

// TestFullDisk gives the child a mount namespace and a file system of 4 MiB in it. Where the machine allows no
// namespaces it skips; TestFullDevice covers the naming of the error everywhere.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	runFault(t, "full", func(cmd *exec.Cmd) {
		own := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		group := []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: own, GidMappings: group,
		}
	})
}

// setUpFault prepares what must be there before the store opens.
func setUpFault(t *testing.T, fault, dir string) {
	t.Helper()
	if fault != "full" {
		return
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatalf("mount (are user namespaces allowed here?): %v", err)
	}
}

// Unnamed files where their sync is sound, and only there.
func TestUnnamedWhereSound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	d, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(st.Type) == unix.EXT4_SUPER_MAGIC || int64(st.Type) == unix.XFS_SUPER_MAGIC
	if d.Unnamed() != want {
		t.Errorf("unnamed = %v on a file system of type %#x", d.Unnamed(), st.Type)
	}
}

// TestFullDevice writes to /dev/full, which is always full.
func TestFullDevice(t *testing.T) {
	t.Parallel()
	d, err := blob.OpenDir(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = full.Close() }()
	err = d.Fill(t.Context(), full, strings.NewReader("x"))
	if !errors.Is(err, blob.ErrStorageFull) || apperr.KindOf(err) != apperr.InsufficientStorage {
		t.Errorf("Fill = %v", err)
	}
}
