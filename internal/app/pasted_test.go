package app_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

// snippet is what a page gives to paste, and what stands below it as what that prints.
type snippet struct {
	line           int
	script, output string
	shown          bool // whether something stands there
}

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```\n")

// snippetsOf reads those of a page; with a heading only those of its section.
func snippetsOf(t *testing.T, path, heading string) (all []snippet) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	from, to := 0, len(text)
	if heading != "" {
		from = bytes.Index(text, []byte("\n## "+heading+"\n"))
		if from < 0 {
			t.Fatalf("%s has no %q", path, heading)
		}
		if next := bytes.Index(text[from+1:], []byte("\n## ")); next >= 0 {
			to = from + 1 + next
		}
	}
	end := -1 // of the last snippet
	for _, at := range fence.FindAllSubmatchIndex(text[:to], -1) {
		language, body := string(text[at[2]:at[3]]), string(text[at[4]:at[5]])
		switch {
		case at[0] < from:
		case language == "sh":
			all = append(all, snippet{line: 1 + bytes.Count(text[:at[0]], []byte("\n")), script: body})
			end = at[1]
		case end >= 0 && len(bytes.TrimSpace(text[end:at[0]])) == 0:
			all[len(all)-1].output, all[len(all)-1].shown = body, true
		default:
			t.Errorf("%s: what a snippet prints stands right below it, and this does not: %s", path, body)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has nothing to paste", path)
	}
	return all
}

// differing are what every instance, every run and every photograph has of its own.
func differing() []string {
	return []string{
		`\b[a-z2-7]{13}\b`,                // ids
		`\d{4}-\d\d-\d\dT[\d:.]+Z`,        // times
		`sig=[\w-]{43}`, `expires=\d{10}`, // signatures, and when they end
		`\bv=[0-9a-z]+`,          // versions
		`"request_id": "[\w-]+"`, // requests
		`;r=\d+;t=\d+`,           // what is left of a limit
	}
}

func normal(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n") // headers end so, and a terminal does not show it
	for _, pattern := range differing() {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, "…")
	}
	return strings.TrimSpace(text)
}

// pasted pastes snippets into one shell, beside an instance and a photograph, and returns what each prints.
func pasted(t *testing.T, binary string, all []snippet) []string {
	t.Helper()
	server := kadrServe(t, binary)
	env := settings(t, "KADR_PUBLIC_URL=http://"+server.listen)
	start(t, server, env)

	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "photo.jpg"), imagetest.Photograph(1, 1600, 1200), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(binary, filepath.Join(folder, "bin", "kadr")); err != nil {
		t.Fatal(err)
	}
	const border = "-- that was one snippet --"
	var script strings.Builder
	for _, s := range all {
		script.WriteString(s.script + "\nprintf '\\n%s\\n' '" + border + "'\n")
	}
	const address = "http://localhost:8080"
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script.String(), address, "http://"+server.listen))
	cmd.Dir = folder
	cmd.Env = slices.Concat(env, []string{"HOME=" + folder, "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"})
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	parts := strings.Split(strings.ReplaceAll(string(said), "http://"+server.listen, address), "\n"+border+"\n")
	return parts[:len(all)]
}

// testGuide pastes api/README.md, which is for people who write programs, and reads whether what it shows is what comes.
func testGuide(t *testing.T, binary string) {
	all := snippetsOf(t, "api/README.md", "")
	shown := 0
	for i, said := range pasted(t, binary, all) {
		if !all[i].shown {
			if strings.TrimSpace(said) != "" {
				t.Errorf("line %d prints, and the page does not say so:\n%s", all[i].line, said)
			}
			continue
		}
		shown++
		if normal(said) != normal(all[i].output) {
			t.Errorf("line %d prints\n%s\nand not what stands below it:\n%s", all[i].line, said, all[i].output)
		}
	}
	if len(all) < 15 || shown < 12 {
		t.Errorf("only %d snippets, and what %d print", len(all), shown)
	}
}

// testTour pastes the README's.
func testTour(t *testing.T, binary string) {
	all := snippetsOf(t, "README.md", "A tour with curl")
	said := pasted(t, binary, all)
	tour := strings.TrimSpace(said[len(said)-1])
	if !strings.HasSuffix(tour, "\n410") || strings.Contains(tour, "/problems/") || strings.Count(tour, "\n") != 7 {
		t.Errorf("the tour goes\n%s", tour)
	}
}
