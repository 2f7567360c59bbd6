// Package cli is the command line of those who use an instance, on whatever machine they and it are: kadr upload, login and
// logout. It speaks to the instance as every other program does, by the client that is generated from the contract.
//
// spf13/cobra reads the arguments, since shell completion that works in bash, zsh and fish comes with it.
// cenkalti/backoff decides how long to wait between attempts: it knows both Retry-After and jitter. schollz/progressbar
// draws the progress: it is one bar, which is all there is to show. golang.org/x/term reads what must not be seen.
package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// Settings are what the environment says, and whose program this is.
type Settings struct {
	URL     string // of the instance; empty: the one that login kept
	APIKey  string // empty: the one that login kept
	Dir     string // the user's folder for the settings of programs; empty if there is none
	Version string // of this program

	patience patience // zero: the usual
}

// The exit codes beside 0. They are the command line's promise to scripts: see kadr upload --help.
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitRefused     = 3
	ExitInterrupted = 130 // as shells have it: 128 and SIGINT
)

// exitError is an error that ends the process with a code of its own.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

// ExitCode is what an error of these commands ends the process with.
func ExitCode(err error) int {
	var e exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	}
	return ExitFailed
}

// Usagef is an error about the command line itself.
func Usagef(format string, args ...any) error {
	return exitError{ExitUsage, fmt.Errorf(format, args...)}
}

// errTold ends the process when all is told by then.
var errTold = errors.New("")

// atMost is cobra's own, with an exit code.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return Usagef("%s takes at most %d arguments, not %d", cmd.CommandPath(), n, len(args))
		}
		return nil
	}
}

// Commands are the commands of this package. What they print for programs goes to the command's output, all else to its
// error output. Their errors are one line for the terminal; ExitCode says what comes of them.
func Commands(s Settings) []*cobra.Command {
	if s.patience == (patience{}) {
		s.patience = usualPatience()
	}
	return []*cobra.Command{uploadCommand(s), loginCommand(s), logoutCommand(s)}
}
