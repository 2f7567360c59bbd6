package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
)

// serve runs the server until it is told to stop.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) (err error) {
	if len(args) > 0 {
		return errUsage("Usage: kadr serve\nIt takes no arguments; the settings are environment variables.")
	}
	tuneGC()
	a, err := app.New(ctx, cfg, log, app.Version(version))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	data, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		data = cfg.DataDir
	}
	fmt.Fprintf(os.Stdout, "\nKadr %s is ready.\n  The page   %s/\n  The docs   %s/docs\n  The data   %s\n\n", version, cfg.BaseURL(), cfg.BaseURL(), data)
	return a.Run(ctx)
}

// tuneGC lets garbage grow to four times of what is live, which is little here, before it is collected: a tenth more
// requests a second for some ten megabytes. GOGC and GOMEMLIMIT win over it.
func tuneGC() {
	const usual, ours, memory = 100, 400, 256 << 20
	if before := debug.SetGCPercent(ours); before != usual {
		debug.SetGCPercent(before)
	}
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memory)
	}
}

// migrate brings the database up to date, or says what it lacks.
func migrate(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error {
	switch {
	case len(args) == 0 || (len(args) == 1 && args[0] == "up"):
		if err := app.Migrate(ctx, cfg, log); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "The database is up to date.")
		return nil
	case len(args) == 1 && args[0] == "status":
		status, err := app.MigrationStatus(ctx, cfg, log)
		if err != nil {
			return err
		}
		printStatus(status)
		return nil
	}
	return errUsage("Usage: kadr migrate [up|status]")
}

func printStatus(status db.Status) {
	for _, m := range status.Migrations {
		state := "pending"
		if !m.AppliedAt.IsZero() {
			state = "applied " + m.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		fmt.Fprintf(os.Stdout, "%-40s %s\n", m.Name, state)
	}
	if status.Current > status.Latest {
		fmt.Fprintf(os.Stdout, "The database is at %d, newer than this kadr knows (%d).\n", status.Current, status.Latest)
	}
}

// version is set by the linker: -X main.version=v1.2.3.
var version = "dev"

func printVersion(_ context.Context, _ config.Config, _ *slog.Logger, _ []string) error {
	fmt.Fprintf(os.Stdout, "kadr %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
