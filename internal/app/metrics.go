package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/httpapi"
	"github.com/kadr-app/kadr/internal/metrics"
	"github.com/kadr-app/kadr/internal/variant"
	"github.com/kadr-app/kadr/internal/worker"
)

// metering is the metrics and the listener that they are read from. A nil one, where the settings name no listener, counts
// nothing.
type metering struct {
	*metrics.Metrics
	listener net.Listener
	server   *http.Server
}

// How long whoever reads the metrics may take. It is somebody we know, but a connection that hangs is one all the same.
const (
	scrapeHeaderTimeout = 5 * time.Second
	scrapeWriteTimeout  = 30 * time.Second
	scrapeIdleTimeout   = 2 * time.Minute
	scrapeStopTimeout   = 5 * time.Second
)

func newMetering(address, version string, log *slog.Logger) (*metering, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // see metering
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for who reads the metrics: %w", err)
	}
	m := &metering{
		Metrics:  metrics.New(version, metrics.Labels{UploadOutcomes: httpapi.UploadOutcomes(), Sweeps: worker.Sweeps()}),
		listener: listener,
	}
	m.server = &http.Server{
		Handler: m.Handler(log), ReadHeaderTimeout: scrapeHeaderTimeout, ReadTimeout: scrapeHeaderTimeout,
		WriteTimeout: scrapeWriteTimeout, IdleTimeout: scrapeIdleTimeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return m, nil
}

// meter is what httpapi counts with; nil, and not an interface that holds nil, where nothing is counted.
func (m *metering) meter() httpapi.Meter {
	if m == nil {
		return nil
	}
	return httpMeter{m.Metrics}
}

// httpMeter gives the tallies httpapi's type.
type httpMeter struct{ *metrics.Metrics }

// Tally implements httpapi.Meter.
func (m httpMeter) Tally(operation, method string, status int) httpapi.Tally {
	return m.Metrics.Tally(operation, method, status)
}

// swept is told of sweeps.
func (m *metering) swept(s worker.Swept) {
	if m != nil {
		m.Swept(s.Name, s.Removed, s.Took, s.Err != nil)
	}
}

// watch says where the rest of the metrics comes from.
func (m *metering) watch(a *App, blobs *blob.Dir, variants *variant.Maker) {
	if m == nil {
		return
	}
	m.Watch(metrics.Sources{
		Decoders: a.decoders.Stats, Variants: variants.Stats, LinkCache: a.changes.Stats,
		Pool:       func() metrics.Pool { return metrics.Pool(a.db.PoolStats()) },
		Figures:    func(ctx context.Context) (metrics.Figures, error) { return figures(ctx, a.db, blobs) },
		CacheLimit: a.cfg.VariantCacheBytes,
	})
}

func figures(ctx context.Context, d *database, blobs *blob.Dir) (metrics.Figures, error) {
	f, err := d.Figures(ctx)
	if err != nil {
		return metrics.Figures{}, err
	}
	space, err := blobs.Space()
	return metrics.Figures{
		DatabaseBytes: f.DatabaseBytes, Accounts: f.Accounts, Sessions: f.Sessions, Images: f.Images, Blobs: f.Blobs,
		BlobBytes: f.BlobBytes, Lost: f.Lost, Variants: f.Variants, CacheBytes: f.CacheBytes,
		StorageBytes: space.Total, StorageFree: space.Free,
	}, err
}

// serve lets the metrics be read until stop is called.
func (m *metering) serve(log *slog.Logger) (stop func()) {
	if m == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the metrics can no longer be read", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeStopTimeout)
		defer cancel()
		if m.server.Shutdown(ctx) != nil {
			_ = m.server.Close()
		}
		<-done
	}
}

func (m *metering) close() error {
	if m == nil {
		return nil
	}
	m.Metrics.Close()
	if err := m.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
