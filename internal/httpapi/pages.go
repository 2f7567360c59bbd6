package httpapi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// What a browser is told of pages and their files. A page may load nothing from elsewhere and run nothing that is not in a
// file of ours; it uses none of the devices; no window of another site may hold on to it. The addresses of pages go to no other
// site (Referrer-Policy, see setSecurityHeaders), not even their origin: who has an unlisted picture's address has the picture.
const (
	pagePolicy = "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; " +
		"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
		"trusted-types kadr"
	pagePermissions = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
)

// pages are the files of the frontend, served as they lie in static/, each at its own path, and what is made of index.html
// (shell.go). Files are small and fixed in the binary, so their ETags are known from the start.
type pages struct {
	files    map[string]*page // by path without the leading slash
	shell    shell
	fixed    map[string]fixedPage // by address
	problems problemPages
	zips     sync.Pool // of *gzip.Writer
}

// fixedPage is a page that is the same for all who bring a session's cookie, and for all visitors.
type fixedPage struct{ member, visitor *page }

// page is a file, or a page that is ready to be sent.
type page struct {
	body        []byte
	contentType string
	tag         string
	alike       bool          // whoever asks gets the same, unlike the shell, which says whether there is a session (isVisitor)
	packed      func() []byte // gzip's, made at the first demand; nil where that is not smaller. No func: where it never is
}

func newPages(static fs.FS, base string) (*pages, error) {
	p := &pages{files: map[string]*page{}, fixed: map[string]fixedPage{}}
	err := fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".go") {
			return err
		}
		body, err := fs.ReadFile(static, name)
		if err != nil {
			return err
		}
		p.files[name] = p.newPage(body, contentTypeOf(name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	index := p.files["index.html"]
	if index == nil {
		return nil, fmt.Errorf("there is no index.html: %w", fs.ErrNotExist)
	}
	if p.shell, err = newShell(p.files, base); err != nil {
		return nil, err
	}
	for address, h := range fixedPages() {
		if h.URL = base + address; h.Hidden {
			h.Kind = ""
		}
		member, err := p.shell.render(h, nil)
		if err != nil {
			return nil, err
		}
		visitor, err := p.shell.render(h, &pageData{Status: http.StatusOK, Visitor: true})
		if err != nil {
			return nil, err
		}
		p.fixed[address] = fixedPage{member: p.newPage(member, htmlType), visitor: p.newPage(visitor, htmlType)}
	}
	if p.problems, err = newProblemPages(p.newPage, base); err != nil {
		return nil, err
	}
	return p, nil
}

const htmlType = "text/html; charset=utf-8"

// contentTypeOf does not ask the machine's own tables, which differ, and nginx knows the same types (nginx/http.conf). What is
// for other programs is text to a browser.
func contentTypeOf(name string) string {
	if strings.HasPrefix(name, "integrations/") {
		return "text/plain; charset=utf-8"
	}
	switch path.Ext(name) {
	case ".html":
		return htmlType
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".json":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	}
	return "application/octet-stream"
}

func (p *pages) newPage(body []byte, contentType string) *page {
	f := &page{body: body, contentType: contentType, tag: contentTag(body)}
	if contentType != "image/png" && contentType != "application/octet-stream" {
		f.packed = sync.OnceValue(func() []byte { return p.pack(body) })
	}
	return f
}

// pack compresses. The same bytes give the same, so that an ETag of the former stands for the latter.
func (p *pages) pack(body []byte) []byte {
	var b bytes.Buffer
	w, ok := p.zips.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(nil)
	}
	defer p.zips.Put(w)
	w.Reset(&b)
	if _, err := w.Write(body); err != nil || w.Close() != nil || b.Len() >= len(body) {
		return nil
	}
	return b.Bytes()
}

// registerPages serves every file, and the page under each of the addresses that its router knows.
func (s *Server) registerPages(e *echo.Echo) {
	for address, f := range s.pages.fixed {
		e.Any(address, readOnly(func(c echo.Context) error {
			if s.isVisitor(c.Request()) {
				return s.pages.send(c, http.StatusOK, f.visitor, cacheChecked)
			}
			return s.pages.send(c, http.StatusOK, f.member, cacheChecked)
		}))
	}
	e.Any("/p/:id", readOnly(s.picturePage))
	e.Any("/u/:name", readOnly(s.personPage))
	e.Any(problemsPath, readOnly(s.problemIndex))
	e.Any(problemPath, readOnly(s.problemPage))
	e.Any("/*", func(c echo.Context) error {
		f := s.pages.files[c.Param("*")]
		if f == nil {
			return errNoSuchPath // whatever the method: a path of the API that does not exist ends here too
		}
		return readOnly(func(c echo.Context) error { return s.pages.send(c, http.StatusOK, f, cacheChecked) })(c)
	})
}

// isVisitor tells whether a request comes without a session, real or not.
func (s *Server) isVisitor(req *http.Request) bool {
	_, err := req.Cookie(s.cookieName())
	return err != nil
}

// isPage tells whether an echo path is one of a page, which is never answered with a document for programs.
func isPage(echoPath string) bool {
	_, fixed := fixedPages()[echoPath]
	return fixed || slices.Contains([]string{"/p/:id", "/u/:name", problemsPath, problemPath}, echoPath)
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

// How long a page may be kept.
const (
	cacheChecked = "no-cache" // kept, and asked about each time: a new version shows at once
	cacheNever   = "no-store"
)

// send sends a page or a file, compressed for those who take it.
func (p *pages) send(c echo.Context, status int, f *page, cache string) error {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", pagePermissions)
	h.Set("Cache-Control", cache)
	if f.contentType == htmlType && !f.alike {
		h.Add("Vary", "Accept-Encoding, Cookie")
	} else if f.packed != nil {
		h.Add("Vary", "Accept-Encoding")
	}
	body, tag := f.body, f.tag
	if f.packed != nil && acceptsGzip(c.Request().Header.Get("Accept-Encoding")) {
		// The bytes are another representation, so they have another ETag.
		if packed := f.packed(); packed != nil {
			h.Set("Content-Encoding", "gzip")
			body, tag = packed, strings.TrimSuffix(f.tag, `"`)+`-gzip"`
		}
	}
	if cache == cacheChecked {
		h.Set("ETag", tag)
		if header := c.Request().Header.Get("If-None-Match"); header != "" && etagList(header, tag, false) {
			h.Del("Content-Encoding")
			return c.NoContent(http.StatusNotModified)
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	return c.Blob(status, f.contentType, body)
}
