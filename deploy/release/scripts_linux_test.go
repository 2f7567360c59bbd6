package release_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const changelog = `# Changelog

## Unreleased

- Something to come.

## v1.2.3 (2026-11-24)

- The first thing,
  on two lines.

- The second.

## v1.2.30

- Another version.

## v1.1.0

## v1.0.0

- The oldest.
`

// standIn is docker and gh: it writes down what it is asked, and answers as they would.
const standIn = `#!/bin/sh
echo "${0##*/} $*" >>"$STAND_IN/asked"
case "${0##*/} $*" in
  "docker login "*) cat >"$STAND_IN/password" ;;
  "docker buildx inspect "*) exit 1 ;;
  "docker buildx build "*)
    while [ $# -gt 0 ]; do
      if [ "$1" = --metadata-file ]; then
        printf '{\n  "containerimage.config.digest": "sha256:%064d",\n  "containerimage.digest": "sha256:%064d"\n}\n' 1 2 >"$2"
      fi
      shift
    done ;;
  "docker buildx imagetools inspect "*) printf 'sha256:%064d\n' 3 ;;
  "gh release view "*) [ -e "$STAND_IN/drafted" ] ;;
esac
`

// desk is a checkout with the scripts, and the stand-ins in PATH.
type desk struct{ dir, state, bin string }

func newDesk(t *testing.T) *desk {
	t.Helper()
	root := t.TempDir()
	d := &desk{filepath.Join(root, "kadr"), filepath.Join(root, "state"), filepath.Join(root, "bin")}
	write(t, filepath.Join(d.dir, "CHANGELOG.md"), changelog)
	for _, name := range []string{"docker", "gh"} {
		write(t, filepath.Join(d.bin, name), standIn)
	}
	write(t, filepath.Join(d.state, "asked"), "")
	script := `mkdir -p "$1/deploy/release" && cp login notes image index publish "$1/deploy/release/" && chmod 755 "$2"/* && cd "$1" &&
		git init -q && git add . && git -c user.name=x -c user.email=x@example.org commit -qm x`
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", d.dir, d.bin).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return d
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

func (d *desk) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "build", "release", name))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// run runs a script and returns its exit code, what it said, and what the stand-ins were asked.
func (d *desk) run(t *testing.T, script string, variables ...string) (code int, said, asked string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(d.dir, "deploy", "release", script))
	cmd.Env = append(cmd.Environ(), "PATH="+d.bin+":"+os.Getenv("PATH"), "STAND_IN="+d.state, "VERSION=v1.2.3",
		"REGISTRY=registry.example.org/kadr-app")
	cmd.Env = append(cmd.Env, variables...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	path := filepath.Join(d.state, "asked")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "")
	return cmd.ProcessState.ExitCode(), string(out), string(text)
}

func TestNotes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if code, said, _ := d.run(t, "notes"); code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if got, want := d.read(t, "notes.md"), "- The first thing,\n  on two lines.\n\n- The second.\n\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	for version, want := range map[string]int{"v1.0.0": 0, "v1.1.0": 1, "v1.2.4": 1, "v1.2": 2, "Unreleased": 2, "": 2} {
		code, said, _ := d.run(t, "notes", "VERSION="+version)
		if code != want {
			t.Errorf("%q: exit code %d, not %d: %s", version, code, want, said)
		}
		if want == 1 && !strings.Contains(said, version) {
			t.Errorf("does not say what is missing: %s", said)
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	code, said, asked := d.run(t, "login", "REGISTRY_USER=anna", "REGISTRY_PASSWORD=hunter2")
	if code != 0 || asked != "docker login registry.example.org --username anna --password-stdin\n" {
		t.Errorf("exit code %d, asked %q: %s", code, asked, said)
	}
	if text, err := os.ReadFile(filepath.Join(d.state, "password")); err != nil || string(text) != "hunter2" {
		t.Errorf("password %q, %v", text, err)
	}
	if code, said, _ := d.run(t, "login", "REGISTRY_USER=anna", "REGISTRY_PASSWORD="); code == 0 || !strings.Contains(said, "REGISTRY_PASSWORD") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestImage(t *testing.T) {
	t.Parallel()
	for target, image := range map[string]string{"app": "kadr", "gateway": "kadr-gateway"} {
		d := newDesk(t)
		code, said, asked := d.run(t, "image", "TARGET="+target)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, said)
		}
		for _, part := range []string{
			"buildx create --name kadr-release --driver docker-container", "--platform linux/" + runtime.GOARCH + " --target " + target + " ",
			"--build-arg VERSION=v1.2.3", "--provenance mode=max --sbom true",
			"type=image,name=registry.example.org/kadr-app/" + image + ",push-by-digest=true,name-canonical=true,push=true",
		} {
			if !strings.Contains(asked, part) {
				t.Errorf("docker is not asked for %s:\n%s", part, asked)
			}
		}
		if got := d.read(t, "digests/"+image+"-"+runtime.GOARCH); got != fmt.Sprintf("sha256:%064d\n", 2) {
			t.Errorf("digest %q", got)
		}
	}
	d := newDesk(t)
	code, said, asked := d.run(t, "image", "TARGET=app", "PUSH=", "REGISTRY=")
	if code != 0 || strings.Contains(asked, "push") || !strings.Contains(asked, "type=cacheonly") {
		t.Errorf("exit code %d: %s\n%s", code, said, asked)
	}
	for _, variables := range [][]string{{"TARGET=db"}, {"TARGET=app", "REGISTRY="}, {"TARGET=app", "VERSION=latest"}} {
		if code, said, asked := d.run(t, "image", variables...); code == 0 || strings.Contains(asked, "build ") {
			t.Errorf("%v: exit code %d: %s\n%s", variables, code, said, asked)
		}
	}
}

