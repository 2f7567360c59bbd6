//go:build !linux

package imaging

import (
	"os"
	"syscall"
)

// childAttributes keeps a terminal's Ctrl-C away from a decoder. Here it notices the server's death at its next read.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func thisBinary() (string, error) { return os.Executable() }

func relaxTimers() (restore func()) { return func() {} }
