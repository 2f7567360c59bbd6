package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/postgres/embedded"
	"github.com/kadr-app/kadr/internal/variant"
)

// database is a migrated database and, where the settings name none, the private cluster that it lives in.
type database struct {
	*postgres.DB
	cfg     config.Config
	log     *slog.Logger
	cluster *embedded.Cluster // nil when the settings name a database
}

const (
	// clusterStopTimeout is how long the private cluster may take to write everything out.
	clusterStopTimeout = 30 * time.Second
	// A private cluster that ended by itself is started again after the first pause; every further try waits twice as
	// long, up to the last, until the cluster has lived for as long as steadyAfter.
	firstRestart, lastRestart = 250 * time.Millisecond, 30 * time.Second
	steadyAfter               = time.Minute
)

// startCluster returns the database's URL, and the private cluster when there has to be one.
func startCluster(ctx context.Context, cfg config.Config, log *slog.Logger) (string, *embedded.Cluster, error) {
	if cfg.DatabaseURL != "" {
		return cfg.DatabaseURL, nil, nil
	}
	cluster, err := embedded.Start(ctx, embedded.Config{Dir: cfg.PostgresDir(), Log: log})
	if err != nil {
		return "", nil, fmt.Errorf("start the private database: %w", err)
	}
	return cluster.URL(), cluster, nil
}

// superviseCluster starts the private cluster again whenever it ends by itself, until ctx ends: killed for its memory, or
// stopped by a full disk, it is back as soon as it can be, and the pool with it. Meanwhile whoever needs it gets a 503, as
// with a database elsewhere. A server that ended with it would only be started again by somebody to do the same.
func (d *database) superviseCluster(ctx context.Context) {
	if d.cluster == nil {
		return
	}
	pause, started := firstRestart, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.cluster.Done():
		}
		d.log.ErrorContext(ctx, "the private database is gone, and is started again", "error", d.cluster.Err())
		if time.Since(started) > steadyAfter {
			pause = firstRestart
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, lastRestart)
			err := d.restartCluster(ctx)
			if err == nil {
				break
			}
			if ctx.Err() == nil {
				d.log.ErrorContext(ctx, "the private database does not start", "error", err, "again", pause)
			}
		}
		started = time.Now()
	}
}

func (d *database) restartCluster(ctx context.Context) error {
	if err := d.cluster.Stop(ctx); err != nil { // gives back the lock
		return err
	}
	_, cluster, err := startCluster(ctx, d.cfg, d.log)
	if err != nil {
		return err
	}
	d.cluster = cluster // under the same address, which only the folder decides
	return nil
}

func openDatabase(ctx context.Context, cfg config.Config, log *slog.Logger) (*database, error) {
	return openDatabaseWith(ctx, cfg, log, postgres.Options{})
}

// openDatabaseWith takes what the settings don't say from opts.
func openDatabaseWith(ctx context.Context, cfg config.Config, log *slog.Logger, opts postgres.Options) (*database, error) {
	url, cluster, err := startCluster(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	d := &database{cfg: cfg, log: log, cluster: cluster}
	if err := db.Migrate(ctx, url, log); err != nil {
		return nil, errors.Join(err, d.close())
	}
	opts.MaxConns, opts.Log = cfg.DatabaseMaxConns, log
	d.DB, err = postgres.Open(ctx, url, opts)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *database) close() error {
	if d.DB != nil {
		d.DB.Close()
	}
	if d.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), clusterStopTimeout)
	defer cancel()
	return d.cluster.Stop(ctx)
}

func accountService(cfg config.Config, d *database) *account.Service {
	return account.New(postgres.NewAccountStore(d.DB), account.Config{
		Registration: account.Registration(cfg.Registration), DefaultQuotaBytes: cfg.QuotaBytes, SessionLifetime: cfg.SessionLifetime,
	})
}

// WithAccounts runs fn with the accounts of the instance, for the command line. The server may run beside it.
func WithAccounts(ctx context.Context, cfg config.Config, log *slog.Logger, fn func(*account.Service) error) (err error) {
	d, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return fn(accountService(cfg, d))
}

// WithSigningKeys runs fn with the keys that links are signed with, for the command line. The server may run beside it.
func WithSigningKeys(ctx context.Context, cfg config.Config, log *slog.Logger, fn func(*variant.Keys) error) (err error) {
	d, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	return fn(variant.NewKeys(postgres.NewVariantStore(d.DB)))
}

// Migrate brings the database up to date.
func Migrate(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	d, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	return d.close()
}

// MigrationStatus tells which migrations the database has, and changes nothing.
func MigrationStatus(ctx context.Context, cfg config.Config, log *slog.Logger) (status db.Status, err error) {
	url, cluster, err := startCluster(ctx, cfg, log)
	if err != nil {
		return db.Status{}, err
	}
	d := &database{cluster: cluster}
	defer func() { err = errors.Join(err, d.close()) }()
	return db.ReadStatus(ctx, url)
}
