package embedded

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tryLock takes the lock that the process running the cluster holds for as long as it lives; the kernel gives it back
// however that process ends. It returns nil when another one has it. The file is never removed: two processes could
// then lock two files of the same name.
func tryLock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of the PostgreSQL cluster: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the PostgreSQL cluster: %w", err), f.Close())
	}
	// Only for the message of lockHolder, so a full disk is no reason to fail.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// lockHolder names the process that wrote itself into the lock file.
func lockHolder(name string) string {
	text, err := os.ReadFile(name)
	pid := strings.TrimSpace(string(text))
	if err != nil || pid == "" {
		return "unknown"
	}
	return "pid " + pid
}
