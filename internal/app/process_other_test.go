//go:build !linux

package app_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// ownGroup puts a process into a group of its own.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// children returns the names of a process's children by their ids.
func children(t *testing.T, pid int) map[int]string {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,comm=").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) >= 4 && fields[1] == strconv.Itoa(pid) && !strings.HasPrefix(fields[2], "Z") {
			id, _ := strconv.Atoi(fields[0])
			found[id] = filepath.Base(strings.Join(fields[3:], " "))
		}
	}
	return found
}

// alive reports whether a process runs.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// peakMemory returns the resident memory that a process has now, in bytes: the kernel keeps no record of the most.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// diskVariable and what follows are for tests that only Linux can run.
const diskVariable = "APP_TEST_DISK"

func mountDisk(string) error { return errors.New("no file systems of one's own here") }

func ownMounts(*syscall.SysProcAttr) {}
