package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"
)

// headAsGet lets HEAD be answered wherever GET is: net/http leaves the body out by itself, since it looks at the request
// as it came. It stands before echo, whose router looks at the method before any middleware could.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked := req.WithContext(context.WithValue(req.Context(), requestInfoKey, requestInfo{request: req}))
		if req.Method == http.MethodHead {
			asked.Method = http.MethodGet
		}
		next.ServeHTTP(w, asked)
	})
}

// securityHeaders are those that every reply carries; pages and pictures set their own policy over this one.
func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		setSecurityHeaders(h)
		if strings.HasPrefix(c.Request().URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		return next(c)
	}
}

func setSecurityHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

func clearSecurityHeaders(h http.Header) {
	for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy"} {
		delete(h, name)
	}
}

var errCrossOrigin = &problem{status: http.StatusForbidden, code: "cross_origin", detail: "Another site may not do this in your name."}

// sameOrigin refuses changes that another site makes a browser send with our cookie, unless the settings list it. A request that brings its own
// credential is not the browser's doing, and the cookie does not count in it.
func (s *Server) sameOrigin() echo.MiddlewareFunc {
	protection := http.NewCrossOriginProtection()
	// Behind a gateway the Host header may not be what the browser sees.
	for _, origin := range append([]string{s.cfg.BaseURL}, s.cfg.CORSOrigins...) {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			panic(err) // the settings' check let through what is no origin
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			req := c.Request()
			if req.Header["Authorization"] == nil && protection.Check(req) != nil {
				return errCrossOrigin
			}
			return next(c)
		}
	}
}

// clientAddress finds who sent a request. X-Forwarded-For counts only when a trusted proxy sent it, and then the last
// address in it that is not one.
func clientAddress(trusted []netip.Prefix) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range trusted {
		bits := p.Addr().BitLen()
		options = append(options, echo.TrustIPRange(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), bits)}))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

func addressOf(s string) netip.Addr {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return addr.Unmap().WithZone("")
}
