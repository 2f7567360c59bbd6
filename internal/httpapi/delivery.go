package httpapi

import (
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/internal/image"
)

// delivery is a picture on its way out: what the reply says, and where the bytes lie. It does not change, so that many
// requests may share it.
type delivery struct {
	id      string
	header  http.Header // without what every reply has
	accel   http.Header // the same, in a reply that the gateway follows
	etag    string
	modTime time.Time
	path    string // below the storage; empty where the file is in memory alone
	size    int64  // bytes
}

// How long a reply may be kept. A link without a version may be deleted or change its visibility at any time; what it
// leads to under a version never changes.
const (
	cacheMinutes   = "public, max-age=300"
	cacheForEver   = "public, max-age=31536000, immutable"
	cachePrivately = "private, no-cache"
)

func (s *Server) newDelivery(f *image.File, l link) *delivery {
	private := f.Image.Visibility == image.Private
	negotiated := l.Format == ""
	h := http.Header{
		"Etag":                {f.ETag},
		"Content-Type":        {f.Format.MediaType()},
		"Content-Disposition": {contentDisposition(f, l.download)},
		// Whatever the bytes are, a browser must not take them for a page.
		"Content-Security-Policy":      {"default-src 'none'; sandbox"},
		"Cross-Origin-Resource-Policy": {"cross-origin"},
		"Link":                         {"<" + s.linkTo(f.Image.ID, f.Image.Format, nil) + `>; rel="canonical"`},
		"Last-Modified":                {f.ModTime.UTC().Format(http.TimeFormat)},
	}
	var vary []string
	if negotiated {
		vary = append(vary, "Accept")
	}
	switch {
	case private:
		vary = append(vary, "Cookie", "Authorization")
		h.Set("Cache-Control", cachePrivately)
		switch {
		case l.Granted:
		case len(s.cfg.CORSOrigins) > 0: // a listed page shows them too; the cookie comes with requests from this site alone
			vary = append(vary, "Origin")
			h.Set("Cross-Origin-Resource-Policy", "same-site")
		default:
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
		}
	case l.Granted: // the link ends
		h.Set("Cache-Control", cachePrivately)
	case l.version == f.Image.Source().Version() && !negotiated:
		h.Set("Cache-Control", cacheForEver)
	default:
		h.Set("Cache-Control", cacheMinutes)
	}
	if !private {
		h.Set("Access-Control-Allow-Origin", "*")
	}
	if len(vary) > 0 {
		h.Set("Vary", strings.Join(vary, ", "))
	}
	return &delivery{id: f.Image.ID, header: h, accel: accelHeader(h, f.Path), etag: f.ETag, modTime: f.ModTime, path: f.Path, size: f.Size}
}

// Where the gateway has the storage, and the header by which it asks for the bytes themselves: when it does not find the
// file, or cannot satisfy the range. It lets neither come in from outside.
const (
	accelPrefix  = "/_storage/"
	directHeader = "X-Kadr-Direct"
)

// accelHeader is what the gateway is told instead. Two headers have other names there: nginx would keep them of this reply
// also where it comes back for another one (see nginx/pictures.conf). Those that all pictures have it adds by itself
// (nginx/file.conf), and so it does with what is said of pictures that everybody may see and other sites may use.
func accelHeader(h http.Header, path string) http.Header {
	a := h.Clone()
	a.Del("Content-Security-Policy")
	if a.Get("Access-Control-Allow-Origin") != "" {
		a.Del("Access-Control-Allow-Origin")
		a.Del("Cross-Origin-Resource-Policy")
	}
	for _, name := range []string{"Cache-Control", "Content-Disposition"} {
		a.Set("X-Kadr-"+name, a.Get(name))
		a.Del(name)
	}
	a.Set("X-Accel-Redirect", accelPrefix+path)
	return a
}

// byGateway tells whether the gateway is to send the picture. It judges preconditions by the file, which is the wrong
// thing to do; the usual ones have been looked at before it gets to see them.
func (s *Server) byGateway(req *http.Request) bool {
	h := req.Header
	return s.cfg.Accel && h[directHeader] == nil && h["If-Match"] == nil && h["If-Unmodified-Since"] == nil
}

// isNotModified looks at the usual preconditions (RFC 9110 §13.2.2).
func (d *delivery) isNotModified(req *http.Request) bool {
	if lines := req.Header["If-None-Match"]; len(lines) > 0 {
		return etagList(strings.Join(lines, ","), d.etag, false)
	}
	line := req.Header.Get("If-Modified-Since")
	if line == "" {
		return false
	}
	since, err := http.ParseTime(line)
	return err == nil && !d.modTime.Truncate(time.Second).After(since)
}

