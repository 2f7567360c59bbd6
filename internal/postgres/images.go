package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
)

// ImageStore keeps images and blobs' rows; it implements image.Store.
type ImageStore struct{ db *DB }

// NewImageStore returns an ImageStore over db.
func NewImageStore(db *DB) *ImageStore { return &ImageStore{db: db} }

// imageColumns are scanned by scanImage, in this order.
const imageColumns = `id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
    description, visibility, placeholder, revision, created_at, updated_at`

func scanImage(row pgx.CollectableRow) (image.Image, error) {
	var img image.Image
	var ref []byte
	var mediaType string
	err := row.Scan(&img.ID, &img.AccountID, &img.AccountName, &ref, &mediaType, &img.Width, &img.Height, &img.Frames,
		&img.Transparent, &img.Size, &img.Filename, &img.Title, &img.Description, &img.Visibility, &img.Placeholder,
		&img.Revision, &img.CreatedAt, &img.UpdatedAt)
	if err != nil {
		return image.Image{}, err
	}
	img.Ref = blob.Ref(ref)
	img.Format, _ = imaging.ParseMediaType(mediaType)
	img.CreatedAt, img.UpdatedAt = img.CreatedAt.UTC(), img.UpdatedAt.UTC()
	return img, nil
}

// The statements of CreateImage go to the server together and run in one transaction, one after the other, each with a
// snapshot of its own: those after the first see what was committed before it had its lock, on the account's usage. The
// insertion carries its conditions itself, so that nothing has to come back before it can run.
const (
	growUsageSQL = `
UPDATE account_usage SET bytes = bytes + $2, images = images + 1 WHERE account_id = $1 RETURNING bytes > quota_bytes`

	sameImageSQL = `SELECT ` + imageColumns + ` FROM images WHERE ref = $1 AND account_id = $2 ORDER BY created_at, id LIMIT 1`

	// The reservation ends whatever comes of the image. The bytes were committed just now, so they are sound, whatever
	// was found of them before.
	insertImageSQL = `
WITH b AS (UPDATE blobs SET uploads = uploads - 1, lost_at = NULL WHERE ref = $3 AND uploads > 0 RETURNING ref)
INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
    description, visibility, placeholder)
SELECT $1, u.account_id, (SELECT name FROM accounts WHERE id = $2), b.ref, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
FROM b, account_usage u
WHERE u.account_id = $2 AND (u.quota_bytes IS NULL OR u.bytes <= u.quota_bytes)
  AND ($15 OR NOT EXISTS (SELECT FROM images WHERE ref = $3 AND account_id = $2))
RETURNING ` + imageColumns

	shrinkUsageUnlessSQL = `
UPDATE account_usage SET bytes = bytes - $2, images = images - 1
WHERE account_id = $1 AND NOT EXISTS (SELECT FROM images WHERE id = $3)`
)

// CreateImage implements image.Store.
func (s *ImageStore) CreateImage(ctx context.Context, img image.Image, allowDuplicate bool) (image.Image, bool, error) {
	var same, made []image.Image
	var overQuota *bool // nil where there is no quota
	collect := func(into *[]image.Image) func(pgx.Rows) error {
		return func(rows pgx.Rows) (err error) {
			*into, err = pgx.CollectRows(rows, scanImage)
			return err
		}
	}
	batch := &pgx.Batch{}
	batch.Queue(growUsageSQL, img.AccountID, img.Size).QueryRow(func(row pgx.Row) error { return row.Scan(&overQuota) })
	if !allowDuplicate {
		batch.Queue(sameImageSQL, img.Ref[:], img.AccountID).Query(collect(&same))
	}
	batch.Queue(insertImageSQL, img.ID, img.AccountID, img.Ref[:], img.Format.MediaType(), img.Width, img.Height,
		img.Frames, img.Transparent, img.Size, img.Filename, img.Title, img.Description, img.Visibility, img.Placeholder,
		allowDuplicate).Query(collect(&made))
	batch.Queue(shrinkUsageUnlessSQL, img.AccountID, img.Size, img.ID)
	err := s.db.pool.Batch(ctx, batch)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return image.Image{}, false, errAccountGone
	case err != nil:
		return image.Image{}, false, translate(err, "create image", nil)
	case len(made) == 1:
		return made[0], true, nil
	case len(same) == 1:
		return same[0], false, nil
	case overQuota != nil && *overQuota:
		return image.Image{}, false, image.ErrQuota
	}
	return image.Image{}, false, image.ErrReservation
}

