package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// preflightLifetime is how long a browser may remember what it was allowed, in seconds. Chromium takes no more.
const preflightLifetime = 7200

// crossOrigin lets the pages of the origins that the settings list use the API, with the session's cookie or with a key
// (https://fetch.spec.whatwg.org/#http-cors-protocol). All others get no such header, so that a browser keeps replies from
// them, and does not even send what needs a preflight. It is echo's own middleware, kept from answering what it should not:
// it takes every OPTIONS for a preflight and answers it, whoever asks.
//
// It stands before everything that may refuse a request, since a page can only read a refusal that has these headers too.
func (s *Server) crossOrigin() echo.MiddlewareFunc {
	origins := s.cfg.CORSOrigins
	cors := middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper: func(c echo.Context) bool {
			req := c.Request()
			return !slices.Contains(origins, req.Header.Get("Origin")) ||
				req.Method == http.MethodOptions && req.Header.Get("Access-Control-Request-Method") == ""
		},
		AllowOriginFunc:  func(origin string) (bool, error) { return slices.Contains(origins, origin), nil },
		AllowCredentials: true,
		AllowMethods:     []string{"GET", "HEAD", "POST", "PATCH", "DELETE"},
		AllowHeaders: []string{
			"Authorization", "Content-Type", "Content-Digest", "Idempotency-Key", "If-Match", "If-None-Match",
			"If-Modified-Since", "Range", "Upload-Offset", "traceparent", "tracestate",
		},
		ExposeHeaders: []string{
			"Allow", "Content-Disposition", "Content-Range", "Deprecation", "ETag", "Link", "Location", "RateLimit",
			"RateLimit-Policy", "Retry-After", "Sunset", "Upload-Offset", "WWW-Authenticate", "X-Request-Id",
		},
		MaxAge: preflightLifetime,
	})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		withCORS := cors(next)
		return func(c echo.Context) error {
			path := c.Request().URL.Path
			if path == "/oembed" { // which tells everybody the same
				c.Response().Header().Set("Access-Control-Allow-Origin", "*")
			}
			if len(origins) == 0 || !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/i/") {
				return next(c)
			}
			if !slices.Contains(origins, c.Request().Header.Get("Origin")) {
				c.Response().Header().Add("Vary", "Origin") // the reply to a listed one differs
			}
			return withCORS(c)
		}
	}
}

// clearCrossOrigin takes back what crossOrigin said.
func clearCrossOrigin(h http.Header) {
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Vary"} {
		delete(h, name)
	}
}
