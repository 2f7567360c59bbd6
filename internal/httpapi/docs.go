package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // for the page and its script
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
	swaggerui "github.com/swaggest/swgui/v5/static"

	"github.com/kadr-app/kadr/gen/server"
)

// Swagger UI comes from swaggest/swgui, which carries its files compressed in a Go module, so that /docs works with no
// internet. Its own page has inline scripts, which our policy forbids; docs.html, docs.js and docs.css stand in its place.

//go:embed docs.html
var docsHTML []byte

//go:embed docs.js
var docsJS []byte

//go:embed docs.css
var docsCSS []byte

// docsPolicy: Swagger UI sets style attributes on its elements by markup of its own and has its icons as data: images.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// GetDocs serves the page of the documentation.
func (s *Server) GetDocs(context.Context, server.GetDocsRequestObject) (server.GetDocsResponseObject, error) {
	return docsPage{}, nil
}

type docsPage struct{}

// VisitGetDocsResponse implements the generated interface: the generated response cannot set the page's policy.
func (docsPage) VisitGetDocsResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Security-Policy", docsPolicy)
	return server.GetDocs200TextHTMLResponse{Body: bytes.NewReader(docsHTML), ContentLength: int64(len(docsHTML))}.VisitGetDocsResponse(w)
}

// docsAsset serves the page's script and style, and Swagger UI's files.
func docsAsset(c echo.Context) error {
	name := c.Param("asset")
	c.Response().Header().Set("Cache-Control", "public, max-age=3600")
	switch name {
	case "docs.js":
		return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", docsJS)
	case "docs.css":
		return c.Blob(http.StatusOK, "text/css; charset=utf-8", docsCSS)
	}
	contentType := mime.TypeByExtension(path.Ext(name))
	if f, err := swaggerui.FS.Open(name); err == nil {
		defer f.Close()
		return c.Stream(http.StatusOK, contentType, f)
	}
	f, err := swaggerui.FS.Open(name + ".gz")
	if err != nil {
		return errNoSuchPath
	}
	defer f.Close()
	c.Response().Header().Set("Vary", "Accept-Encoding")
	if acceptsGzip(c.Request().Header.Get("Accept-Encoding")) {
		c.Response().Header().Set("Content-Encoding", "gzip")
		return c.Stream(http.StatusOK, contentType, f)
	}
	plain, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	return c.Stream(http.StatusOK, contentType, plain)
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110 §12.5.3).
func acceptsGzip(header string) bool {
	for _, coding := range strings.Split(header, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";q=")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(weight, "0.") != "" || weight == ""
		}
	}
	return false
}
