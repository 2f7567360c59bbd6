package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// report is what of Lighthouse's the table needs.
type report struct {
	RuntimeError struct{ Code, Message string }
	Categories   map[string]struct {
		Score     *float64
		AuditRefs []struct {
			ID     string
			Weight float64
		}
	}
	Audits map[string]struct {
		Title, DisplayValue string
		Score               *float64
	}
}

// score is from 0 to 100.
func (r *report) score(category string) int {
	if s := r.Categories[category].Score; s != nil {
		return int(math.Round(*s * 100))
	}
	return 0
}

// reasons names what took from a category's score.
func (r *report) reasons(page, category string) (lines []string) {
	for _, ref := range r.Categories[category].AuditRefs {
		if a := r.Audits[ref.ID]; ref.Weight > 0 && a.Score != nil && *a.Score < 0.9 {
			lines = append(lines, fmt.Sprintf("  %s, %s: %s (%s) %s", page, category, a.Title, ref.ID, a.DisplayValue))
		}
	}
	return lines
}

// middle visits a page some times, and returns the report whose performance is in the middle. That one stays in the folder.
func (m measurement) middle(ctx context.Context, v visit) (*report, error) {
	reports := map[string]*report{}
	for i := range m.runs {
		base := filepath.Join(m.out, fmt.Sprintf("%s-%d", v.name, i))
		r, err := m.visit(ctx, v, base)
		if err != nil {
			return nil, err
		}
		reports[base] = r
	}
	bases := slices.SortedFunc(maps.Keys(reports), func(a, b string) int {
		return cmp.Compare(reports[a].score("performance"), reports[b].score("performance"))
	})
	kept := bases[len(bases)/2]
	var errs []error
	for _, base := range bases {
		for _, kind := range []string{".report.json", ".report.html"} {
			if base == kept {
				errs = append(errs, os.Rename(base+kind, filepath.Join(m.out, v.name+kind)))
			} else {
				errs = append(errs, os.Remove(base+kind))
			}
		}
	}
	return reports[kept], errors.Join(errs...)
}

// visit lets Lighthouse visit a page once, in a browser that reaches nothing but this machine.
func (m measurement) visit(ctx context.Context, v visit, base string) (*report, error) {
	chromium, err := m.findChromium()
	if err != nil {
		return nil, err
	}
	headers, err := json.Marshal(v.header)
	if err != nil {
		return nil, err
	}
	categories := make([]string, 0, len(goals()))
	for _, g := range goals() {
		categories = append(categories, g.category)
	}
	cmd := exec.CommandContext(ctx, "node", m.cli, v.address, "--quiet", "--no-enable-error-reporting",
		"--output=json", "--output=html", "--output-path="+base, "--only-categories="+strings.Join(categories, ","),
		"--extra-headers="+string(headers), "--chrome-flags="+strings.Join([]string{
			"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", `--host-resolver-rules="MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"`,
		}, " "))
	cmd.Env = append(os.Environ(), "CHROME_PATH="+chromium)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	text, err := os.ReadFile(base + ".report.json")
	if err != nil {
		return nil, err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	if r.RuntimeError.Code != "" {
		return nil, fmt.Errorf("%s: %s", r.RuntimeError.Code, r.RuntimeError.Message)
	}
	return &r, nil
}

// findChromium looks where the browser tests do.
func (m measurement) findChromium() (string, error) {
	names := []string{
		"chromium", "google-chrome", "google-chrome-stable", "headless-shell", "chrome", "chromium-browser",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
	}
	if m.chromium != "" {
		names = []string{m.chromium}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium among %s", strings.Join(names, ", "))
}
