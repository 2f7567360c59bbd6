package imaging

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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

// decoderTimerSlack is how late the kernel may wake a decoder that sleeps. Nothing in one waits for the clock but Go's monitor
// thread, which begins to look every 20 µs whenever a call of C takes longer: that was 6 % of a small rendering, and 3 % of a large one.
const decoderTimerSlack = 10 * time.Millisecond

// relaxTimers lets the processes that this OS thread starts from now on be woken late, for they inherit its slack, and returns
// what gives the thread its own again. Where the kernel refuses, a decoder is only a little slower.
func relaxTimers() (restore func()) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(decoderTimerSlack.Nanoseconds()), 0, 0, 0)
	return func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, 0, 0, 0, 0) }
}