// errAccountGone: the account was deleted while one of its requests was under way.
var errAccountGone = apperr.New(apperr.Unauthenticated, "unauthenticated", "The account is gone.")

const (
	imageSQL = `SELECT ` + imageColumns + ` FROM images WHERE id = $1`

	wasDeletedSQL = `SELECT EXISTS (SELECT FROM deleted_images WHERE id = $1)`
)

// Image implements image.Store.
func (s *ImageStore) Image(ctx context.Context, id string) (image.Image, error) {
	rows, err := s.db.pool.Query(ctx, imageSQL, id)
	if err != nil {
		return image.Image{}, translate(err, "image", nil)
	}
	img, err := pgx.CollectExactlyOneRow(rows, scanImage)
	if errors.Is(err, pgx.ErrNoRows) {
		return image.Image{}, missing(ctx, s.db.pool, id)
	}
	return img, translate(err, "image", nil)
}

// missing tells a picture that was deleted from one that never was.
func missing(ctx context.Context, q querier, id string) error {
	var deleted bool
	if err := q.QueryRow(ctx, wasDeletedSQL, id).Scan(&deleted); err != nil {
		return translate(err, "missing", nil)
	}
	if deleted {
		return image.ErrGone
	}
	return image.ErrNotFound
}

const (
	lockImageSQL = `SELECT account_id, revision FROM images WHERE id = $1 FOR UPDATE`

	updateImageSQL = `
UPDATE images SET title = coalesce($2, title), description = coalesce($3, description), filename = coalesce($4, filename),
    visibility = coalesce($5, visibility), revision = revision + 1, updated_at = now()
WHERE id = $1 RETURNING ` + imageColumns
)

// UpdateImage implements image.Store.
func (s *ImageStore) UpdateImage(ctx context.Context, accountID, id string, p image.Patch) (image.Image, error) {
	var updated image.Image
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		var owner string
		var revision int64
		err := tx.QueryRow(ctx, lockImageSQL, id).Scan(&owner, &revision)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return missing(ctx, tx, id)
		case err != nil:
			return err
		case owner != accountID:
			return image.ErrNotFound
		case p.IfRevision != nil && !p.IfRevision(revision):
			return image.ErrChanged
		}
		rows, err := tx.Query(ctx, updateImageSQL, id, p.Title, p.Description, p.Filename, p.Visibility)
		if err != nil {
			return err
		}
		updated, err = pgx.CollectExactlyOneRow(rows, scanImage)
		return err
	})
	return updated, translate(err, "update image", nil)
}

const (
	lockUsageSQL = `SELECT FROM account_usage WHERE account_id = $1 FOR UPDATE`

	lockImagesSQL = `SELECT id, revision FROM images WHERE account_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE`

	deleteImagesSQL = `DELETE FROM images WHERE id = ANY($1) RETURNING ` + imageColumns

	rememberDeletedSQL = `INSERT INTO deleted_images (id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING`

	shrinkUsageSQL = `UPDATE account_usage SET bytes = bytes - $2, images = images - $3 WHERE account_id = $1`
)

// DeleteImages implements image.Store.
func (s *ImageStore) DeleteImages(ctx context.Context, accountID string, ids []string, ifRevision func(int64) bool) ([]image.Image, error) {
	var deleted []image.Image
	err := s.db.withTx(ctx, func(tx pgx.Tx) error {
		deleted = nil
		if _, err := tx.Exec(ctx, lockUsageSQL, accountID); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, lockImagesSQL, accountID, ids)
		if err != nil {
			return err
		}
		var found []string
		var id string
		var revision int64
		_, err = pgx.ForEachRow(rows, []any{&id, &revision}, func() error {
			if ifRevision != nil && !ifRevision(revision) {
				return image.ErrChanged
			}
			found = append(found, id)
			return nil
		})
		if err != nil || len(found) == 0 {
			return err
		}
		rows, err = tx.Query(ctx, deleteImagesSQL, found)
		if err != nil {
			return err
		}
		if deleted, err = pgx.CollectRows(rows, scanImage); err != nil {
			return err
		}
		var bytes int64
		for _, img := range deleted {
			bytes += img.Size
		}
		batch := &pgx.Batch{}
		batch.Queue(rememberDeletedSQL, found)
		batch.Queue(shrinkUsageSQL, accountID, bytes, len(deleted))
		return tx.SendBatch(ctx, batch).Close()
	})
	return deleted, translate(err, "delete images", nil)
}

