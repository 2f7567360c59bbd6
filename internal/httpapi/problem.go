package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/apperr"
)

// problem is an error that knows its reply (RFC 9457): the status and the document, without the request's id.
type problem struct {
	status int
	code   string
	detail string
	errors []server.FieldError
	header http.Header
}

func (p *problem) Error() string { return p.code + ": " + p.detail }

// maxFieldErrors is the contract's maxItems.
const maxFieldErrors = 50

// statusOf is the one place where a kind becomes a status.
func statusOf(k apperr.Kind) int {
	switch k {
	case apperr.Invalid:
		return http.StatusBadRequest
	case apperr.Unauthenticated:
		return http.StatusUnauthorized
	case apperr.Forbidden:
		return http.StatusForbidden
	case apperr.NotFound:
		return http.StatusNotFound
	case apperr.Gone:
		return http.StatusGone
	case apperr.Conflict:
		return http.StatusConflict
	case apperr.PreconditionFailed:
		return http.StatusPreconditionFailed
	case apperr.TooLarge:
		return http.StatusRequestEntityTooLarge
	case apperr.Unsupported:
		return http.StatusUnsupportedMediaType
	case apperr.Unprocessable:
		return http.StatusUnprocessableEntity
	case apperr.RateLimited:
		return http.StatusTooManyRequests
	case apperr.Unavailable:
		return http.StatusServiceUnavailable
	case apperr.InsufficientStorage:
		return http.StatusInsufficientStorage
	case apperr.Internal:
	}
	return http.StatusInternalServerError
}

// titleOf is what a status is called in problem documents.
func titleOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "Invalid request"
	case http.StatusUnauthorized:
		return "Not signed in"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusRequestEntityTooLarge:
		return "Too large"
	case http.StatusRequestURITooLong:
		return "Request URI too long"
	case http.StatusUnprocessableEntity:
		return "Unprocessable"
	case http.StatusRequestedRangeNotSatisfiable:
		return "Range not satisfiable"
	case http.StatusInternalServerError:
		return "Internal error"
	case http.StatusServiceUnavailable:
		return "Not available just now"
	case http.StatusHTTPVersionNotSupported:
		return "HTTP version not supported"
	case http.StatusInsufficientStorage:
		return "No room left"
	}
	text := http.StatusText(status)
	return text[:1] + strings.ToLower(text[1:])
}

// statusClientClosedRequest is what a client that went away gets, or rather does not get; the log has it.
const statusClientClosedRequest = 499

// problemOf turns any error into a reply. Only an *apperr.Error's message and a problem's own detail are ever shown.
func problemOf(err error) *problem {
	var p *problem
	var app *apperr.Error
	var tooLarge *http.MaxBytesError
	var echoErr *echo.HTTPError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &app) && app.Kind != apperr.Internal:
		return fromAppError(app)
	case errors.As(err, &tooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, code: "too_large", detail: fmt.Sprintf("The request is larger than %d bytes.", tooLarge.Limit)}
	case errors.Is(err, context.Canceled), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return &problem{status: statusClientClosedRequest, code: "client_gone", detail: "The client went away."}
	case errors.As(err, &echoErr) && echoErr.Code == http.StatusNotFound:
		return errNoSuchPath
	case errors.As(err, &echoErr) && echoErr.Code == http.StatusMethodNotAllowed:
		// A method that echo has never heard of, on a page: those of the contract's paths were refused before.
		return problemOf(methodNotAllowed(http.MethodGet, http.MethodHead))
	case errors.As(err, &echoErr) && echoErr.Code == http.StatusBadRequest:
		// The generated code could not read what the validator had let through.
		return invalid(nil)
	}
	return &problem{status: http.StatusInternalServerError, code: "internal", detail: "Something went wrong on our side. If it happens again, tell the administrator the request's id."}
}

var errNoSuchPath = &problem{status: http.StatusNotFound, code: "not_found", detail: "There is nothing here."}

func fromAppError(e *apperr.Error) *problem {
	p := &problem{status: statusOf(e.Kind), code: e.Code, detail: e.Message, header: http.Header{}}
	if name, isQuery := strings.CutPrefix(e.Field, "?"); isQuery {
		p.errors = []server.FieldError{{In: server.Query, Parameter: &name, Code: e.Code, Detail: e.Message}}
	} else if e.Field != "" {
		p.errors = []server.FieldError{{In: server.Body, Pointer: &e.Field, Code: e.Code, Detail: e.Message}}
	}
	if e.RetryAfter > 0 {
		p.header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
	}
	return p
}

// handleError is the server's one error handler: it logs what is our fault, once, and answers with a problem document.
func (s *Server) handleError(err error, c echo.Context) {
	ctx := c.Request().Context()
	p := problemOf(err)
	switch {
	case p.status == http.StatusServiceUnavailable, p.status == http.StatusInsufficientStorage:
		// Too busy, the database gone, the disk full: for the administrator to know, and all requests say the same.
		s.troubles.log(ctx, p.code, "request turned away", err)
	case p.status >= http.StatusInternalServerError && p.status != http.StatusNotImplemented:
		s.log.ErrorContext(ctx, "request failed", "error", err)
	default:
		s.log.DebugContext(ctx, "request refused", "status", p.status, "code", p.code, "error", err)
	}
	if c.Response().Committed {
		// The reply had begun: cutting the connection is the only way left to say that it is not whole.
		panic(http.ErrAbortHandler)
	}
	if p.status == statusClientClosedRequest {
		c.Response().WriteHeader(p.status)
		return
	}
	header := c.Response().Header()
	for _, name := range []string{"Etag", "Last-Modified", "Content-Disposition", "Content-Encoding", "Content-Length", "Cache-Control"} {
		header.Del(name) // they belonged to the reply that was not to be
	}
	for name, values := range p.header {
		header[name] = values
	}
	if p.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="kadr"`)
	}
	if s.wantsPage(c) {
		err := s.sendFault(c, p)
		if err != nil {
			s.log.DebugContext(ctx, "page not written", "error", err)
		}
		if c.Response().Committed {
			return
		}
	}
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	doc := server.Problem{
		Type: "/problems/" + p.code, Title: titleOf(p.status), Status: int32(p.status), Detail: p.detail,
		RequestID: requestID(ctx),
	}
	if len(p.errors) > 0 {
		list := p.errors[:min(len(p.errors), maxFieldErrors)]
		doc.Errors = &list
	}
	c.Response().WriteHeader(p.status)
	if err := json.NewEncoder(c.Response()).Encode(doc); err != nil {
		s.log.DebugContext(ctx, "problem not written", "error", err)
	}
}
