package app

import (
	"context"
	"fmt"

	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/config"
)

func openStorage(cfg config.Config) (*blob.Dir, error) {
	blobs, err := blob.OpenDir(cfg.StorageDir())
	if err != nil {
		return nil, fmt.Errorf("open the storage: %w", err)
	}
	if err := blobs.KeepFree(cfg.ReserveBytes); err != nil {
		return nil, fmt.Errorf("open the storage: %w", err)
	}
	return blobs, nil
}

// pair makes sure that the database and the storage belong together, before anything compares them: to a database that
// knows none of the files they are all orphans, and to one whose volume is not mounted all its pictures are lost.
func pair(ctx context.Context, d *database, blobs *blob.Dir, dir string) error {
	id, hasBlobs, err := d.Instance(ctx)
	if err != nil {
		return err
	}
	owner, err := blobs.Owner()
	switch {
	case err != nil:
		return err
	case owner == id:
		return nil
	case owner != "":
		return fmt.Errorf("the storage in %s belongs to another database (%s, not %s): "+
			"look at KADR_DATA_DIR and KADR_DATABASE_URL; if they are right, write the second id into %s/instance", dir, owner, id, dir)
	case hasBlobs:
		return fmt.Errorf("the storage in %s is new, but the database has pictures: is the right volume mounted there? "+
			"If it is, write %s into %s/instance", dir, id, dir)
	}
	return blobs.Claim(id)
}
