package deploy_test

import (
	"bufio"
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// stage is a part of the Dockerfile: its instructions by their names, in order.
type stage struct {
	base string
	has  map[string][]string
}

// stages reads the Dockerfile. The last stage is what is built when none is named.
func stages(t *testing.T) (all map[string]stage, last string) {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	joined := regexp.MustCompile(`\\\n(\s*#.*\n)*\s*`).ReplaceAllString(string(text), "")
	all = map[string]stage{}
	for line := range strings.Lines(joined) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || strings.HasPrefix(word, "#") {
			continue
		}
		if word == "FROM" {
			fields := strings.Fields(rest)
			if len(fields) != 3 || fields[1] != "AS" {
				t.Fatalf("a stage without a name: %s", line)
			}
			last = fields[2]
			all[last] = stage{base: fields[0], has: map[string][]string{}}
			continue
		}
		all[last].has[word] = append(all[last].has[word], rest)
	}
	return all, last
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	all, last := stages(t)
	if names := slices.Sorted(maps.Keys(all)); last != "app" || !slices.Equal(names, []string{"app", "build", "gateway", "pages"}) {
		t.Fatalf("stages %q, the last is %s", names, last)
	}
	for name, s := range all {
		if !regexp.MustCompile(`^[a-z]+:\d+\.\d+(\.\d+)?(-[a-z]+)?$`).MatchString(s.base) {
			t.Errorf("%s begins with %s, which is not pinned", name, s.base)
		}
	}
	project := load(t)
	for _, name := range []string{"app", "gateway"} {
		s, service := all[name], project.Services[name]
		for _, word := range []string{"USER", "HEALTHCHECK", "ENTRYPOINT", "EXPOSE", "LABEL"} {
			if len(s.has[word]) != 1 {
				t.Errorf("%s has %d times %s", name, len(s.has[word]), word)
			}
		}
		if !slices.Equal(s.has["USER"], []string{service.User}) {
			t.Errorf("%s runs as %q, and as %s in docker-compose.yml", name, s.has["USER"], service.User)
		}
		if service.Build == nil || service.Build.Target != name || service.HealthCheck != nil {
			t.Errorf("%s: docker-compose.yml builds another target, or has a check of its own", name)
		}
		if regexp.MustCompile(`gcc|g\+\+|-dev\b|make|git\b`).MatchString(strings.Join(s.has["RUN"], "\n")) {
			t.Errorf("%s has what only a build needs", name)
		}
	}
	app := all["app"].has
	for word, want := range map[string]string{
		"ENTRYPOINT": `["kadr"]`, "CMD": `["serve"]`, "VOLUME": `["/data/storage"]`, "EXPOSE": "8080", "ENV": "KADR_DATA_DIR=/data",
	} {
		if !slices.Equal(app[word], []string{want}) {
			t.Errorf("%s is %q, want %s", word, app[word], want)
		}
	}
	if !strings.HasSuffix(app["HEALTHCHECK"][0], `CMD ["kadr", "healthcheck"]`) {
		t.Errorf("the app is checked by %s", app["HEALTHCHECK"][0])
	}
	if run := strings.Join(all["build"].has["RUN"], "\n"); !strings.Contains(run, `go build -trimpath -ldflags "-s -w -X main.version=$VERSION"`) {
		t.Errorf("the binary is not built as it should:\n%s", run)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	minor := regexp.MustCompile(`(?m)^go (\d+\.\d+)\.`).FindSubmatch(mod)
	if minor == nil || !strings.HasPrefix(all["build"].base, "golang:"+string(minor[1])+".") {
		t.Errorf("go.mod says %s, and the image is built from %s", minor, all["build"].base)
	}
}

// Everything that the program is built of gets into the image's build, and neither tests nor data do.
func TestBuildContext(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	leftOut := func(name string) bool {
		t.Helper()
		out, err := ignored.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	all, _ := stages(t)
	copied := strings.Join(all["build"].has["COPY"], "\n")

	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		`{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range $.CgoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`,
		"./cmd/kadr")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"go.mod", "go.sum"}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if file := strings.TrimPrefix(lines.Text(), root+"/"); file != "" {
			files = append(files, file)
		}
	}
	if len(files) < 100 {
		t.Fatalf("go list names %d files only", len(files))
	}
	for _, file := range files {
		folder, _, _ := strings.Cut(file, "/")
		if leftOut(file) || !strings.Contains(copied, folder) {
			t.Errorf("%s is missing in the image's build", file)
		}
	}
	for _, file := range []string{"nginx/nginx.conf", "static/index.html"} {
		if leftOut(file) {
			t.Errorf("%s is missing in the gateway's build", file)
		}
	}
	for _, file := range []string{".git/config", ".env", "data/storage/instance", "build/x", "bin/kadr", "api/node_modules/x", "internal/app/boot_test.go"} {
		if !leftOut(file) {
			t.Errorf("%s goes into the image's build", file)
		}
	}
}
