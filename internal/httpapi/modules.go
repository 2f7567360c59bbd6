package httpapi

import (
	"bytes"
	"path"
	"regexp"
)

// importLine is an import of another module at its place, as the pages' scripts write them.
var importLine = regexp.MustCompile(`(?m)^(?:import|\} from|export .* from).*?'(\.{1,2}/[^']+)';$`)

// modulesOf are the scripts that a page needs, by what the page's own module imports, beyond those that index.html names for
// every page. A browser that is told of them gets them all at once, instead of each after the one that imports it.
func modulesOf(files map[string]*page, own string) (needed []string) {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		file := files[name]
		if file == nil || seen[name] {
			return
		}
		seen[name] = true
		if !bytes.Contains(files["index.html"].body, []byte(`"/`+name+`"`)) {
			needed = append(needed, name)
		}
		for _, match := range importLine.FindAllSubmatch(file.body, -1) {
			visit(path.Join(path.Dir(name), string(match[1])))
		}
	}
	visit("js/app.js")
	visit("js/pages/" + own + ".js")
	return needed
}
