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
	"time"

	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/httpapi"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres"
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
	listener net.Listener
	server   *http.Server
}

// New opens everything: the database (migrated), the storage, the decoders, the listener. When it fails it has closed
// again what it had opened. The caller must Close the App.
func New(ctx context.Context, cfg config.Config, log *slog.Logger) (_ *App, err error) {
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
	blobs, err := openStorage(cfg)
	if err != nil {
		return nil, err
	}
	if a.unshare, err = blobs.Share(); err != nil {
		return nil, err
	}
	if a.db, err = openDatabase(ctx, cfg, log); err != nil {
		return nil, err
	}
	if err := a.db.CheckServing(ctx); err != nil {
		return nil, err
	}
	if err := pair(ctx, a.db, blobs, cfg.StorageDir()); err != nil {
		return nil, err
	}
	a.decoders, err = imaging.NewPool(imaging.PoolConfig{
		Workers: cfg.Decoders, Timeout: cfg.DecoderTimeout, MemoryLimit: cfg.DecoderMemoryBytes, Log: log,
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
	accounts := accountService(cfg, a.db)
	a.worker = worker.New(images, variants, accounts, worker.Config{Interval: cfg.SweepInterval, Grace: cfg.SweepGrace}, log)
	handler, err := httpapi.New(
		httpapi.Config{
			BaseURL: cfg.BaseURL(), Secure: cfg.Secure(), MaxUploadBytes: cfg.MaxUploadBytes,
			TrustedProxies: cfg.TrustedProxies, SessionLifetime: cfg.SessionLifetime,
			Accel: cfg.Delivery == config.DeliveryAccel, Storage: a.storage,
		},
		httpapi.Services{
			Accounts: accounts, Images: images, Idempotency: postgres.NewIdempotencyStore(a.db.DB),
			Keys: a.changes.Keys, Presets: presets, Links: a.changes.LinkCache,
			Checks: httpapi.Checks{Database: a.db.Ping, Storage: blobs.Check, Decoders: a.decoders.Check},
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

// DecoderPids returns the process ids of the decoders, for tests that end them.
func (a *App) DecoderPids() []int { return a.decoders.Pids() }

// Run serves until ctx ends; then it takes no new requests, lets those under way end within ShutdownTimeout, and returns
// nil. It returns an error when it cannot go on.
func (a *App) Run(ctx context.Context) error {
	var background sync.WaitGroup
	workerCtx, stopWorker := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { a.worker.Run(workerCtx) })
	background.Go(func() { a.db.Listen(workerCtx, a.changes) })
	defer func() {
		stopWorker()
		background.Wait()
	}()

	failed := make(chan error, 1)
	background.Go(func() { failed <- a.server.Serve(a.listener) })
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-a.db.died():
		_ = a.server.Close()
		return fmt.Errorf("the database is gone: %w", a.db.cluster.Err())
	case <-ctx.Done():
	}

	a.log.Info("stopping: requests under way may end", "within", a.cfg.ShutdownTimeout)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
	defer cancel()
	if err := a.server.Shutdown(drain); err != nil {
		_ = a.server.Close()
		return fmt.Errorf("requests were still under way after %s and were cut off: %w", a.cfg.ShutdownTimeout, err)
	}
	return nil
}

// Close releases everything that New opened.
func (a *App) Close() error {
	var errs []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
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
	return errors.Join(errs...)
}
