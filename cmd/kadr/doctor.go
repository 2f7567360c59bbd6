package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/doctor"
)

const doctorUsage = `Usage: kadr doctor [--deep] [--repair]

Compares the database with the files on disk, both ways, and says what differs. The server may run beside it.

  --deep    also read every file and compare it with the SHA-256 that is its name
  --repair  mend what can be mended; no picture is ever deleted, damaged bytes are kept aside

Ends with 0 when it found nothing, and with 1 when it found something, mended or not.`

// errFound makes the process end with 1; what was found is on the terminal by then.
var errFound = errors.New("the database and the storage differ")

// examine is kadr doctor.
func examine(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error {
	var opts doctor.Options
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&opts.Deep, "deep", false, "")
	flags.BoolVar(&opts.Repair, "repair", false, "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage(doctorUsage)
	}
	return app.WithDoctor(ctx, cfg, log, func(d *doctor.Doctor) error { return examineWith(ctx, d, opts) })
}

// examineWith examines, and prints what is found.
func examineWith(ctx context.Context, d *doctor.Doctor, opts doctor.Options) error {
	summary, err := d.Examine(ctx, opts, func(f doctor.Finding) { fmt.Fprintln(os.Stdout, f) })
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, summary)
	if !summary.Clean() {
		return errFound
	}
	return nil
}
