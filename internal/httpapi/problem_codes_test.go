package httpapi

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/internal/apperr"
)

// inner are codes that no request can meet, and that therefore need no page.
func inner() map[string]string {
	return map[string]string{
		"blob_not_found":       "a picture whose bytes are gone is answered as internal",
		"variant_not_found":    "a variant that is not there is made",
		"blob_ref_invalid":     "a Ref is read from the disk and the database only",
		"variant_name_invalid": "variants are named by their shapes",
		"invalid_role":         "of kadr admin",
		"invalid_quota":        "of kadr admin",
		"invalid_lifetime":     "of kadr admin",
	}
}

// said is what the sources say of a code.
type said struct {
	statuses map[int]bool
	details  []string // what they say in words, %s and all
	free     bool     // there are other words, which the sources put together
	fault    bool     // it stands in errors
}

// codes finds in the sources every code that a problem may carry.
type codes struct {
	t     *testing.T
	all   map[string]*said
	kinds map[string]apperr.Kind
	named map[string][]string // codes by the names of the variables that hold such errors
	again [][2]string         // names of variables, and other words for what they hold
}

func (c *codes) of(code string) *said {
	if c.all[code] == nil {
		c.all[code] = &said{statuses: map[int]bool{}}
	}
	return c.all[code]
}

// say notes a code and, as far as they are given, its status and its words.
func (c *codes) say(where token.Position, code ast.Expr, status int, detail ast.Expr) *said {
	name, ok := literal(code)
	if !ok {
		c.t.Errorf("%s: a code must be written out where it is given, for this test to see it", where)
		return &said{}
	}
	s := c.of(name)
	if status != 0 {
		s.statuses[status] = true
	}
	if text, ok := literal(detail); ok {
		s.details = append(s.details, text)
	} else {
		s.free = true
	}
	return s
}

// literal returns a text that is written out, in pieces perhaps.
func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := literal(e.X)
		right, ok2 := literal(e.Y)
		return left + right, ok1 && ok2
	}
	return "", false
}

// isCodeOf tells whether an expression is the Code of an error that was made elsewhere.
func isCodeOf(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "Code" || s.Sel.Name == "code")
}

func (c *codes) read(path string, inHTTP bool) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	// In this package a function that takes a code as such passes it on, and its calls are what counts.
	passing := map[string]int{"newFault": 3, "bodyFault": 0, "formFault": 1, "fault": 1, "one": 0}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && isIdent(s.X, "apperr") && (s.Sel.Name == "New" || s.Sel.Name == "Newf") {
				c.apperr(fset.Position(n.Pos()), n)
			}
			if f, ok := n.Fun.(*ast.Ident); ok && inHTTP {
				if at, passes := passing[f.Name]; passes && !isIdent(n.Args[at], "code") {
					c.say(fset.Position(n.Pos()), n.Args[at], 0, n.Args[min(at+1, len(n.Args)-1)]).fault = true
				}
			}
		case *ast.ValueSpec:
			c.variable(n)
		case *ast.CompositeLit:
			if inHTTP {
				c.document(fset.Position(n.Pos()), n)
			}
		}
		return true
	})
}

// variable notes the code of a variable that begins as apperr.New.
func (c *codes) variable(spec *ast.ValueSpec) {
	for i, value := range spec.Values {
		ast.Inspect(value, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 3 {
				return true
			}
			if code, ok := literal(call.Args[1]); ok {
				c.named[spec.Names[i].Name] = append(c.named[spec.Names[i].Name], code)
			}
			return false
		})
	}
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func (c *codes) apperr(where token.Position, call *ast.CallExpr) {
	kindExpr, ok := call.Args[0].(*ast.SelectorExpr)
	kind, known := c.kinds[nameOfKind(kindExpr)]
	switch {
	case isCodeOf(call.Args[1]):
		name, ok1 := call.Args[1].(*ast.SelectorExpr).X.(*ast.Ident)
		if text, ok2 := literal(call.Args[2]); ok1 && ok2 {
			c.again = append(c.again, [2]string{name.Name, text})
		}
	case !ok || !known:
		c.t.Errorf("%s: a kind must be written out beside its code", where)
	case kind != apperr.Internal: // which shows nothing
		c.say(where, call.Args[1], statusOf(kind), call.Args[2])
	}
}

func nameOfKind(e *ast.SelectorExpr) string {
	if e == nil {
		return ""
	}
	return strings.ToLower(e.Sel.Name)
}

