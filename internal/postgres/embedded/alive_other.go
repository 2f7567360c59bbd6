//go:build !linux

package embedded

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// serverAlive tells whether process pid is a PostgreSQL server. Which folder it works in cannot be asked here.
func serverAlive(pid int, _ string) bool {
	if pid <= 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=,comm=", "-p", strconv.Itoa(pid)).Output()
	text := strings.TrimSpace(string(out))
	return err == nil && !strings.HasPrefix(text, "Z") && strings.Contains(text, "postgres")
}
