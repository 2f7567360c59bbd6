//go:build !linux

package embedded

import (
	"context"
	"syscall"
)

// maxSocketPath is the room that the system has for a socket's path, in bytes.
const maxSocketPath = 103

// sysProcAttr runs a program as run says, in a process group of its own, so that a Ctrl-C in the terminal does not
// end the database before the server has drained.
func sysProcAttr(run runAs) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if run.user.drop {
		attr.Credential = &syscall.Credential{Uid: run.user.uid, Gid: run.user.gid}
	}
	return attr
}

// tieToParent does nothing: this system has no way to end a program with its parent. The next Start does it.
func tieToParent(*syscall.SysProcAttr) {}

// reach tells whether user can run program and get to every one of dirs. There are no capabilities to help it.
func reach(ctx context.Context, user account, program string, dirs []string) ([]uintptr, error) {
	if !user.drop {
		return nil, nil // they are our own folders
	}
	if err := canRun(ctx, user, program); err != nil {
		return nil, err
	}
	if closed, err := firstClosed(ctx, runAs{user: user}, dirs); err != nil {
		return nil, unreachable(closed, user)
	}
	return nil, nil
}
