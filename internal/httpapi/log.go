package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/internal/token"
)

type contextKey int

const (
	requestInfoKey contextKey = iota
	loginKey
	limitsKey
)

// requestInfo is what operations may need of the request beyond its parameters.
type requestInfo struct {
	id        string
	request   *http.Request // as it came; its method may be HEAD
	body      *body         // nil when the request has none
	address   netip.Addr
	userAgent string
}

func infoOf(ctx context.Context) requestInfo {
	info, _ := ctx.Value(requestInfoKey).(requestInfo)
	return info
}

func requestID(ctx context.Context) string { return infoOf(ctx).id }

// LogHandler adds the request's id to every record that is logged with the request's context.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := requestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }

// observe gives the request its id and logs it when it is over. Queries are not logged: they may carry signatures.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		req := c.Request()
		info := infoOf(req.Context())
		info.id = token.ID()
		info.address = addressOf(c.RealIP())
		info.userAgent = req.UserAgent()
		ctx := context.WithValue(req.Context(), requestInfoKey, info)
		var traced func(operation, route string, status int, size int64)
		if s.trace != nil {
			ctx, traced = s.trace(req.WithContext(ctx), info.id)
		}
		c.SetRequest(req.WithContext(ctx))
		c.Response().Header().Set("X-Request-Id", info.id)

		if s.meter != nil {
			s.meter.Started()
		}
		// Deferred, since a reply that has to be cut off ends in a panic.
		defer func() {
			took := time.Since(start)
			status, size := c.Response().Status, c.Response().Size
			if s.meter != nil {
				s.meter.Ended()
				s.meter.Tally(s.operations.of(c).name, methodOf(info.request.Method), status).Add(size, took)
			}
			if traced != nil {
				op := s.operations.of(c)
				traced(op.name, op.route, status, size)
			}
			level := slog.LevelInfo
			if path := c.Path(); path == "/healthz" || path == "/readyz" {
				level = slog.LevelDebug
			}
			s.logRequest(ctx, level, status, size, took)
		}()
		if err := next(c); err != nil {
			c.Error(err)
		}
		return nil
	}
}

// logRequest logs a request that is over; ctx is its own.
func (s *Server) logRequest(ctx context.Context, level slog.Level, status int, size int64, took time.Duration) {
	info := infoOf(ctx)
	s.log.Log(ctx, level, "request", "method", info.request.Method, "path", info.request.URL.Path, "status", status,
		"bytes", size, "duration", took.Round(time.Microsecond), "address", info.address)
}

// recoverPanics turns a panic into an internal error, with its stack in the log alone.
func (s *Server) recoverPanics(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); {
			case r == nil:
			case r == http.ErrAbortHandler: //nolint:errorlint // net/http compares it like this
				panic(r)
			default:
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		return next(c)
	}
}

// troublePause is how long the same trouble is not logged again.
const troublePause = 5 * time.Second

// troubleLog logs what goes wrong with every request alike, as while the database is gone: the first time at once, and then
// every troublePause, with how often it happened in between. The requests themselves are logged as all are.
type troubleLog struct {
	to *slog.Logger

	mu   sync.Mutex
	seen map[string]*trouble
}

type trouble struct {
	next   time.Time
	silent int // since it was logged
}

// log logs a trouble; those with the same code are the same.
func (t *troubleLog) log(ctx context.Context, code, message string, err error) {
	now := time.Now()
	t.mu.Lock()
	if t.seen == nil {
		t.seen = map[string]*trouble{}
	}
	seen := t.seen[code]
	if seen == nil {
		seen = &trouble{}
		t.seen[code] = seen
	}
	silent, due := seen.silent, now.After(seen.next)
	if due {
		seen.next, seen.silent = now.Add(troublePause), 0
	} else {
		seen.silent++
	}
	t.mu.Unlock()
	if due {
		t.to.WarnContext(ctx, message, "code", code, "error", err, "unlogged", silent)
	}
}
