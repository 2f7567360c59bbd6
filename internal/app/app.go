// Package app is the only wiring: it opens what the settings name, puts the rooms together, runs them, and takes them
// apart again in the right order. The binary's serve command is New, Run and Close; so are the tests.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/httpapi"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/tracing"
	"github.com/kadr-app/kadr/internal/upload"
	"github.com/kadr-app/kadr/internal/variant"
	"github.com/kadr-app/kadr/internal/worker"
	"github.com/kadr-app/kadr/static"
)

// App is a whole instance.
type App struct {
	cfg      config.Config
	log      *slog.Logger
	db       *database
	storage  *os.Root
	unshare  func() // lets others replace the storage again
	decoders *imaging.Pool
	changes  changes
	worker   *worker.Worker
	metering *metering
	tracing  *tracing.Tracing // nil: there are no traces
	listener net.Listener
	server   *http.Server
	draining atomic.Bool // it stops: readiness says no
}

// Option is something that New is told beside the settings.
type Option func(*options)

type options struct{ version string }

// Version says which version this is, for the metrics and the traces.
func Version(version string) Option { return func(o *options) { o.version = version } }

// New opens everything: the database (migrated), the storage, the decoders, the listener. When it fails it has closed
// again what it had opened. The caller must Close the App.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, more ...Option) (_ *App, err error) {
	opts := options{version: "dev"}
	for _, set := range more {
		set(&opts)
	}
	a := &App{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	// The cheap and likely failures first: somebody else's port, a folder that cannot be written.
	if a.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if a.metering, err = newMetering(cfg.MetricsListen, opts.version, log); err != nil {
		return nil, err
	}
	blobs, err := openStorage(cfg)
	if err != nil {
		return nil, err
	}
	if a.unshare, err = blobs.Share(); err != nil {
		return nil, err
	}
	dbOptions := postgres.Options{}
	if cfg.Traces {
		if a.tracing, err = tracing.New(ctx, opts.version, log); err != nil {
			return nil, err
		}
		dbOptions.Tracer = a.tracing.Provider()
	}
	if a.db, err = openDatabaseWith(ctx, cfg, log, dbOptions); err != nil {
		return nil, err
	}
	if err := a.db.CheckServing(ctx); err != nil {
		return nil, err
	}
	if err := pair(ctx, a.db, blobs, cfg.StorageDir()); err != nil {
		return nil, err
	}
	a.decoders, err = imaging.NewPool(imaging.PoolConfig{
		Workers: cfg.Decoders, Timeout: cfg.DecoderTimeout, MemoryLimit: cfg.DecoderMemoryBytes, Observe: a.decoded, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the decoders: %w", err)
	}

	inputs, outputs := a.decoders.Formats()
	variantStore := postgres.NewVariantStore(a.db.DB)
	variants := variant.NewMaker(variantStore, blobs, a.decoders, variant.Config{
		Limits: imaging.Limits{MaxPixels: cfg.MaxPixels}, CacheBytes: cfg.VariantCacheBytes, MasterSide: cfg.MasterSide,
		AVIFEffort: cfg.AVIFEffort, MaxWaiting: 64 * cfg.Decoders, Log: log,
	})
	presets, err := variant.ParsePresets(cfg.Presets)
	if err != nil {
		return nil, fmt.Errorf("presets: %w", err)
	}
	if a.storage, err = os.OpenRoot(cfg.StorageDir()); err != nil {
		return nil, fmt.Errorf("open the storage: %w", err)
	}
	a.changes = changes{httpapi.NewLinkCache(), variant.NewKeys(variantStore)}

	images := image.NewService(postgres.NewImageStore(a.db.DB), blobs, a.decoders, variants, image.Config{
		MaxUploadBytes: cfg.MaxUploadBytes, MaxPixels: cfg.MaxPixels, Outputs: outputs, Changed: a.changes.Changed,
	}, log)
	uploads, err := upload.Open(cfg.UploadsDir(), blobs.Room)
	if err != nil {
		return nil, err
	}
	accounts := accountService(cfg, a.db)
	a.worker = worker.New(images, uploads, variants, accounts, worker.Config{
		Interval: cfg.SweepInterval, Grace: cfg.SweepGrace, Observe: a.metering.swept,
	}, log)
	a.metering.watch(a, blobs, variants)
	handler, err := httpapi.New(
		httpapi.Config{
			BaseURL: cfg.BaseURL(), Secure: cfg.Secure(), Version: opts.version, MaxUploadBytes: cfg.MaxUploadBytes, MaxPixels: cfg.MaxPixels,
			TrustedProxies: cfg.TrustedProxies, SessionLifetime: cfg.SessionLifetime,
			CORSOrigins: cfg.CORSOrigins,
			Accel:       cfg.Delivery == config.DeliveryAccel, Storage: a.storage,
		},
		httpapi.Services{
			Accounts: accounts, Images: images, Uploads: uploads, Idempotency: postgres.NewIdempotencyStore(a.db.DB),
			Keys: a.changes.Keys, Presets: presets, Links: a.changes.LinkCache,
			Checks: httpapi.Checks{Database: a.db.Ping, Storage: blobs.Check, Decoders: a.decoders.Check, Draining: a.draining.Load},
			Meter:  a.metering.meter(), Trace: a.trace(),
			Inputs: inputs, Outputs: outputs,
		},
		static.Files, log)
	if err != nil {
		return nil, err
	}
	a.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return a, nil
}

// changes hears from the database what this replica remembers and is no longer so.
type changes struct {
	*httpapi.LinkCache
	Keys *variant.Keys
}

// KeysChanged implements postgres.ChangeHandler.
func (c changes) KeysChanged() {
	c.Keys.Forget()
	c.ChangedAll() // among what is remembered are links with signatures
}

// Addr is the address that the instance listens on.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// traceStopTimeout is how long the last traces may take to be sent.
const traceStopTimeout = 5 * time.Second

// trace is what httpapi follows requests with; nil where there are no traces.
func (a *App) trace() httpapi.Trace {
	if a.tracing == nil {
		return nil
	}
	return a.tracing.Request
}

// decoded is told of every request to the decoders that is over.
func (a *App) decoded(ctx context.Context, w imaging.Work) {
	if a.metering != nil {
		a.metering.Decoded(w)
	}
	if a.tracing != nil {
		a.tracing.Decoded(ctx, w)
	}
}

// MetricsAddr is the address that the metrics can be read at; nil when the settings name none.
func (a *App) MetricsAddr() net.Addr {
	if a.metering == nil {
		return nil
	}
	return a.metering.listener.Addr()
}

// DecoderPids returns the process ids of the decoders, for tests that end them.
func (a *App) DecoderPids() []int { return a.decoders.Pids() }

// Run serves until ctx ends; then it says for ShutdownDelay that it is not ready, takes no new requests, lets those under way
// end within ShutdownTimeout, and returns nil. It returns an error when it cannot go on.
func (a *App) Run(ctx context.Context) error {
	defer a.metering.serve(a.log)() // to the very end: that it stops is worth seeing too
	var background sync.WaitGroup
	workerCtx, stopWorker := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { a.worker.Run(workerCtx) })
	background.Go(func() { a.db.Listen(workerCtx, a.changes) })
	background.Go(func() { a.db.superviseCluster(workerCtx) })
	defer func() {
		stopWorker()
		background.Wait()
	}()

	failed := make(chan error, 1)
	background.Go(func() { failed <- a.server.Serve(a.listener) })
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	return a.drain(ctx, failed)
}

// Close releases everything that New opened.
func (a *App) Close() error {
	var errs []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, a.metering.close())
	if a.decoders != nil {
		a.decoders.Close()
	}
	if a.storage != nil {
		errs = append(errs, a.storage.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.close())
	}
	if a.unshare != nil {
		a.unshare()
	}
	if a.tracing != nil {
		ctx, cancel := context.WithTimeout(context.Background(), traceStopTimeout)
		defer cancel()
		if err := a.tracing.Close(ctx); err != nil { // a collector that is gone is no reason to end badly
			a.log.Warn("traces were lost", "error", err)
		}
	}
	return errors.Join(errs...)
}
