package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/doctor"
)

const backupUsage = `Usage: kadr backup [--keep=N] [--verify] [--hold=5s] FOLDER
       kadr backup [--hold=5s] - > FILE.tar

Writes everything that the instance has to keep: into a folder of backups, to which only files go that it has not yet, or
as one tar to standard output. The server may run beside it.

  --keep=N   keep the N newest backups of the folder, this one included, and remove what only older ones need
  --verify   read the files again that the folder has already, and replace damaged ones
  --hold=5s  how long uploads and other writes may wait at the end, so that everything acknowledged before that end is in
             the backup; usually it is a moment. With 0 nobody waits, and the last seconds may be missing

Ends with 0 when everything is in it, and with 1 when it failed or when files that pictures need were gone or damaged.`

// errIncomplete makes the process end with 1; which files are missing is on the terminal by then.
var errIncomplete = errors.New("the backup is whole but for the files above: kadr doctor says more about them")

// back is kadr backup.
func back(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error {
	opts := backup.Options{Progress: progress("backed up")}
	flags := flag.NewFlagSet("backup", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.IntVar(&opts.Keep, "keep", 0, "")
	flags.BoolVar(&opts.Verify, "verify", false, "")
	flags.DurationVar(&opts.Hold, "hold", 5*time.Second, "")
	words, err := parseMixed(flags, args)
	if err != nil || len(words) != 1 || opts.Keep < 0 || opts.Hold < 0 || opts.Hold > backup.MaxHold {
		return errUsage(backupUsage)
	}
	to := words[0]
	if to == "-" && (opts.Keep != 0 || opts.Verify) {
		return errUsage("--keep and --verify are for a folder of backups.\n\n" + backupUsage)
	}
	if to == "-" && isatty.IsTerminal(os.Stdout.Fd()) {
		return errUsage("A backup is not for a terminal: send standard output to a file or a program.\n\n" + backupUsage)
	}
	incomplete := false
	done := func(r backup.Report) error {
		incomplete = r.Manifest.Missing > 0
		printReport(os.Stderr, r)
		return nil
	}
	err = app.WithBackup(ctx, cfg, log, version, func(s *backup.Service, temp string) error {
		if to == "-" {
			return s.ToStream(ctx, os.Stdout, temp, opts, done)
		}
		return s.ToFolder(ctx, to, opts, done)
	})
	if err == nil && incomplete {
		err = errIncomplete
	}
	return err
}

func printReport(w io.Writer, r backup.Report) {
	m := r.Manifest
	for _, f := range m.Faults {
		fmt.Fprintf(w, "missing: %s (%s)\n", f.Path, f.Reason)
	}
	if more := m.Missing - int64(len(m.Faults)); more > 0 {
		fmt.Fprintf(w, "missing: %d more\n", more)
	}
	rows := int64(0)
	for _, t := range m.Tables {
		rows += t.Rows
	}
	name := ""
	if r.Name != "" {
		name = " " + r.Name
	}
	fmt.Fprintf(w, "Backup%s: %d files (%d bytes), of which %d (%d bytes) were copied, and %d rows, in %s.\n",
		name, m.Blobs.Count, m.Blobs.Bytes, r.NewFiles, r.NewBytes, rows, r.Took.Round(time.Millisecond))
	fmt.Fprintf(w, "Everything that was acknowledged before %s is in it", r.Until.Format("2006-01-02 15:04:05.000Z"))
	if m.Missing > 0 {
		fmt.Fprintf(w, ", but for %d files that are missing", m.Missing)
	}
	fmt.Fprintln(w, ".")
}

// progress says what was dealt with, every ten seconds.
func progress(what string) func(backup.Progress) {
	const every = 10 * time.Second
	last := time.Now()
	return func(p backup.Progress) {
		if time.Since(last) >= every {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "%s: %d files, %d bytes (%d copied)\n", what, p.Files, p.Bytes, p.New)
		}
	}
}

const restoreUsage = `Usage: kadr restore [--force] FOLDER
       kadr restore [--force] - < FILE.tar

Brings an instance back from a backup: the newest of a folder of backups, a certain one (FOLDER/backups/NAME), or a tar from
standard input. Every hash is checked before anything is replaced. No server may run.

  --force  replace what the database and the storage have; without it they must be empty

Then it compares database and storage as kadr doctor does, and ends with 0 when nothing is wrong.`

// restore is kadr restore.
func restore(ctx context.Context, cfg config.Config, log *slog.Logger, args []string) error {
	opts := backup.RestoreOptions{Progress: progress("restored")}
	flags := flag.NewFlagSet("restore", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&opts.Force, "force", false, "")
	words, err := parseMixed(flags, args)
	if err != nil || len(words) != 1 {
		return errUsage(restoreUsage)
	}
	from := words[0]
	if from == "-" && isatty.IsTerminal(os.Stdin.Fd()) {
		return errUsage("A backup does not come from a terminal: take standard input from a file or a program.\n\n" + restoreUsage)
	}
	return app.Restore(ctx, cfg, log, func(r *backup.Restorer) (err error) {
		var m backup.Manifest
		if from == "-" {
			m, err = r.FromStream(ctx, os.Stdin, opts)
		} else {
			m, err = r.FromFolder(ctx, from, opts)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "Restored %d files (%d bytes) from the backup of %s, with everything acknowledged before %s.\n",
			m.Blobs.Count, m.Blobs.Bytes, m.StartedAt.Format("2006-01-02 15:04Z"), m.CompleteUntil.Format("2006-01-02 15:04:05.000Z"))
		if m.Missing > 0 {
			fmt.Fprintf(os.Stdout, "%d files were gone or damaged before it was made, and are marked as lost.\n", m.Missing)
		}
		return nil
	}, func(d *doctor.Doctor) error { return examineWith(ctx, d, doctor.Options{}) })
}
