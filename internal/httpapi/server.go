// Package httpapi is Kadr over HTTP: it implements the operations of the contract (one file for each tag) on the nouns,
// and holds every request against the contract before it reaches them.
//
// A request passes, in this order: its id and the log (log.go), the security headers, the rules for other sites'
// pages (cors.go, middleware.go), the bounds on what it may send and how slowly (body.go), the login (auth.go), the contract
// (validate.go), and the generated code, which calls the operation's method on Server. Whatever goes wrong anywhere
// becomes a problem document in one place (problem.go). Echo and the generated code are known to this package alone.
package httpapi

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/upload"
	"github.com/kadr-app/kadr/internal/variant"
)

// Config is what the HTTP side has to know of the instance.
type Config struct {
	BaseURL         string // where people reach it, without a slash at the end
	Secure          bool   // whether that is by https
	Version         string // of the server
	MaxUploadBytes  int64
	MaxPixels       int64
	TrustedProxies  []netip.Prefix // whose X-Forwarded-For is believed
	SessionLifetime time.Duration
	// CORSOrigins are the origins whose pages may use the API, as browsers write them.
	CORSOrigins []string
	// Accel lets the gateway send the pictures (X-Accel-Redirect); otherwise the server does.
	Accel bool
	// Storage opens files by their path below the blob store.
	Storage interface {
		Open(name string) (*os.File, error)
	}
	// Patience is how long a client may pause in what it sends or takes; 30 seconds when 0.
	Patience time.Duration
}

// Checks are what readiness really tries. Each returns nil when it works.
type Checks struct {
	Database, Storage, Decoders func(context.Context) error
	// Draining reports whether the server is about to stop, and so is not ready whatever works.
	Draining func() bool
}

// Server implements the generated interface: one method for each operation.
type Server struct {
	cfg         Config
	accounts    *account.Service
	images      *image.Service
	uploads     *upload.Store
	idempotency IdempotencyStore
	keys        *variant.Keys
	presets     variant.Presets
	hot         *LinkCache
	addressOf   echo.IPExtractor
	feeds       flights
	checks      Checks
	meter       Meter // nil: nobody counts
	trace       Trace // nil: nobody follows
	operations  operations
	hotTallies  hotTallies
	formats     server.Formats
	contract    contractFiles
	pages       *pages
	log         *slog.Logger
	troubles    *troubleLog
}

var _ server.StrictServerInterface = (*Server)(nil)

// Services are what the operations work on.
type Services struct {
	Accounts    *account.Service
	Images      *image.Service
	Uploads     *upload.Store
	Idempotency IdempotencyStore
	Keys        *variant.Keys
	Presets     variant.Presets
	Links       *LinkCache
	Checks      Checks
	Meter       Meter // may be nil
	Trace       Trace // may be nil
	// Inputs and Outputs are the formats that the decoders can read and make.
	Inputs, Outputs []imaging.Format
}

// New returns the handler of everything that the instance serves: the API, the links, the documentation, and the pages in
// static.
func New(cfg Config, services Services, static fs.FS, log *slog.Logger) (http.Handler, error) {
	cfg.Patience = cmp.Or(cfg.Patience, defaultPatience)
	validator, err := newValidator(api.OpenAPI)
	if err != nil {
		return nil, err
	}
	files, err := newContractFiles(validator.doc)
	if err != nil {
		return nil, err
	}
	pages, err := newPages(static, cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	s := &Server{
		cfg: cfg, accounts: services.Accounts, images: services.Images, uploads: services.Uploads, idempotency: services.Idempotency,
		keys: services.Keys, presets: services.Presets, hot: services.Links, addressOf: clientAddress(cfg.TrustedProxies),
		feeds: flights{byKey: map[string]*flight{}}, checks: services.Checks, formats: toAPIFormats(services.Inputs, services.Outputs),
		contract: files, meter: services.Meter, trace: services.Trace, operations: newOperations(validator), hotTallies: newHotTallies(services.Meter),
		pages: pages, log: log, troubles: &troubleLog{to: log},
	}

	e := echo.New()
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = s.addressOf
	e.Use(s.observe, s.recoverPanics, s.showLimits, securityHeaders, s.crossOrigin(), s.sameOrigin(), s.limitTransfer, s.authenticate, validator.middleware)
	server.RegisterHandlers(e, server.NewStrictHandler(s, nil))
	e.Any("/docs/:asset", readOnly(docsAsset))
	s.registerPages(e)
	return s.serveHot(headAsGet(e)), nil
}
