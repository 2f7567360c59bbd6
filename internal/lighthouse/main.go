// Command lighthouse measures the pages as a phone on a slow network gets them: `make lighthouse`. It runs the program behind
// the repository's nginx, puts pictures in, lets Lighthouse visit each page with its default settings, and prints what it
// says beside the goals. It ends with 1 where one is missed. The reports are left in build/lighthouse.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"github.com/kadr-app/kadr/internal/nginxtest"
	"github.com/kadr-app/kadr/internal/served"
)

// goals are the least that each page must have.
func goals() []goal {
	return []goal{{"performance", 95}, {"accessibility", 100}, {"best-practices", 95}}
}

type goal struct {
	category string
	score    int
}

func main() {
	var m measurement
	flag.StringVar(&m.kadr, "kadr", "bin/kadr", "the program to run")
	flag.StringVar(&m.cli, "lighthouse", ".tools/lighthouse/node_modules/lighthouse/cli/index.js", "Lighthouse's own program")
	flag.StringVar(&m.chromium, "chromium", "", "the browser; empty: the one that this machine has under a usual name")
	flag.StringVar(&m.out, "out", "build/lighthouse", "folder for the reports")
	flag.IntVar(&m.runs, "runs", 3, "visits to each page, of which the middle one counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	met, err := m.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lighthouse:", err)
	}
	if err != nil || !met {
		os.Exit(1)
	}
}

type measurement struct {
	kadr, cli, chromium, out string
	runs                     int
}

func (m measurement) run(ctx context.Context) (met bool, err error) {
	dir, err := os.MkdirTemp("", "kadr-lighthouse-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // nginx and PostgreSQL run as others
		return false, err
	}
	if err := nginxtest.Pages(ctx, dir); err != nil {
		return false, err
	}
	address, err := served.FreeAddress(ctx)
	if err != nil {
		return false, err
	}
	data := filepath.Join(dir, "data")
	gateway, err := nginxtest.Start(ctx, nginxtest.Config{
		Upstream: address, Storage: filepath.Join(data, "storage"), Static: filepath.Join(dir, "static"), Log: os.Stderr,
		Settings: []string{"KADR_UNLIMITED=127.0.0.0/8"},
	})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, gateway.Stop()) }()
	program, err := served.Start(ctx, m.kadr, address, data, os.Stderr, "KADR_PUBLIC_URL="+gateway.URL, "KADR_DELIVERY=accel",
		"KADR_TRUSTED_PROXIES=127.0.0.0/8")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, program.Stop()) }()
	visits, err := furnish(ctx, gateway.URL)
	if err != nil {
		return false, err
	}
	return m.measure(ctx, visits)
}

// measure visits all pages and prints the table.
func (m measurement) measure(ctx context.Context, visits []visit) (met bool, err error) {
	if err := os.MkdirAll(m.out, 0o750); err != nil {
		return false, err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(table, "page\t")
	for _, g := range goals() {
		_, _ = fmt.Fprintf(table, "%s (%d)\t", g.category, g.score)
	}
	_, _ = fmt.Fprintln(table, "FCP\tLCP\tTBT\tCLS\t")
	met = true
	var why []string
	for _, v := range visits {
		r, err := m.middle(ctx, v)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		_, _ = fmt.Fprintf(table, "%s\t", v.name)
		if err != nil {
			met = false
			why = append(why, fmt.Sprintf("  %s: not measured: %v", v.name, err))
			_, _ = fmt.Fprintln(table, "-\t-\t-\t-\t-\t-\t-\t")
			continue
		}
		for _, g := range goals() {
			mark, score := "", r.score(g.category)
			if score < g.score {
				mark, met = " !", false
				why = append(why, r.reasons(v.name, g.category)...)
			}
			_, _ = fmt.Fprintf(table, "%d%s\t", score, mark)
		}
		for _, audit := range []string{"first-contentful-paint", "largest-contentful-paint", "total-blocking-time", "cumulative-layout-shift"} {
			_, _ = fmt.Fprintf(table, "%s\t", r.Audits[audit].DisplayValue)
		}
		_, _ = fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return false, err
	}
	for _, w := range why {
		fmt.Println(w)
	}
	fmt.Printf("reports: %s/*.html\n", m.out)
	return met, nil
}
