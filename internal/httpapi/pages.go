package httpapi

import (
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
)

// pagePolicy lets a page load nothing from elsewhere and run nothing that is not in a file of ours.
const pagePolicy = "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types kadr"

// pages are the files of the frontend, served as they lie in static/, each at its own path. They are small and fixed in
// the binary, so their ETags are known from the start.
type pages struct {
	files map[string]page // by path without the leading slash
}

type page struct {
	body        []byte
	contentType string
	tag         string
}

func newPages(static fs.FS) (*pages, error) {
	p := &pages{files: map[string]page{}}
	err := fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".go") {
			return err
		}
		body, err := fs.ReadFile(static, name)
		if err != nil {
			return err
		}
		p.files[name] = page{body: body, contentType: contentTypeOf(name), tag: contentTag(body)}
		return nil
	})
	return p, err
}

// contentTypeOf does not leave the types that matter to the machine's own tables.
func contentTypeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// register serves every file, and the one page under each of the addresses that its router knows.
func (p *pages) register(e *echo.Echo) {
	index := readOnly(func(c echo.Context) error { return p.send(c, "index.html") })
	e.Any("/", index)
	e.Any("/p/:id", index)
	e.Any("/*", func(c echo.Context) error {
		name := c.Param("*")
		if _, ok := p.files[name]; !ok {
			return errNoSuchPath // whatever the method: a path of the API that does not exist ends here too
		}
		return readOnly(func(c echo.Context) error { return p.send(c, name) })(c)
	})
}

// readOnly answers GET and, by way of headAsGet, HEAD.
func readOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method != http.MethodGet {
			return methodNotAllowed(http.MethodGet, http.MethodHead)
		}
		return next(c)
	}
}

func (p *pages) send(c echo.Context, name string) error {
	f := p.files[name]
	h := c.Response().Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cache-Control", "no-cache") // kept, and asked about each time: a new version shows at once
	h.Set("ETag", f.tag)
	if header := c.Request().Header.Get("If-None-Match"); header != "" && etagList(header, f.tag, false) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, f.contentType, f.body)
}
