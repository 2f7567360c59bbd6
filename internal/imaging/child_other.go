//go:build !linux

package imaging

import (
	"os"
	"syscall"
)

// childAttributes asks for nothing: here a decoder notices the server's death at its next read.
func childAttributes() *syscall.SysProcAttr { return nil }

func thisBinary() (string, error) { return os.Executable() }
