package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// visit is what one visitor met.
type visit struct {
	visitor, said string
	failed        bool
	outcome       outcome
}

// outcome is what of Schemathesis's own report is of use here.
type outcome struct {
	Complete    bool
	RunningTime float64 `json:"running_time"`
	Operations  struct{ Total, Tested int }
	TestCases   struct {
		Generated int
		Failures  int `json:"unique_failures"`
	} `json:"test_cases"`
	// ValidRates counts for each operation and phase what became of valid requests.
	ValidRates map[string]map[string]struct{ Accepted int } `json:"valid_rates"`
}

// accepted reports whether an operation did once what it is for.
func (o outcome) accepted(operation string) bool {
	for _, phase := range o.ValidRates[operation] {
		if phase.Accepted > 0 {
			return true
		}
	}
	return false
}

// visit lets every visitor call, some of them at once: Schemathesis uses one core.
func (r *run) visit(ctx context.Context) ([]visit, error) {
	visits, errs := make([]visit, len(r.visitors)), make([]error, len(r.visitors))
	seats := make(chan struct{}, max(r.jobs, 1))
	var wg sync.WaitGroup
	for i, visitor := range r.visitors {
		seats <- struct{}{}
		wg.Go(func() {
			defer func() { <-seats }()
			visits[i], errs[i] = r.call(ctx, visitor)
		})
	}
	wg.Wait()
	return visits, errors.Join(errs...)
}

// call runs Schemathesis as one visitor.
func (r *run) call(ctx context.Context, visitor string) (visit, error) {
	v := visit{visitor: visitor}
	base := filepath.Join(r.out, strings.ReplaceAll(visitor, ":", "-"))
	args := append([]string{
		"--config-file", filepath.Join(r.tool, "schemathesis.toml"), "run", r.contract, "--url", r.url, "--checks", "all", "--no-color",
		"--seed", strconv.Itoa(r.seed), "--report-json-path", base + ".json",
	}, r.args...)
	if r.examples > 0 {
		args = append(args, "--max-examples", strconv.Itoa(r.examples))
	}
	cmd := exec.CommandContext(ctx, filepath.Join(r.tool, "venv", "bin", "schemathesis"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "PYTHONPATH="+r.tool, "PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=0",
		"HYPOTHESIS_STORAGE_DIRECTORY="+filepath.Join(r.out, "hypothesis"), // or else .hypothesis in the working folder
		"KADR_CONTRACT_URL="+r.url, "KADR_CONTRACT_VISITOR="+visitor, "KADR_CONTRACT_PICTURES="+r.pictures)
	said, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return v, err
	}
	// It marks what it could not judge, but a sequence that broke off does not change how it ends.
	v.said, v.failed = string(said), err != nil || bytes.Contains(said, []byte("🚫"))
	if err := os.WriteFile(base+".txt", said, 0o600); err != nil {
		return v, err
	}
	text, err := os.ReadFile(base + ".json")
	if err == nil {
		err = json.Unmarshal(text, &v.outcome)
	}
	if err == nil && !v.outcome.Complete {
		err = errors.New("it ended early")
	}
	if err != nil {
		return v, errors.Join(fmt.Errorf("as %s: %w\n%s", visitor, err, said), ctx.Err())
	}
	return v, nil
}
