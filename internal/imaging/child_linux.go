package imaging

import (
	"os"
	"syscall"
)

// childAttributes makes the kernel kill a decoder when the server dies, even in the middle of a decode, and keeps a Ctrl-C
// away from it, which a terminal sends to the whole process group: the server still needs it for what is under way.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// thisBinary is the running binary even after its file was replaced by an upgrade: a decoder of another version might not
// speak the same language.
func thisBinary() (string, error) {
	const link = "/proc/self/exe"
	if _, err := os.Stat(link); err == nil {
		return link, nil
	}
	return os.Executable()
}
