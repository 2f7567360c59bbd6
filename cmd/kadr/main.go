// Command kadr is Kadr: the server and the tools to look after it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/imaging"
)

const usage = `Kadr: self-hosted image hosting.

Usage: kadr COMMAND

  serve            run the server
  migrate [status] bring the database up to date, or say what it lacks
  doctor           compare database and storage: --deep re-hashes, --repair mends
  backup           write everything to a folder or standard output, while the server runs
  restore          bring an instance back from a backup
  admin            look after accounts: kadr admin help
  healthcheck      ask the server on this machine whether it is ready, for containers
  version          say which version this is

The settings are environment variables, KADR_…; README.md has the table.
`

// The exit codes beside 0: something failed, the command line or a setting is wrong.
const (
	exitFailed = 1
	exitUsage  = 2
)

// errUsage is a command line that makes no sense; its text is for the terminal.
type errUsage string

func (e errUsage) Error() string { return string(e) }

type command func(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error

func main() {
	imaging.DecoderMain() // does not return where this process is a decoder
	os.Exit(run(untilSignal(), os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	commands := map[string]command{
		"serve": serve, "migrate": migrate, "doctor": examine, "backup": back, "restore": restore, "admin": admin,
		"healthcheck": healthcheck, "version": printVersion,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(stderr, usage)
		if len(args) == 1 && (args[0] == "help" || args[0] == "--help" || args[0] == "-h") {
			return 0
		}
		return exitUsage
	}
	cfg, err := config.Load()
	if err != nil && args[0] != "version" && args[0] != "healthcheck" { // which say what they can
		fmt.Fprintf(stderr, "kadr: wrong settings:\n%v\n", err)
		return exitUsage
	}
	var misused errUsage
	switch err := commands[args[0]](ctx, cfg, app.NewLog(cfg, stderr), args[1:]); {
	case errors.As(err, &misused):
		fmt.Fprintln(stderr, misused)
		return exitUsage
	case err != nil:
		fmt.Fprintf(stderr, "kadr: %v\n", err)
		return exitFailed
	}
	return 0
}
