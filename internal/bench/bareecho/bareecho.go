// Package bareecho is the limit that delivery through nginx is measured by: an echo server that does nothing but name the
// file to send.
package bareecho

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Serve listens on address and replies to every request with the two headers. It returns when it fails.
func Serve(address, redirect, contentType string) error {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/*", func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Accel-Redirect", redirect)
		h.Set("Content-Type", contentType)
		return c.NoContent(http.StatusOK)
	})
	return e.Start(address)
}
