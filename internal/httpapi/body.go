package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// How slow a client may be. A request takes as long as it has to, but not as long as its sender likes.
const (
	// defaultPatience is how long a client may send or take nothing at all.
	defaultPatience = 30 * time.Second
	// slowestSender and slowestReader are bytes a second, on average. Uploads are given more time, since many networks
	// send far slower than they receive.
	slowestSender = 1 << 10
	slowestReader = 16 << 10
)

var (
	errTooSlow = &problem{
		status: http.StatusRequestTimeout, code: "request_timeout",
		detail: "The body came too slowly. Send it again.",
	}
	errIncomplete = &problem{
		status: http.StatusBadRequest, code: "body_incomplete",
		detail: "The body ended before it was whole. Send it again.",
	}
)

// limitTransfer keeps a client from sending without end, and from holding a connection by sending or reading slowly.
func (s *Server) limitTransfer(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		req, response := c.Request(), c.Response()
		control := http.NewResponseController(response)
		// The deadlines of the connection's last request are over. Errors are left alone here and below: where deadlines
		// are not supported (a test's recorder) nothing hangs either.
		_ = control.SetWriteDeadline(time.Time{})
		if req.Body != nil && req.Body != http.NoBody {
			info := infoOf(req.Context())
			limit := s.cfg.MaxUploadBytes + maxBody // the form around the file, or any other body
			info.body = &body{source: http.MaxBytesReader(response, req.Body, limit), control: control, patience: s.cfg.Patience}
			req = req.WithContext(context.WithValue(req.Context(), requestInfoKey, info))
			req.Body = info.body
			c.SetRequest(req)
			// Of a body that we don't read net/http reads a part after the reply; that must not take for ever either.
			_ = control.SetReadDeadline(time.Now().Add(s.cfg.Patience))
			response.Before(func() {
				if !info.body.ended {
					// What is left of it is not worth waiting for, so this reply is the connection's last.
					response.Header().Set("Connection", "close")
				}
			})
		}
		response.Before(func() {
			size, _ := strconv.ParseInt(response.Header().Get("Content-Length"), 10, 64) // what does not say is small
			_ = control.SetWriteDeadline(time.Now().Add(s.cfg.Patience + time.Duration(size/slowestReader)*time.Second))
		})
		return next(c)
	}
}

// body is a request's body. It bounds how long its sender may take, and remembers what whoever reads it may not tell: the
// error that ended it, and, when asked to, the digests of all of it.
type body struct {
	source   io.ReadCloser
	control  *http.ResponseController
	patience time.Duration
	received int64
	waited   time.Duration // for the client alone, not for our own disk
	ended    bool          // it was read to its end
	err      error         // what ended it before
	tee      io.Writer
}

// Read implements io.Reader. Beside io.EOF and *http.MaxBytesError it returns errTooSlow and errIncomplete.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	start := time.Now()
	earned := time.Duration(b.received/slowestSender) * time.Second
	_ = b.control.SetReadDeadline(start.Add(min(b.patience, b.patience+earned-b.waited)))
	n, err := b.source.Read(p)
	b.waited += time.Since(start)
	b.received += int64(n)
	if b.tee != nil {
		_, _ = b.tee.Write(p[:n]) // a hash: never fails
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.ended = true
		// net/http goes on reading, to notice when the client goes away; it must not take our deadline for that.
		_ = b.control.SetReadDeadline(time.Time{})
		return n, io.EOF
	case errors.As(err, &tooLarge):
		b.err = err
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = errTooSlow
	default:
		b.err = errIncomplete
	}
	return n, b.err
}

// rawBody is the request's body, as it comes.
func rawBody(ctx context.Context) io.Reader {
	if b := infoOf(ctx).body; b != nil {
		return b
	}
	return http.NoBody
}

// receivedOf is how much of the request's body was read, in bytes.
func receivedOf(ctx context.Context) int64 {
	if b := infoOf(ctx).body; b != nil {
		return b.received
	}
	return 0
}

// Close implements io.Closer.
func (b *body) Close() error { return b.source.Close() }
