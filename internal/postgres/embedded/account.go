package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the system user that runs the server.
type account struct {
	name     string
	uid, gid uint32
	drop     bool // it is not ourselves: we are root, under which PostgreSQL refuses to run
}

// runAs is how the server's programs are run.
type runAs struct {
	user account
	caps []uintptr // ambient capabilities, where the user cannot reach the cluster's folder without
}

// chooseUser returns the user that owns the cluster or, for a new one, the user that will.
func chooseUser(data string) (account, error) {
	euid := os.Geteuid()
	info, err := os.Stat(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if euid != 0 {
			return account{name: userName(uint32(euid)), uid: uint32(euid), gid: uint32(os.Getegid())}, nil
		}
		return unprivileged()
	case err != nil:
		return account{}, fmt.Errorf("look at the PostgreSQL cluster: %w", err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	owner := account{name: userName(stat.Uid), uid: stat.Uid, gid: stat.Gid, drop: euid == 0}
	if euid == 0 && owner.uid == 0 {
		return account{}, fmt.Errorf("%s belongs to root, but PostgreSQL does not run as root: "+
			"give it to the user that shall run it, as by: chown -R nobody %s", data, data)
	}
	if euid != 0 && owner.uid != uint32(euid) {
		return account{}, fmt.Errorf("%s belongs to user %s: start kadr as that user or as root", data, owner.name)
	}
	return owner, nil
}

// unprivileged returns the user that runs the server when root starts it.
func unprivileged() (account, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		// Parsed signed: macOS gives nobody's id as -2.
		uid, err := strconv.ParseInt(u.Uid, 10, 64)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseInt(u.Gid, 10, 64)
		if err != nil {
			continue
		}
		return account{name: name, uid: uint32(uid), gid: uint32(gid), drop: true}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and this system has neither a user postgres " +
		"nor a user nobody to run it: start kadr as an ordinary user")
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// closedAncestor returns the first folder on the way to dir whose mode keeps user out, or "" when none does. It knows
// nothing of access control lists, so it serves to explain a refusal, not to foretell one.
func closedAncestor(dir string, user account) string {
	if parent := filepath.Dir(dir); parent != dir {
		if closed := closedAncestor(parent, user); closed != "" {
			return closed
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	search := fs.FileMode(0o001)
	switch stat := info.Sys().(*syscall.Stat_t); {
	case stat.Uid == user.uid:
		search = 0o100
	case stat.Gid == user.gid:
		search = 0o010
	}
	if info.Mode().Perm()&search == 0 {
		return dir
	}
	return ""
}

// unreachable explains that the user cannot get to dir, and what to do.
func unreachable(dir string, user account) error {
	closed := closedAncestor(dir, user)
	if closed == "" {
		closed = dir
	}
	return fmt.Errorf("PostgreSQL runs as user %s, which cannot enter %s and so not reach %s: "+
		"keep the data in another folder, start kadr as an ordinary user, or let others pass through by: chmod o+x %s",
		user.name, closed, dir, closed)
}

// canRun tells why user cannot run program, such as that it lies in a folder closed to it.
func canRun(ctx context.Context, user account, program string) error {
	if err := try(ctx, runAs{user: user}, program, "--version"); err != nil {
		return fmt.Errorf("user %s, as which PostgreSQL has to run, cannot run %s: %w", user.name, program, err)
	}
	return nil
}

// firstClosed returns the first of dirs that cannot be entered, and why. A shell tries it, for ambient capabilities
// come into effect only once a program runs: the kernel would refuse a working folder set when starting it.
func firstClosed(ctx context.Context, run runAs, dirs []string) (string, error) {
	for _, dir := range dirs {
		if err := try(ctx, run, "/bin/sh", "-c", `cd "$0"`, dir); err != nil {
			return dir, err
		}
	}
	return "", nil
}

// try runs a program that ends at once.
func try(ctx context.Context, run runAs, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = "/", serverEnv(), sysProcAttr(run)
	return cmd.Run()
}
