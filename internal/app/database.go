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
	cluster *embedded.Cluster // nil when the settings name a database
}

// clusterStopTimeout is how long the private cluster may take to write everything out.
const clusterStopTimeout = 30 * time.Second

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

func openDatabase(ctx context.Context, cfg config.Config, log *slog.Logger) (*database, error) {
	return openDatabaseWith(ctx, cfg, log, postgres.Options{})
}

// openDatabaseWith takes what the settings don't say from opts.
func openDatabaseWith(ctx context.Context, cfg config.Config, log *slog.Logger, opts postgres.Options) (*database, error) {
	url, cluster, err := startCluster(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	d := &database{cluster: cluster}
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

// died is closed when the private cluster ends by itself; nil, and so never, where there is none.
func (d *database) died() <-chan struct{} {
	if d.cluster == nil {
		return nil
	}
	return d.cluster.Done()
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
