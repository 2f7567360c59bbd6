package static_test

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/static"
)

// TestFilesAreWhole follows every link of the page and every import of its modules: a file that is not embedded would
// be missing only in the binary, where no development server shows it.
func TestFilesAreWhole(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`(?:href|src)="/([^"#]+\.(?:css|js|svg))["#]`)
	imported := regexp.MustCompile(`(?m)^(?:import|\} from|export .* from).*?['"](\.{1,2}/[^'"]+)['"];$`)

	checked := 0
	err := fs.WalkDir(static.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if strings.Contains(name, ".test.") || path.Base(name) == "package.json" {
			t.Errorf("%s is not for the browser, but is embedded", name)
		}
		text, err := fs.ReadFile(static.Files, name)
		if err != nil {
			return err
		}
		var targets []string
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			targets = append(targets, match[1])
		}
		if path.Ext(name) == ".js" {
			for _, match := range imported.FindAllStringSubmatch(string(text), -1) {
				targets = append(targets, path.Join(path.Dir(name), match[1]))
			}
		}
		for _, target := range targets {
			checked++
			if _, err := fs.Stat(static.Files, target); err != nil {
				t.Errorf("%s needs %s, which is not embedded", name, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 20 {
		t.Errorf("only %d links and imports were found: the test's patterns no longer fit the files", checked)
	}
}

// mostScript is the most that all the scripts together may weigh, as they lie here: there is no build step to make them smaller.
const mostScript = 140_000

func TestScriptsAreSmall(t *testing.T) {
	t.Parallel()
	total, largest := 0, map[string]int{}
	err := fs.WalkDir(static.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".js" {
			return err
		}
		text, err := fs.ReadFile(static.Files, name)
		total += len(text)
		largest[name] = len(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of JavaScript in %d files, of %d", total, len(largest), mostScript)
	if total == 0 || total >= mostScript {
		names := slices.SortedFunc(maps.Keys(largest), func(a, b string) int { return largest[b] - largest[a] })
		for _, name := range names {
			t.Logf("%6d %s", largest[name], name)
		}
		t.Errorf("%d bytes of JavaScript; they have to stay below %d", total, mostScript)
	}
}