const setVisibilitySQL = `
UPDATE images SET visibility = $3, revision = revision + 1, updated_at = now()
WHERE id IN (SELECT id FROM images WHERE account_id = $1 AND id = ANY($2) ORDER BY id FOR UPDATE)
RETURNING id`

// SetVisibility implements image.Store.
func (s *ImageStore) SetVisibility(ctx context.Context, accountID string, ids []string, v image.Visibility) ([]string, error) {
	rows, err := s.db.pool.Query(ctx, setVisibilitySQL, accountID, ids, v)
	if err != nil {
		return nil, translate(err, "set visibility", nil)
	}
	changed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return changed, translate(err, "set visibility", nil)
}

// Images implements image.Store. The statement's text carries what is constant for a kind of page (the sort, the filters
// that are on, the page's size), so that PostgreSQL can keep a plan for each; only values are parameters.
func (s *ImageStore) Images(ctx context.Context, q image.Query) ([]image.Image, error) {
	args := []any{q.AccountID}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	var sql strings.Builder
	sql.WriteString(`SELECT ` + imageColumns + ` FROM images WHERE account_id = $1`)
	if q.Visibility != "" {
		sql.WriteString(` AND visibility = ` + arg(q.Visibility))
	}
	if q.Format != "" {
		sql.WriteString(` AND media_type = ` + arg(q.Format.MediaType()))
	}
	if q.Text != "" {
		// PostgreSQL lowers both sides, for what it takes for a letter depends on the database's locale.
		p := "lower(" + arg("%"+escapeLike(q.Text)+"%") + ")"
		sql.WriteString(` AND (filename_key LIKE ` + p + ` OR lower(title) LIKE ` + p + ` OR lower(description) LIKE ` + p + `)`)
	}
	comparison, direction := ">", "ASC"
	if q.Descending {
		comparison, direction = "<", "DESC"
	}
	after := image.Position{}
	if q.After != nil {
		after = *q.After
	}
	column, placeholder, value := "created_at", "%s", any(after.Created)
	switch q.Sort {
	case image.ByName:
		column, placeholder, value = "filename_key", "lower(%s)", after.Filename
	case image.BySize:
		column, value = "size", after.Size
	case image.ByCreated:
	}
	if q.After != nil {
		fmt.Fprintf(&sql, ` AND (%s, id) %s (`+placeholder+`, %s)`, column, comparison, arg(value), arg(after.ID))
	}
	fmt.Fprintf(&sql, ` ORDER BY %s %s, id %s LIMIT %d`, column, direction, direction, q.Limit)

	rows, err := s.db.pool.Query(ctx, sql.String(), args...)
	if err != nil {
		return nil, translate(err, "images", nil)
	}
	images, err := pgx.CollectRows(rows, scanImage)
	return images, translate(err, "images", nil)
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// Feed implements image.Store; see Images for what is in the statement's text.
func (s *ImageStore) Feed(ctx context.Context, q image.FeedQuery) ([]image.Image, error) {
	var args []any
	where := `visibility = 'public'`
	if q.AccountName != "" {
		var id string
		err := s.db.pool.QueryRow(ctx, `SELECT id FROM accounts WHERE name = $1`, q.AccountName).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, errNoSuchAccount
		}
		if err != nil {
			return nil, translate(err, "feed", nil)
		}
		args = append(args, id)
		where += ` AND account_id = $1`
	}
	if q.After != nil {
		where += fmt.Sprintf(` AND (created_at, id) < ($%d, $%d)`, len(args)+1, len(args)+2)
		args = append(args, q.After.Created, q.After.ID)
	}
	sql := fmt.Sprintf(`SELECT %s FROM images WHERE %s ORDER BY created_at DESC, id DESC LIMIT %d`, imageColumns, where, q.Limit)
	rows, err := s.db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, translate(err, "feed", nil)
	}
	images, err := pgx.CollectRows(rows, scanImage)
	return images, translate(err, "feed", nil)
}

var errNoSuchAccount = apperr.New(apperr.NotFound, "account_not_found", "There is no such account.")

var _ image.Store = (*ImageStore)(nil)
