// Package server_test runs the scripts of a deployment as they run in truth, but for Docker: a program in its place writes
// down what it is asked, and fails as a test wants.
package server_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// standIn is what is called docker on the server. It reads the version from .env, as compose does, and what is wrong with a
// version from files in $STAND_IN named after it.
const standIn = `#!/bin/sh
version=$(sed -n 's/^KADR_VERSION=//p' .env)
echo "$version: $*" >>"$STAND_IN/asked"
wrong() { [ -e "$STAND_IN/$1-$version" ]; }
case "$*" in
  "compose config --services") printf 'setup\napp\n' ;;
  "compose pull") ! wrong absent ;;
  "compose up "*)
    # What runs now is what up was called for last.
    [ -z "$SLOW" ] || sleep "$SLOW"
    ! wrong refuses ;;
  "compose ps --all --quiet "*) ! wrong gone && echo "id-$5" ;;
  "inspect "*" id-setup") echo exited/0/ ;;
  "inspect "*" id-app")
    if wrong sick; then echo running/0/unhealthy
    elif wrong loops; then
      # By turns up and down.
      if [ -e "$STAND_IN/turn" ]; then rm "$STAND_IN/turn"; echo restarting/1/; else touch "$STAND_IN/turn"; echo running/0/; fi
    else echo running/0/healthy; fi ;;
  "compose ps --all" | "compose logs "*) ;;
  *) echo "what is docker $*?" >&2; exit 64 ;;
esac
`

// box is a server: a folder with Kadr in it, and a docker.
type box struct {
	dir, state, bin string
}

func newBox(t *testing.T) *box {
	t.Helper()
	root := t.TempDir()
	b := &box{filepath.Join(root, "kadr"), filepath.Join(root, "docker"), filepath.Join(root, "bin")}
	for _, dir := range []string{b.dir, b.state, b.bin} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(b.bin, "docker"), standIn)
	if err := os.Chmod(filepath.Join(b.bin, "docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// wrong makes something wrong with a version: absent, refuses, sick, loops, gone.
func (b *box) wrong(t *testing.T, how, version string) {
	t.Helper()
	write(t, filepath.Join(b.state, how+"-"+version), "")
}

func (b *box) environment() []string {
	return append(os.Environ(), "PATH="+b.bin+":"+os.Getenv("PATH"), "STAND_IN="+b.state, "POLL=0.02")
}

// asked returns what docker was asked, and forgets it.
func (b *box) asked(t *testing.T) string {
	t.Helper()
	path := filepath.Join(b.state, "asked")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	_ = os.Remove(path)
	return string(text)
}

// has checks a file in Kadr's folder.
func (b *box) has(t *testing.T, name, want string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil || string(text) != want {
		t.Errorf("%s: %q, %v; not %q", name, text, err, want)
	}
}

// bring makes the folder that a version brings.
func (b *box) bring(t *testing.T, version string) (next string) {
	t.Helper()
	next = filepath.Join(b.dir, ".kadr", "next."+version)
	write(t, filepath.Join(next, "docker-compose.yml"), "# "+version+"\n")
	write(t, filepath.Join(next, "deploy", "compose.tls.yml"), "# tls "+version+"\n")
	return next
}

// updating is the command that brings a version up.
func (b *box) updating(t *testing.T, version, seconds string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	script, err := filepath.Abs("update")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", script, b.bring(t, version), version, seconds)
	said := new(bytes.Buffer)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.dir, b.environment(), said, said
	return cmd, said
}

// update brings a version up and returns the exit code and what was said.
func (b *box) update(t *testing.T, version string) (code int, said string) {
	t.Helper()
	cmd, out := b.updating(t, version, "1")
	code = run(t, cmd)
	return code, out.String()
}

func run(t *testing.T, cmd *exec.Cmd) (code int) {
	t.Helper()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// says checks that each of the parts is said, in this order.
func says(t *testing.T, said string, parts ...string) {
	t.Helper()
	rest := said
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("does not say %q in its place:\n%s", part, said)
			return
		}
		rest = after
	}
}
