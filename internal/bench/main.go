// Command bench measures Kadr beside what the machine itself allows, in the same run, and prints ratios: `make bench`.
//
// Absolute figures of two runs on two days, or of two machines, say little; the ratio of two things that took turns on one
// machine says how much of the limit is left on the table. Every pair is measured in alternating rounds, and the median of
// the rounds' ratios is what counts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres/embedded"
)

// bench is what all sections share.
type bench struct {
	dir     string // on the disk that is measured; removed at the end
	kadr    string // the server's binary
	photo   string // a 12 MP JPEG
	large   string // a 24 MP JPEG
	rounds  int
	length  time.Duration // of one side of one round
	images  int           // in the feed
	cluster *embedded.Cluster
	keys    []string // see members
	table   *tabwriter.Writer
}

type section struct {
	name string
	run  func(*bench, context.Context) error
}

func sections() []section {
	return []section{
		{"store", (*bench).store},
		{"upload", (*bench).upload},
		{"photo", (*bench).photos},
		{"feed", (*bench).feed},
		{"memory", (*bench).memory},
		{"render", (*bench).render},
		{"master", (*bench).master},
		{"set", (*bench).set},
		{"first", (*bench).first},
		{"delivery", (*bench).delivery},
		{"decoder", (*bench).decoder},
	}
}

func names() []string {
	var all []string
	for _, s := range sections() {
		all = append(all, s.name)
	}
	return all
}

func main() {
	imaging.DecoderMain()
	limitMain()
	b := &bench{}
	only := flag.String("only", "", "sections to run, comma separated: "+strings.Join(names(), ", "))
	flag.StringVar(&b.kadr, "kadr", "bin/kadr", "the server's `binary`")
	flag.StringVar(&b.photo, "photo", "", "a 12 MP JPEG `file`; one is made when empty")
	flag.StringVar(&b.large, "photo24", "", "a 24 MP JPEG `file`; one is made when empty")
	flag.StringVar(&b.dir, "dir", "build", "`folder` on the disk to measure")
	flag.IntVar(&b.rounds, "rounds", 5, "rounds of each pair")
	flag.DurationVar(&b.length, "length", 3*time.Second, "length of one side of a round")
	flag.IntVar(&b.images, "images", 1_000_000, "pictures in the feed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := b.run(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, only string) (err error) {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.dir, "bench-"); err != nil {
		return err
	}
	if b.dir, err = filepath.Abs(b.dir); err != nil {
		return err
	}
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	// Nothing is removed before the end: without a journal ext4 avoids inodes that were freed in the last five minutes, and
	// looks through all of them at every new file. For the same reason a run right after another one is slower.
	defer os.RemoveAll(b.dir)
	b.cluster, err = embedded.Start(ctx, embedded.Config{Dir: filepath.Join(b.dir, "postgres"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { _ = b.cluster.Stop(context.WithoutCancel(ctx)) }()

	b.table = tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(b.table, "what\tKadr\tlimit\tratio\tgoal\t")
	for _, section := range sections() {
		if only != "" && !slices.Contains(strings.Split(only, ","), section.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: measuring %s…\n", time.Now().Format(time.TimeOnly), section.name)
		if err := section.run(b, ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", section.name, err), b.table.Flush())
		}
	}
	return b.table.Flush()
}

// side is one of two things that are compared: it works until the time is over and returns how often it did.
type side func(ctx context.Context) (int, error)

// compare runs two sides in turns and prints a row: their median rates a second, and the median of the rounds' ratios.
func (b *bench) compare(ctx context.Context, what string, goal float64, ours, limit side) error {
	var a, z, ratios []float64
	for round := range b.rounds + 1 {
		rates := [2]float64{}
		order := []int{0, 1}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			rate, err := b.rate(ctx, []side{ours, limit}[i])
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			rates[i] = rate
		}
		if round == 0 {
			continue // warms both up
		}
		a, z, ratios = append(a, rates[0]), append(z, rates[1]), append(ratios, rates[0]/rates[1])
	}
	b.row(what, perSecond(median(a)), perSecond(median(z)), median(ratios), goal)
	return nil
}

func perSecond(rate float64) string {
	if rate < 100 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return fmt.Sprintf("%.0f/s", rate)
}

func (b *bench) row(what, ours, limit string, ratio, goal float64) {
	verdict := fmt.Sprintf("%.2f\t", goal)
	switch {
	case goal == 0:
		verdict = "(reported)\t"
	case ratio < goal:
		verdict += "missed"
	}
	fmt.Fprintf(b.table, "%s\t%s\t%s\t%.2f\t%s\n", what, ours, limit, ratio, verdict)
}

func (b *bench) rate(ctx context.Context, run side) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.length)
	defer cancel()
	start := time.Now()
	n, err := run(ctx)
	return float64(n) / time.Since(start).Seconds(), err
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}

// parallel runs work by n workers until ctx ends, and counts.
func parallel(ctx context.Context, n int, work func(ctx context.Context, worker int) error) (int, error) {
	counts, errs := make([]int, n), make(chan error, n)
	for w := range n {
		go func() {
			for ctx.Err() == nil {
				if err := work(ctx, w); err != nil && ctx.Err() == nil {
					errs <- err
					return
				}
				counts[w]++
			}
			errs <- nil
		}()
	}
	var failed error
	for range n {
		if err := <-errs; err != nil && failed == nil {
			failed = err
		}
	}
	total := 0
	for _, c := range counts {
		total += c
	}
	return total, failed
}
