package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// onOneCore runs work with this process, the database and all that they start meanwhile on one core.
func (b *bench) onOneCore(work func() error) error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	first := 0
	for !all.IsSet(first) {
		first++
	}
	one.Set(first)
	if err := b.pin(&one); err != nil {
		return err
	}
	err := work()
	if back := b.pin(&all); err == nil {
		err = back
	}
	return err
}

// pin moves this process and the database's.
func (b *bench) pin(cores *unix.CPUSet) error {
	text, err := os.ReadFile(filepath.Join(b.dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	for _, pid := range append(children(postmaster), postmaster, os.Getpid()) {
		if err := pinThreads(pid, cores); err != nil {
			return err
		}
	}
	return nil
}

// pinThreads moves all threads of a process. Those that they start later are where they are. Twice, for a thread may be
// started by one that was not moved yet.
func pinThreads(pid int, cores *unix.CPUSet) error {
	for range 2 {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil {
			return err
		}
		for _, path := range threads {
			thread, err := strconv.Atoi(filepath.Base(path))
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(thread, cores); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
	}
	return nil
}
