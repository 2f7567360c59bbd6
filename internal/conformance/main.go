// Command conformance holds a running server against the contract: `make conformance`, a part of `make contract`. It runs
// the program over a database of its own and lets Schemathesis, which knows the contract alone, call every operation as each
// kind of visitor, with valid and invalid requests, one by one and in sequences, and judge every reply by all its checks.
// It ends with 1 when one fails. What each visitor met is left in build/contract.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
	"github.com/kadr-app/kadr/internal/served"
)

func main() {
	var r run
	visitors := flag.String("visitors", "session,images:write,images:read,images:delete,account:read,anonymous",
		"who calls: anonymous, session, or the scope of an API key")
	flag.StringVar(&r.kadr, "kadr", "bin/kadr", "the program to run")
	flag.StringVar(&r.tool, "schemathesis", ".tools/schemathesis", "folder of Schemathesis's settings and venv")
	flag.StringVar(&r.contract, "contract", "api/openapi.yaml", "the contract")
	flag.StringVar(&r.out, "out", "build/contract", "folder for what each visitor met, and for the server's log")
	flag.IntVar(&r.examples, "examples", 0, "drawn requests for each operation, and sequences of requests; 0: as schemathesis.toml says")
	flag.IntVar(&r.jobs, "jobs", 2, "visitors at a time")
	flag.IntVar(&r.seed, "seed", 1, "what the drawing begins with")
	flag.Parse()
	r.visitors, r.args = strings.Split(*visitors, ","), flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	held, err := r.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
	}
	if err != nil || !held {
		os.Exit(1)
	}
}

type run struct {
	kadr, tool, contract, out string
	visitors, args            []string // args go to Schemathesis
	examples, jobs, seed      int
	url, pictures             string
}

// run reports whether the server kept to the contract.
func (r *run) run(ctx context.Context) (held bool, err error) {
	dir, err := os.MkdirTemp("", "kadr-conformance-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another
		return false, err
	}
	if err := errors.Join(os.RemoveAll(r.out), os.MkdirAll(r.out, 0o750)); err != nil {
		return false, err
	}
	r.pictures = filepath.Join(dir, "pictures")
	if err := paint(r.pictures); err != nil {
		return false, err
	}
	address, err := served.FreeAddress(ctx)
	if err != nil {
		return false, err
	}
	r.url = "http://" + address
	log, err := os.Create(filepath.Join(r.out, "server.log"))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	// The limits by address don't matter: every request names an address of its own (X-Forwarded-For), which is believed.
	program, err := served.Start(ctx, r.kadr, address, filepath.Join(dir, "data"), log, "KADR_PUBLIC_URL="+r.url, "KADR_TRUSTED_PROXIES=127.0.0.0/8")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, program.Stop()) }()
	visits, err := r.visit(ctx)
	if err != nil {
		return false, err
	}
	return report(visits)
}

// paint writes the pictures that are uploaded: small ones, for there are thousands of requests.
func paint(dir string) error {
	if err := os.Mkdir(dir, 0o750); err != nil {
		return err
	}
	for n := range 4 {
		picture := imagetest.Photograph(uint64(n), 48+8*n, 32)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.jpg", n)), picture, 0o600); err != nil {
			return err
		}
	}
	return nil
}
