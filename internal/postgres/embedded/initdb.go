package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
)

// ourConfig ends the postgresql.conf of a new cluster. PostgreSQL's own defaults hold for the rest, among them full
// durability, 128 MB of shared buffers and 100 connections.
const ourConfig = `
# Added by kadr. Change what you like: kadr sets only the socket, the port and where the log goes by itself.
timezone = 'UTC'
jit = off                  # kadr's queries are too short to gain from it
random_page_cost = 1.1     # the disk is taken to be an SSD
`

// initialize makes a new cluster beside its place and then renames it, so that what lies at data/ is always whole.
func initialize(ctx context.Context, at *layout, bin Binaries, run runAs, fast bool) error {
	fresh := at.data + ".init"
	args := []string{
		"-D", fresh, "--username=" + superuser, "--encoding=UTF8", "--data-checksums",
		"--auth-local=trust", "--auth-host=reject", "--no-instructions",
	}
	if fast {
		args = append(args, "--no-sync")
	}
	// All three order text by code point, so no upgrade of the system's locales can break an index. They differ in
	// which letters have upper and lower case; the last is on every system, and knows only ASCII.
	var out string
	var err error
	for _, locale := range [][]string{
		{"--locale=C.UTF-8"}, {"--locale=C", "--lc-ctype=en_US.UTF-8"}, {"--locale=C"},
	} {
		if err := os.RemoveAll(fresh); err != nil {
			return fmt.Errorf("remove what an interrupted start left: %w", err)
		}
		if err := ensurePrivate(fresh, run.user); err != nil {
			return err
		}
		out, err = output(ctx, run, bin.Path("initdb"), append(args, locale...)...)
		if err == nil || !strings.Contains(out, "locale") {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make the PostgreSQL cluster: initdb: %w\n%s", err, strings.TrimSpace(out))
	}
	if err := appendFile(filepath.Join(fresh, "postgresql.conf"), ourConfig); err != nil {
		return fmt.Errorf("configure the PostgreSQL cluster: %w", err)
	}
	if err := os.Rename(fresh, at.data); err != nil {
		return fmt.Errorf("put the PostgreSQL cluster in place: %w", err)
	}
	return syncDir(at.dir)
}

func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ensureDatabase makes Kadr's database unless it is there. It looks at every start, as an earlier one may have been
// killed just before.
func ensureDatabase(ctx context.Context, socketDir string) error {
	conn, err := pgx.Connect(ctx, dsn(socketDir, socketPort))
	if err == nil {
		return conn.Close(ctx)
	}
	const invalidCatalogName = "3D000"
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != invalidCatalogName {
		return err
	}
	if conn, err = pgx.Connect(ctx, dsnOf(socketDir, socketPort, "postgres")); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+databaseName)
	return errors.Join(err, conn.Close(ctx))
}
