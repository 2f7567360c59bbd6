package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/backup"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/doctor"
	"github.com/kadr-app/kadr/internal/postgres"
)

// WithBackup runs fn with what makes backups of the instance, and with a folder for temporary files. The server may run
// beside it. Unlike the other commands it does not bring the database up to date: a backup is also what is made before.
//
// The process should end at once afterwards: what fn's backup holds is released by that end, so that nothing at all is
// acknowledged between the backup and the end of the command.
func WithBackup(
	ctx context.Context, cfg config.Config, log *slog.Logger, version string, fn func(s *backup.Service, temp string) error,
) (err error) {
	blobs, err := openStorage(cfg)
	if err != nil {
		return err
	}
	unshare, err := blobs.Share()
	if err != nil {
		return err
	}
	defer unshare()
	url, cluster, err := startCluster(ctx, cfg, log)
	if err != nil {
		return err
	}
	d := &database{cluster: cluster}
	var store *postgres.BackupStore
	defer func() {
		err = errors.Join(err, d.close())
		if store != nil {
			store.Leave() // last of all
		}
	}()
	status, err := db.ReadStatus(ctx, url)
	if err != nil {
		return err
	}
	if status.Current != status.Latest {
		return fmt.Errorf("the database's schema has version %d and this kadr works on %d: back up with the kadr that serves it, "+
			"or migrate first", status.Current, status.Latest)
	}
	if d.DB, err = postgres.Open(ctx, url, postgres.Options{MaxConns: 2, Log: log, AppName: "kadr backup"}); err != nil {
		return err
	}
	if err := pair(ctx, d, blobs, cfg.StorageDir()); err != nil {
		return err
	}
	program := backup.Program{Version: version, Schema: status.Latest}
	store = postgres.NewBackupStore(d.DB)
	return fn(backup.New(store, blobs, program), filepath.Join(cfg.StorageDir(), "tmp"))
}

// Restore runs restore with what brings the instance back, and then examine with a doctor for the new instance. No server
// may run.
func Restore(
	ctx context.Context, cfg config.Config, log *slog.Logger,
	restore func(*backup.Restorer) error, examine func(*doctor.Doctor) error,
) (err error) {
	blobs, err := openStorage(cfg)
	if err != nil {
		return err
	}
	release, err := blobs.Seize()
	if err != nil {
		return err
	}
	defer release()
	url, cluster, err := startCluster(ctx, cfg, log)
	if err != nil {
		return err
	}
	d := &database{cluster: cluster}
	defer func() { err = errors.Join(err, d.close()) }()
	status, err := db.ReadStatus(ctx, url)
	if err != nil {
		return err
	}
	target, err := postgres.OpenRestore(ctx, url)
	if err != nil {
		return err
	}
	defer target.Close()
	if err := restore(backup.NewRestorer(target, blobs, status.Latest)); err != nil {
		return err
	}
	if d.DB, err = postgres.Open(ctx, url, postgres.Options{MaxConns: 2, Log: log, AppName: "kadr restore"}); err != nil {
		return err
	}
	if err := pair(ctx, d, blobs, cfg.StorageDir()); err != nil {
		return err
	}
	return examine(doctor.New(postgres.NewDoctorStore(d.DB), blobs))
}
