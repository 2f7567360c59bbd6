package imaging

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// selfTest tries, inside the decoder, what it must not be able to do, and returns nil when it could. It also sleeps and
// dies on demand, for the tests of the pool.
func selfTest(name string) error {
	name, argument, _ := strings.Cut(name, ":")
	switch name {
	case "write_file":
		f, err := os.OpenFile(argument, os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			err = f.Close()
		}
		return err
	case "read_file":
		_, err := os.ReadFile(argument)
		return err
	case "remove_file":
		return unix.Unlink(argument)
	case "socket":
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	case "program":
		_, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
		return err
	case "signal_parent":
		return unix.Kill(os.Getppid(), 0)
	case "environment":
		for _, setting := range os.Environ() {
			if strings.HasPrefix(setting, argument) {
				return nil
			}
		}
		return errors.New("no such setting")
	case "sleep":
		d, err := time.ParseDuration(argument)
		time.Sleep(d)
		return err
	case "die":
		fmt.Fprintln(os.Stderr, "decoder: dying on demand")
		os.Exit(3)
	}
	return fmt.Errorf("no such self-test: %s", name)
}
