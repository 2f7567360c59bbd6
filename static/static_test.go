package static_test

import (
	"io/fs"
	"path"
	"regexp"
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
