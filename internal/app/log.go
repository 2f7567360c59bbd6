package app

import (
	"io"
	"log/slog"

	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/httpapi"
	"github.com/kadr-app/kadr/internal/tracing"
)

// NewLog returns the log that the settings ask for; what is logged in the course of a request carries the request's id, and that of
// its trace where there is one.
func NewLog(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if cfg.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	return slog.New(httpapi.LogHandler(tracing.LogHandler(handler)))
}
