package embedded

import (
	"context"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxSocketPath is the room that the system has for a socket's path, in bytes.
const maxSocketPath = 107

// sysProcAttr runs a program as run says, in a process group of its own, so that a Ctrl-C in the terminal does not
// end the database before the server has drained.
func sysProcAttr(run runAs) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, AmbientCaps: run.caps}
	if run.user.drop {
		attr.Credential = &syscall.Credential{Uid: run.user.uid, Gid: run.user.gid}
	}
	return attr
}

// tieToParent makes the kernel send the program SIGINT, a fast shutdown, when the thread that starts it ends.
func tieToParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }

// reach returns the ambient capabilities that user needs to get to every one of dirs, which may lie below a folder
// closed to it, such as a checkout in root's home. Most often it needs none. It finds out by trying, since that alone
// knows of access control lists and of the capabilities a container leaves us. Of those that serve,
// CAP_DAC_READ_SEARCH gives least; a default Docker container has only CAP_DAC_OVERRIDE.
func reach(ctx context.Context, user account, program string, dirs []string) ([]uintptr, error) {
	if !user.drop {
		return nil, nil // they are our own folders
	}
	if err := canRun(ctx, user, program); err != nil {
		return nil, err
	}
	closed, err := firstClosed(ctx, runAs{user: user}, dirs)
	if err == nil {
		return nil, nil
	}
	for _, capability := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		caps := []uintptr{capability}
		if _, err := firstClosed(ctx, runAs{user: user, caps: caps}, dirs); err == nil {
			return caps, nil
		}
	}
	return nil, unreachable(closed, user)
}
