package k8s_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// standIn is kubectl: it writes down what it is asked, and fails as the files in $STAND_IN say.
const standIn = `#!/bin/sh
echo "$*" >>"$STAND_IN/asked"
is() { [ -e "$STAND_IN/$1" ]; }
case "$*" in
  "kustomize "*) echo "kind: List" ;;
  *" get job/kadr-migrate "*Complete*) is migration-fails || is migration-hangs || echo True ;;
  *" get job/kadr-migrate "*Failed*) ! is migration-fails || echo True ;;
  *" get deployment/kadr") ! is new ;;
  *" rollout status "*) ! is rollout-fails || { rm "$STAND_IN/rollout-fails"; exit 1; } ;;
  *" apply "*) ! is refuses ;;
esac
`

// apply runs the script where each of wrong is so, and returns its exit code, what it said and what kubectl was asked.
func apply(t *testing.T, arguments []string, wrong ...string) (code int, said, asked string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range wrong {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "./apply", arguments...)
	cmd.Env = append(cmd.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "STAND_IN="+dir, "TIMEOUT=1", "POLL=0.05")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out), string(text)
}

func TestApply(t *testing.T) {
	t.Parallel()
	const undo = "rollout undo deployment/kadr"
	for name, test := range map[string]struct {
		wrong []string
		code  int
		says  string
		rolls bool // the new pods are let loose
		undo  bool
	}{
		"a new version":            {nil, 0, "done", true, false},
		"the first":                {[]string{"new"}, 0, "done", true, false},
		"a migration that fails":   {[]string{"migration-fails"}, 1, "nothing was rolled out", false, false},
		"a migration without end":  {[]string{"migration-hangs"}, 1, "nothing was rolled out", false, false},
		"pods that do not start":   {[]string{"rollout-fails"}, 1, "the version before runs again", true, true},
		"the first does not start": {[]string{"new", "rollout-fails"}, 1, "no version before", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, said, asked := apply(t, []string{"many"}, test.wrong...)
			if code != test.code || !strings.Contains(said, test.says) {
				t.Errorf("exit code %d, not %d:\n%s", code, test.code, said)
			}
			// The job of before goes, what is not the server comes, the migration is waited for, and then the rest comes.
			place := 0
			order := []string{"kustomize ", "delete job/kadr-migrate --ignore-not-found --wait\n", "--selector app.kubernetes.io/component notin (server)\n", "Complete"}
			for _, part := range order {
				i := strings.Index(asked[place:], part)
				if i < 0 {
					t.Fatalf("%q is not asked in its place:\n%s", part, asked)
				}
				place += i
			}
			if got := strings.Contains(asked[place:], "apply --filename"); got != test.rolls {
				t.Errorf("rolled: %v\n%s", got, asked)
			}
			if got := strings.Contains(asked, undo); got != test.undo {
				t.Errorf("undone: %v\n%s", got, asked)
			}
		})
	}
}

func TestApplyKnowsItsOverlays(t *testing.T) {
	t.Parallel()
	for _, arguments := range [][]string{nil, {"none"}, {"one", "many"}, {"base/.."}} {
		if code, said, asked := apply(t, arguments); code != 2 || asked != "" {
			t.Errorf("%v: exit code %d, asked %q:\n%s", arguments, code, asked, said)
		}
	}
	if code, said, _ := apply(t, []string{"overlays/one"}); code != 0 {
		t.Errorf("exit code %d:\n%s", code, said)
	}
}
