// Command run gives a command a throw-away PostgreSQL server, so that all the test processes of one `go test` share
// it:
//
//	go run ./internal/testdb/run -- go test ./...
//
// The command finds the server in KADR_TEST_DATABASE_URL, gets the signals that this process gets, and its exit status
// becomes this one's. The server and its folder are gone afterwards, whatever happened. When the variable is set
// already, the command is run with that server.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/kadr-app/kadr/internal/testdb"
)

const stopTimeout = 10 * time.Second

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: run -- command [argument...]")
		os.Exit(2)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	status, err := run(args, signals)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb/run:", err)
		status = max(status, 1)
	}
	os.Exit(status)
}

// run returns the exit status of the command, in the shell's way: 128 and the signal's number when one ended it.
func run(args []string, signals <-chan os.Signal) (status int, err error) {
	env := os.Environ()
	if os.Getenv(testdb.EnvURL) == "" {
		server, err := testdb.StartServer(context.Background(), slog.New(slog.DiscardHandler))
		if err != nil {
			return 1, err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			if closeErr := server.Close(ctx); closeErr != nil {
				err = errors.Join(err, closeErr)
			}
		}()
		env = append(env, testdb.EnvURL+"="+server.URL())
	}

	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec // to run what it is told is its purpose
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, os.Stdin, os.Stdout, os.Stderr
	// In a group of its own, or a Ctrl-C would reach it twice, from the terminal and from us, and `go test` takes the
	// second for an order to leave its test processes behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return 127, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// It fails only when the group has ended, and then ended says so.
			_ = syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal))
		case err := <-ended:
			return exitStatus(err)
		}
	}
}

func exitStatus(err error) (int, error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 0, err
	}
	if wait, ok := exit.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal()), nil
	}
	return exit.ExitCode(), nil
}
