// Command kadr is Kadr: the server, the tools to look after it, and the command line of those who use it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kadr-app/kadr/internal/cli"
	"github.com/kadr-app/kadr/internal/imaging"
)

// The exit codes beside 0: something failed, the command line or a setting is wrong. Those of internal/cli have more.
const (
	exitFailed = cli.ExitFailed
	exitUsage  = cli.ExitUsage
)

// errUsage is a command line that makes no sense; its text is for the terminal.
type errUsage string

func (e errUsage) Error() string { return string(e) }

func main() {
	imaging.DecoderMain() // does not return where this process is a decoder
	os.Exit(run(untilSignal(), os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	root, err := newRoot()
	if err != nil {
		fmt.Fprintf(stderr, "kadr: wrong settings:\n%v\n", err)
		return exitUsage
	}
	root.SetArgs(args)
	root.SetErr(stderr)
	var misused errUsage
	switch err := root.ExecuteContext(ctx); {
	case errors.As(err, &misused):
		fmt.Fprintln(stderr, misused)
		return exitUsage
	case err != nil:
		if text := err.Error(); text != "" { // or else all is told
			fmt.Fprintf(stderr, "kadr: %s\n", text)
		}
		return cli.ExitCode(err)
	}
	return 0
}
