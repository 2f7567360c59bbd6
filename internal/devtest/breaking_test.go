package devtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBreaking compares contracts in a repository of its own, from its first commit to its second release.
func TestBreaking(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	const (
		property = "cache_age: { type: integer"
		finding  = "removed the required property `cache_age` from the response with the `200` status"
	)
	passes := func(base, expect string) {
		t.Helper()
		said, err := r.run(".ci/breaking")
		if err != nil || !strings.Contains(said, base) {
			t.Fatalf("%s: want it to pass, and %q: %v\n%s", expect, base, err, said)
		}
	}
	fails := func(base, expect string) string {
		t.Helper()
		said, err := r.run(".ci/breaking")
		if err == nil || !strings.Contains(said, base) || !strings.Contains(said, finding) {
			t.Fatalf("%s: want it to fail by %q, and %q: %v\n%s", expect, finding, base, err, said)
		}
		return said
	}

	passes("compared with nothing", "without git")
	r.git("init", "--quiet", "--initial-branch", "main")
	passes("compared with nothing", "without a commit")
	r.commit("first")
	passes("compared with nothing", "a first commit")

	// A branch is compared with where it left main.
	r.git("tag", "from-here")
	r.git("switch", "--quiet", "--create", "branch")
	r.change(property, "cache_seconds: { type: integer")
	r.change("thumbnail_height, cache_age]", "thumbnail_height]")
	fails("the contract of from-here", "a change that is not committed")
	r.commit("break it")
	r.commit("nothing more")
	said := fails("the contract of from-here", "a branch")

	// On main, with where it was before.
	r.git("switch", "--quiet", "main")
	r.git("merge", "--quiet", "--no-ff", "branch", "-m", "merge")
	fails("the contract of from-here", "main after a merge")
	r.commit("nothing more")
	passes("the contract of from-here-", "main after another commit")
	r.env = []string{"BEFORE=from-here"}
	fails("the contract of from-here", "main after a push of both")
	r.env = []string{"BEFORE=0000000000000000000000000000000000000000"}
	passes("the contract of from-here-", "main after a first push")
	r.env = []string{"BASE=from-here"}
	fails("the contract of from-here", "a base by name")
	r.env = nil

	// As soon as there is a release, with that; candidates and what others released meanwhile do not count.
	r.git("tag", "v0.9.0", "from-here")
	r.git("tag", "v0.10.0-rc.1")
	fails("the contract of v0.9.0", "a release")
	r.git("tag", "v0.10.0")
	fails("the contract of v0.9.0", "a release, of itself")
	r.change("Is the process alive", "Is it alive")
	passes("the contract of v0.10.0", "a change after a release")
	r.commit("after the release")
	passes("the contract of v0.10.0", "a commit after a release")

	// What is meant is let through by the line that was printed, and nothing else is.
	r.env = []string{"BASE=v0.9.0"}
	_, line, _ := strings.Cut(said, "in API ")
	line, _, _ = strings.Cut(line, "\n")
	r.append("api/breaking.md", "- Meant: "+line+"\n")
	passes("the contract of v0.9.0", "a break that is meant")
	r.change("enum: [inside, cover, contain, fill]", "enum: [inside, cover, contain]")
	if said, err := r.run(".ci/breaking"); err == nil || strings.Contains(said, finding) || !strings.Contains(said, "`fill`") {
		t.Fatalf("want it to fail by the other break alone: %v\n%s", err, said)
	}

	said, err := r.run(".ci/breaking", "changelog")
	if want := "- **Breaking.** R" + strings.TrimPrefix(finding, "r") + ": `GET /oembed`\n"; err != nil || !strings.Contains(said, want) {
		t.Fatalf("want %q: %v\n%s", want, err, said)
	}
}

// repository has what .ci/breaking needs.
type repository struct {
	t   *testing.T
	dir string
	env []string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t: t, dir: t.TempDir()}
	for _, name := range []string{
		".ci/breaking", ".ci/contract-changes.tmpl", ".tools/oasdiff/go.mod", ".tools/oasdiff/go.sum", "api/openapi.yaml", "go.mod",
	} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		r.write(name, string(text))
	}
	r.write("api/breaking.md", "Breaks that are meant.\n")
	return r
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) read(name string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *repository) append(name, text string) { r.write(name, r.read(name)+text) }

func (r *repository) change(from, to string) {
	r.t.Helper()
	text := r.read("api/openapi.yaml")
	if !strings.Contains(text, from) {
		r.t.Fatalf("the contract has no %q", from)
	}
	r.write("api/openapi.yaml", strings.ReplaceAll(text, from, to))
}

func (r *repository) git(args ...string) {
	r.t.Helper()
	if said, err := r.run("git", args...); err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, said)
	}
}

func (r *repository) commit(message string) {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", message)
}

// run starts a program there, by nobody's settings.
func (r *repository) run(name string, args ...string) (string, error) {
	r.t.Helper()
	if strings.Contains(name, "/") {
		name = filepath.Join(r.dir, name)
	}
	cmd := exec.CommandContext(r.t.Context(), name, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(),
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES="+filepath.Dir(r.dir),
		"GIT_AUTHOR_NAME=kadr", "GIT_AUTHOR_EMAIL=kadr@example.org", "GIT_COMMITTER_NAME=kadr", "GIT_COMMITTER_EMAIL=kadr@example.org",
		"BASE=", "BEFORE=")
	cmd.Env = append(cmd.Env, r.env...)
	said, err := cmd.CombinedOutput()
	return string(said), err
}