func TestIndex(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	n := 10
	digest := map[string]string{}
	for _, image := range []string{"kadr", "kadr-gateway"} {
		for _, arch := range []string{"amd64", "arm64"} {
			if code, said, asked := d.run(t, "index"); code == 0 || asked != "" {
				t.Errorf("exit code %d without %s for %s: %s\n%s", code, image, arch, said, asked)
			}
			n++
			digest[image+"-"+arch] = fmt.Sprintf("sha256:%064d", n)
			write(t, filepath.Join(d.dir, "build/release/digests", image+"-"+arch), digest[image+"-"+arch]+"\n")
		}
	}
	code, said, asked := d.run(t, "index")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	names := ""
	for _, image := range []string{"kadr", "kadr-gateway"} {
		name := "registry.example.org/kadr-app/" + image
		if want := "imagetools create --tag " + name + ":v1.2.3 " + name + "@" + digest[image+"-amd64"] + " " + name + "@" + digest[image+"-arm64"] + "\n"; !strings.Contains(asked, want) {
			t.Errorf("not asked: %s:\n%s", want, asked)
		}
		names += fmt.Sprintf("%s:v1.2.3@sha256:%064d\n", name, 3)
	}
	if got := d.read(t, "images.txt"); got != names {
		t.Errorf("%q, not %q", got, names)
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	files := []string{
		"kadr-v1.2.3-linux-amd64-debian12.cdx.json", "kadr-v1.2.3-linux-amd64-debian12.tar.gz",
		"kadr-v1.2.3-linux-arm64-debian12.cdx.json", "kadr-v1.2.3-linux-arm64-debian12.tar.gz", "images.txt",
	}
	for _, name := range files {
		if code, said, asked := d.run(t, "publish"); code == 0 || asked != "" {
			t.Errorf("exit code %d without %s: %s\n%s", code, name, said, asked)
		}
		write(t, filepath.Join(d.dir, "build/release", name), name)
	}
	code, said, asked := d.run(t, "publish")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if !strings.Contains(asked, "gh release create v1.2.3 --draft --verify-tag ") || strings.Contains(asked, "--prerelease") {
		t.Errorf("asked:\n%s", asked)
	}
	sums := d.read(t, "SHA256SUMS")
	for _, name := range files {
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(name)), name); !strings.Contains(sums, want) {
			t.Errorf("SHA256SUMS lacks %s:\n%s", want, sums)
		}
		if !strings.Contains(asked, " "+name) {
			t.Errorf("%s is not published:\n%s", name, asked)
		}
	}
	if !strings.Contains(asked, " SHA256SUMS") {
		t.Errorf("the checksums are not published:\n%s", asked)
	}

	write(t, filepath.Join(d.state, "drafted"), "")
	code, said, asked = d.run(t, "publish")
	if code != 0 || strings.Contains(asked, "create") || !strings.Contains(asked, "gh release upload v1.2.3 --clobber ") {
		t.Errorf("exit code %d: %s\n%s", code, said, asked)
	}
}
