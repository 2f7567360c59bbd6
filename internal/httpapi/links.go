package httpapi

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
)

// GetFile sends a picture: the original to the byte, or a variant of it.
func (s *Server) GetFile(ctx context.Context, req server.GetFileRequestObject) (server.GetFileResponseObject, error) {
	id, extension, _ := strings.Cut(req.File, ".")
	format, ok := imaging.ParseFormat(extension)
	if !ok {
		return nil, errNoSuchPath
	}
	shape := image.Shape{Format: format}
	if req.Params.W != nil {
		shape.Width = int(*req.Params.W)
	}
	file, err := s.images.OpenFile(ctx, viewerOf(ctx), id, shape)
	if err != nil {
		return nil, err
	}
	return fileResponse{server: s, file: file, request: infoOf(ctx).request}, nil
}

// fileResponse sends an open file. The generated responses copy a stream, which knows neither ranges nor conditions, and
// cannot let the kernel do the copying.
type fileResponse struct {
	server  *Server
	file    *image.File
	request *http.Request
}

// Cache lifetimes: a link without a version may be deleted or change its visibility at any time.
const (
	cachePublic  = "public, max-age=300"
	cachePrivate = "private, no-cache"
)

// VisitGetFileResponse implements the generated interface.
func (r fileResponse) VisitGetFileResponse(w http.ResponseWriter) error {
	defer r.file.Close()
	h := w.Header()
	h.Set("ETag", r.file.ETag)
	h.Set("Content-Type", r.file.Format.MediaType())
	h.Set("Content-Disposition", contentDisposition(r.file))
	// Whatever the bytes are, a browser must not take them for a page.
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.file.Image.Visibility == image.Private {
		h.Set("Cache-Control", cachePrivate)
		h.Set("Vary", "Cookie, Authorization")
	} else {
		h.Set("Cache-Control", cachePublic)
		h.Set("Access-Control-Allow-Origin", "*")
	}
	out := &fileWriter{ResponseWriter: w, patience: r.server.cfg.Patience}
	http.ServeContent(out, r.request, "", r.file.ModTime, r.file.File)
	switch out.refused {
	case http.StatusRequestedRangeNotSatisfiable:
		return &problem{status: out.refused, code: "range_not_satisfiable", detail: "The picture has fewer bytes than that."}
	case http.StatusPreconditionFailed:
		return &problem{status: out.refused, code: "precondition_failed", detail: "The picture is not the one that the request expects."}
	}
	return nil
}

// fileWriter keeps net/http's plain text out of a refusal, which is to be a problem document, keeps the kernel's copying
// (sendfile), which echo's response hides, and lets a large file take its time as long as somebody takes it.
type fileWriter struct {
	http.ResponseWriter
	patience time.Duration
	refused  int
}

func (w *fileWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *fileWriter) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// slice is how much of a file is sent under one deadline, in bytes.
const slice = 1 << 20

// ReadFrom implements io.ReaderFrom, by which http.ServeContent copies.
func (w *fileWriter) ReadFrom(src io.Reader) (total int64, err error) {
	if w.refused != 0 {
		return io.Copy(io.Discard, src)
	}
	response, ok := w.ResponseWriter.(*echo.Response)
	if !ok {
		return io.Copy(struct{ io.Writer }{w.ResponseWriter}, src)
	}
	defer func() { response.Size += total }()
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	control := http.NewResponseController(response)
	for whole.N > 0 {
		_ = control.SetWriteDeadline(time.Now().Add(w.patience + slice/slowestReader*time.Second))
		// Not a limit within a limit: the kernel sees through one only.
		part := &io.LimitedReader{R: whole.R, N: min(slice, whole.N)}
		n, err := io.Copy(response.Writer, part)
		total, whole.N = total+n, whole.N-n
		if err != nil || part.N > 0 {
			return total, err // part.N: the source ended early
		}
	}
	return total, nil
}

// contentDisposition names the file after the picture (RFC 6266), with the extension of what is sent: in ASCII for every
// client, and as it is where that differs.
func contentDisposition(f *image.File) string {
	name := f.Image.Filename
	if f.Format != f.Image.Format {
		name = strings.TrimSuffix(name, path.Ext(name)) + "." + f.Format.Extension()
	}
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	header := `inline; filename="` + plain + `"`
	if plain != name {
		header += "; filename*=UTF-8''" + extValue(name)
	}
	return header
}

// extValue encodes a parameter's value as RFC 8187 §3.2 does.
func extValue(s string) string {
	const unreserved = "!#$&+-.^_`|~"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(unreserved, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
