// Package bareecho is the limit that delivery through nginx is measured by: an echo server that does nothing but name the
// file to send.
package bareecho

import (
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Serve listens on a free port of the loopback, writes its address to out as a line, and replies to every request with the
// two headers. It returns when it fails.
func Serve(out io.Writer, redirect, contentType string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort, e.Listener = true, true, listener
	e.GET("/*", func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Accel-Redirect", redirect)
		h.Set("Content-Type", contentType)
		return c.NoContent(http.StatusOK)
	})
	return e.Start("")
}