// document reads a problem, or an error of one.
func (c *codes) document(where token.Position, lit *ast.CompositeLit) {
	fields := map[string]ast.Expr{}
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok {
				fields[id.Name] = kv.Value
			}
		}
	}
	switch {
	case fields["code"] != nil && !isCodeOf(fields["code"]):
		status, sent := 0, true
		if s, ok := fields["status"].(*ast.SelectorExpr); ok {
			status = statusNamed(s.Sel.Name)
		} else {
			sent = !isIdent(fields["status"], "statusClientClosedRequest") // which nobody gets
		}
		if sent {
			c.say(where, fields["code"], status, fields["detail"])
		}
	case fields["Code"] != nil && fields["Detail"] != nil && !isCodeOf(fields["Code"]) && !isIdent(fields["Code"], "code"):
		c.say(where, fields["Code"], 0, fields["Detail"]).fault = true
	}
}

// statusNamed finds a status by the name of its constant; 0 where it is none, as where it was found out before.
func statusNamed(name string) int {
	for status := 400; status < 600; status++ {
		if "Status"+strings.NewReplacer(" ", "", "-", "", "'", "").Replace(http.StatusText(status)) == name {
			return status
		}
	}
	return 0
}

// nginx reads what the gateway says by itself.
func (c *codes) nginx(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	values := func(name string) map[string]string {
		_, rest, _ := strings.Cut(string(text), "map $status $kadr_fault_"+name+" {")
		block, _, ok := strings.Cut(rest, "\n}")
		if !ok {
			c.t.Fatalf("%s has no %s", path, name)
		}
		found := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^\t(default|\d+) "?(.*?)"?;$`).FindAllStringSubmatch(block, -1) {
			found[strings.Replace(m[1], "default", "500", 1)] = m[2]
		}
		return found
	}
	details, titles := values("detail"), values("title")
	for status, code := range values("code") {
		n, err := strconv.Atoi(status)
		if err != nil {
			c.t.Fatal(err)
		}
		if titles[status] != titleOf(n) {
			c.t.Errorf("nginx calls %d %q, and the server %q", n, titles[status], titleOf(n))
		}
		s := c.of(code)
		s.statuses[n] = true
		s.details = append(s.details, details[status])
	}
}

// TestEveryCodeHasAPage walks the sources and the gateway's configuration: whatever code they can answer with is explained, with
// its status and in its words, and nothing is explained that nobody answers.
func TestEveryCodeHasAPage(t *testing.T) {
	t.Parallel()
	c := &codes{t: t, all: map[string]*said{}, kinds: map[string]apperr.Kind{}, named: map[string][]string{}}
	for k := apperr.Internal; !strings.HasPrefix(k.String(), "kind("); k++ {
		c.kinds[strings.ReplaceAll(k.String(), "_", "")] = k
	}
	root := filepath.Join("..", "..")
	for _, folder := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && strings.HasSuffix(d.Name(), "test") { // what only tests use
				return fs.SkipDir
			}
			if !d.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				c.read(path, filepath.Base(filepath.Dir(path)) == "httpapi")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, more := range c.again {
		for _, code := range c.named[more[0]] {
			if s := c.all[code]; s != nil {
				s.details = append(s.details, more[1])
			}
		}
	}
	c.nginx(filepath.Join(root, "nginx", "faults.conf"))
	if len(c.all) < 90 {
		t.Errorf("only %d codes were found: the walk has lost its way", len(c.all))
	}

	pages, err := api.Problems()
	if err != nil {
		t.Fatal(err)
	}
	here := map[string]bool{}
	for _, p := range pages {
		here[p.Code] = true
		s := c.all[p.Code]
		if s == nil || inner()[p.Code] != "" {
			t.Errorf("nothing answers %s, but it has a page", p.Code)
			continue
		}
		if len(s.statuses) > 1 || len(s.statuses) == 1 && !s.statuses[p.Status] || len(s.statuses) == 0 && (!p.Fault || p.Status != http.StatusBadRequest) {
			t.Errorf("%s is answered with %v, and its page says %d (in errors: %v)", p.Code, s.statuses, p.Status, p.Fault)
		}
		if p.Fault && !s.fault && p.Code != "invalid" {
			t.Errorf("%s is no code of errors", p.Code)
		}
		if !s.free && !isOneOf(p.Detail, s.details) {
			t.Errorf("%s is answered with %q, and its page shows %q", p.Code, s.details, p.Detail)
		}
	}
	for code := range c.all {
		if !here[code] && inner()[code] == "" {
			t.Errorf("%s has no entry in api/problems.yaml", code)
		}
	}
	for code := range inner() {
		if c.all[code] == nil {
			t.Errorf("nobody makes a %s", code)
		}
	}
}

// isOneOf tells whether a text is one of the formats, filled in.
func isOneOf(text string, formats []string) bool {
	verbs := regexp.MustCompile(`%[sdv]`)
	for _, format := range formats {
		parts := verbs.Split(format, -1)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if regexp.MustCompile(`^` + strings.Join(parts, `.+`) + `$`).MatchString(text) {
			return true
		}
	}
	return false
}
