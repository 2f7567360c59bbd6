// Command dumpschema writes the schema that the migrations make, for people to read and for reviews to compare:
//
//	go run ./internal/testdb/dumpschema db/schema.sql
//
// It migrates a throw-away server and runs pg_dump on it. What differs between versions of pg_dump, or says nothing
// about the schema, is left out, so that the file changes only when the schema does.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/postgres/embedded"
	"github.com/kadr-app/kadr/internal/testdb"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dumpschema file")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	text, err := dump(ctx)
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644) //nolint:gosec // to write where it is told is its purpose
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dumpschema:", err)
		os.Exit(1)
	}
}

func dump(ctx context.Context) (text []byte, err error) {
	log := slog.New(slog.DiscardHandler)
	server, err := testdb.StartServer(ctx, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close(ctx)) }()
	if err := db.Migrate(ctx, server.URL(), log); err != nil {
		return nil, err
	}
	installed, err := embedded.FindBinaries(ctx, nil)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, installed[0].Path("pg_dump"), "--schema-only", "--no-owner", "--no-privileges",
		"--exclude-table=goose_db_version*", server.URL())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("pg_dump: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return normalise(out), nil
}