// overlay puts a picture's own headers over those that the reply has. Who may have a picture that everybody may have does
// not depend on the origin.
func (d *delivery) overlay(h, own http.Header) {
	if d.header.Get("Access-Control-Allow-Origin") == "*" {
		clearCrossOrigin(h)
	}
	maps.Copy(h, own)
}

// redirect answers by way of the gateway, and returns the status. The security headers are the gateway's to add where there
// is a picture to send, so it does not matter whether they are there already.
func (d *delivery) redirect(w http.ResponseWriter, req *http.Request) int {
	h := w.Header()
	if d.isNotModified(req) {
		setSecurityHeaders(h)
		d.overlay(h, d.header)
		for _, name := range []string{"Content-Type", "Last-Modified"} { // as http.ServeContent has it
			h.Del(name)
		}
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified
	}
	clearSecurityHeaders(h)
	d.overlay(h, d.accel)
	w.WriteHeader(http.StatusOK)
	return http.StatusOK
}

// fileResponse sends an open file, or lets the gateway do it. The generated responses copy a stream, which knows neither
// ranges nor conditions, and cannot let the kernel do the copying.
type fileResponse struct {
	server   *Server
	delivery *delivery
	file     *image.File
	request  *http.Request
}

// VisitGetFileResponse implements the generated interface.
func (r fileResponse) VisitGetFileResponse(w http.ResponseWriter) error {
	defer r.file.Close()
	if r.delivery.path != "" && r.server.byGateway(r.request) {
		r.delivery.redirect(w, r.request)
		return nil
	}
	out := r.delivery.send(w, r.request, r.file.File, r.server.cfg.Patience)
	switch out.refused {
	case http.StatusRequestedRangeNotSatisfiable:
		return &problem{status: out.refused, code: "range_not_satisfiable", detail: "The picture has fewer bytes than that."}
	case http.StatusPreconditionFailed:
		return &problem{status: out.refused, code: "precondition_failed", detail: "The picture is not the one that the request expects."}
	}
	return nil
}

// send sends the bytes, unless they are refused.
func (d *delivery) send(w http.ResponseWriter, req *http.Request, f *os.File, patience time.Duration) *fileWriter {
	d.overlay(w.Header(), d.header)
	if ranges := req.Header.Get("Range"); ranges != "" && !strings.HasPrefix(ranges, "bytes=") {
		req = req.Clone(req.Context()) // a unit that is not known counts as none (RFC 9110 §14.2)
		req.Header.Del("Range")
	}
	out := &fileWriter{ResponseWriter: w, patience: patience}
	if req.Header.Get("Range") == "bytes=-0" { // which http.ServeContent takes for a part without bytes
		w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(d.size, 10))
		out.refused = http.StatusRequestedRangeNotSatisfiable
		return out
	}
	http.ServeContent(out, req, "", d.modTime, f)
	return out
}

// fileWriter keeps net/http's plain text out of a refusal, which is to be a problem document, keeps the kernel's copying
// (sendfile), which echo's response hides, and lets a large file take its time as long as somebody takes it.
type fileWriter struct {
	http.ResponseWriter
	patience time.Duration
	status   int
	size     int64 // bytes sent
	refused  int   // a status that is for somebody else to answer with
}

func (w *fileWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *fileWriter) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	n, err := w.ResponseWriter.Write(b)
	w.size += int64(n)
	return n, err
}

// slice is how much of a file is sent under one deadline, in bytes.
const slice = 1 << 20

// ReadFrom implements io.ReaderFrom, by which http.ServeContent copies.
func (w *fileWriter) ReadFrom(src io.Reader) (total int64, err error) {
	if w.refused != 0 {
		return io.Copy(io.Discard, src)
	}
	raw := w.ResponseWriter
	response, inEcho := raw.(*echo.Response)
	if inEcho {
		raw = response.Writer
	}
	defer func() {
		w.size += total
		if inEcho {
			response.Size += total
		}
	}()
	whole, ok := src.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: src, N: math.MaxInt64}
	}
	control := http.NewResponseController(w.ResponseWriter)
	for whole.N > 0 {
		_ = control.SetWriteDeadline(time.Now().Add(w.patience + slice/slowestReader*time.Second))
		// Not a limit within a limit: the kernel sees through one only.
		part := &io.LimitedReader{R: whole.R, N: min(slice, whole.N)}
		n, err := io.Copy(raw, part)
		total, whole.N = total+n, whole.N-n
		if err != nil || part.N > 0 {
			return total, err // part.N: the source ended early
		}
	}
	return total, nil
}

// contentDisposition names the file after the picture (RFC 6266), with the extension of what is sent: in ASCII for every
// client, and as it is where that differs.
func contentDisposition(f *image.File, download bool) string {
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
	header := "inline"
	if download {
		header = "attachment"
	}
	header += `; filename="` + plain + `"`
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
