package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/doctor"
	"github.com/kadr-app/kadr/internal/postgres"
)

// WithDoctor runs fn with a doctor for the instance's database and storage. The server may run beside it.
func WithDoctor(ctx context.Context, cfg config.Config, log *slog.Logger, fn func(*doctor.Doctor) error) (err error) {
	blobs, err := openStorage(cfg)
	if err != nil {
		return err
	}
	unshare, err := blobs.Share()
	if err != nil {
		return err
	}
	defer unshare()
	d, err := openDatabase(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := pair(ctx, d, blobs, cfg.StorageDir()); err != nil {
		return err
	}
	return fn(doctor.New(postgres.NewDoctorStore(d.DB), blobs))
}
