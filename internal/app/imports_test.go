package app_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Imports run one way: cmd → app → {httpapi, postgres, worker, doctor, backup, metrics, tracing} → {account, image, upload} → variant →
// {blob, imaging} → apperr. Each row says for a folder and what is below it which imports are forbidden there; tests may wire
// whatever they need.
func TestImportsRunOneWay(t *testing.T) {
	t.Parallel()
	const (
		module = "github.com/kadr-app/kadr"
		echo   = "github.com/labstack/echo"
		pgx    = "github.com/jackc/pgx"
		kin    = "github.com/getkin/kin-openapi"
		server = module + "/gen/server"
	)
	ours := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, module+"/internal/"+name)
		}
		return paths
	}
	adapters := ours("httpapi", "postgres", "worker", "doctor", "backup", "metrics", "tracing")
	above := append(ours("app"), module+"/cmd")
	forbidden := map[string][]string{
		"internal/apperr":   {module},
		"internal/token":    {module},
		"internal/config":   append(ours("image", "account", "blob"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/blob":     append(ours("image", "account", "variant", "imaging"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/imaging":  append(ours("image", "account", "variant", "blob"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/variant":  append(ours("image", "account", "config", "token"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/account":  append(ours("image", "variant", "blob", "imaging"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/image":    append(ours("account"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/upload":   append(ours("account", "image", "variant", "imaging", "config"), append(adapters, append(above, echo, pgx, server)...)...),
		"internal/httpapi":  append(ours("postgres", "worker", "doctor", "backup", "metrics", "tracing"), append(above, pgx)...),
		"internal/postgres": append(ours("httpapi", "worker", "metrics", "tracing"), append(above, echo, server)...),
		"internal/worker":   append(ours("httpapi", "postgres", "doctor", "backup", "metrics", "tracing"), append(above, echo, pgx, server)...),
		"internal/doctor":   append(ours("httpapi", "postgres", "worker", "backup", "metrics", "tracing"), append(above, echo, pgx, server)...),
		"internal/backup": append(ours("httpapi", "postgres", "worker", "doctor", "image", "account", "variant", "imaging", "metrics", "tracing", "config"),
			append(above, echo, pgx, server)...),
		"internal/tracing":     append(ours("httpapi", "postgres", "worker", "doctor", "backup", "metrics", "config"), append(above, echo, pgx, server)...),
		"internal/metrics":     append(ours("httpapi", "postgres", "worker", "doctor", "backup", "tracing", "config"), append(above, echo, pgx, server)...),
		"internal/cli":         {module + "/internal", module + "/cmd", module + "/db", echo, pgx, server, kin},
		"internal/app":         {module + "/cmd", echo, pgx, server, kin},
		"cmd":                  {echo, pgx, server, kin},
		"db":                   {module, echo},
		"api":                  {module + "/internal", module + "/cmd", module + "/db", echo, pgx, server},
		"gen":                  {module + "/internal", module + "/cmd", pgx},
		"static":               {module},
		"nginx":                {module},
		"internal/bench":       {echo, server},
		"internal/testdb":      append(adapters[:1:1], above...),
		"internal/devtest":     {module},
		"internal/served":      {module, echo, pgx, server, kin},
		"internal/conformance": append(adapters[:len(adapters):len(adapters)], append(above, echo, pgx, server, kin)...),
		"internal/lighthouse":  append(adapters[:len(adapters):len(adapters)], append(above, echo, pgx, server, kin)...),
		"internal/clienttest":  append(adapters[:len(adapters):len(adapters)], append(above, echo, pgx, server, kin)...),
	}
	// What is counted and traced is told without these. Only the driver's own hook can see the statements.
	for library, rooms := range map[string]string{"github.com/prometheus": "internal/metrics", "go.opentelemetry.io": "internal/tracing internal/postgres"} {
		for folder, not := range forbidden {
			if !strings.Contains(rooms, folder) {
				forbidden[folder] = append(not[:len(not):len(not)], library)
			}
		}
	}
	checked := 0
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "build") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for folder, not := range forbidden {
			if !within(rel, folder) || rel == "internal/bench/bareecho" { // which is a bare echo server, to measure by
				continue
			}
			for _, imported := range file.Imports {
				name, err := strconv.Unquote(imported.Path.Value)
				if err != nil {
					return err
				}
				checked++
				for _, prefix := range not {
					if within(name, prefix) && !within(name, module+"/"+folder) { // a folder may import what is below it
						t.Errorf("%s imports %s", path, name)
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 500 {
		t.Errorf("only %d imports were looked at: the walk has lost its way", checked)
	}
}

// within reports whether path is folder or below it.
func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
