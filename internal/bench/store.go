package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	neturl "net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/postgres"
	"github.com/kadr-app/kadr/internal/token"
)

const writers = 8

// sizes of the files, in bytes.
var sizes = []struct {
	name string
	size int
}{{"100 KB", 100 << 10}, {"1 MB", 1 << 20}, {"10 MB", 10 << 20}}

// payload is bytes that differ at every call in one number, so that nothing is stored twice.
type payload struct {
	data []byte
	at   int // where the number goes
	next atomic.Uint64
}

func newPayload(size int) *payload {
	p := &payload{data: make([]byte, size)}
	_, _ = rand.Read(p.data)
	return p
}

// parts returns the payload with a number of its own.
func (p *payload) parts() [3][]byte {
	return [3][]byte{p.data[:p.at], binary.BigEndian.AppendUint64(nil, p.next.Add(1)), p.data[p.at+8:]}
}

func (p *payload) reader() io.Reader {
	parts := p.parts()
	return io.MultiReader(bytes.NewReader(parts[0]), bytes.NewReader(parts[1]), bytes.NewReader(parts[2]))
}

const insertBareSQL = `INSERT INTO bare (ref, size) VALUES ($1, $2)`

// bareLoop hashes, writes, fsyncs, names and inserts one row: what storing a file costs at the least.
func bareLoop(dir string, pool *pgxpool.Pool, p *payload) (side, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	_, err := pool.Exec(context.Background(), `CREATE TABLE IF NOT EXISTS bare (ref bytea PRIMARY KEY, size bigint NOT NULL)`)
	if err != nil {
		return nil, err
	}
	one := func(ctx context.Context, _ int) error {
		f, err := os.CreateTemp(dir, "tmp-")
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		size, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, h)}, p.reader(), make([]byte, 128<<10))
		if err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		ref := h.Sum(nil)
		if err := os.Rename(f.Name(), filepath.Join(dir, hex.EncodeToString(ref))); err != nil {
			return err
		}
		_, err = pool.Exec(context.WithoutCancel(ctx), insertBareSQL, ref, size)
		return err
	}
	return func(ctx context.Context) (int, error) { return parallel(ctx, writers, one) }, nil
}

// store compares Stage, Commit and a row with the bare loop, and, for what they add, with the rows that an upload has: its
// reservation, its image, its account's usage.
func (b *bench) store(ctx context.Context) error {
	// A database of its own: the server's belongs together with the server's storage.
	admin, err := pgxpool.New(ctx, b.cluster.URL())
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := admin.Exec(ctx, `CREATE DATABASE store`); err != nil {
		return err
	}
	parsed, err := neturl.Parse(b.cluster.URL())
	if err != nil {
		return err
	}
	parsed.Path = "/store"
	url := parsed.String()
	if err := db.Migrate(ctx, url, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	database, err := postgres.Open(ctx, url, postgres.Options{MaxConns: 8})
	if err != nil {
		return err
	}
	defer database.Close()
	accounts := account.New(postgres.NewAccountStore(database), account.Config{})
	images := postgres.NewImageStore(database)
	for _, s := range sizes {
		dir := filepath.Join(b.dir, fmt.Sprintf("store-%d", s.size))
		blobs, err := blob.OpenDir(filepath.Join(dir, "kadr"))
		if err != nil {
			return err
		}
		// Writers are different people: one account's uploads wait for each other by design, on the row with its quota.
		owners := make([]account.Account, writers)
		for i := range owners {
			if owners[i], err = accounts.CreateAccount(ctx, account.AccountRequest{
				Name: fmt.Sprintf("store-%d-%d", s.size, i), Password: token.Secret(),
			}); err != nil {
				return err
			}
		}
		p := newPayload(s.size)
		oneRow := func(ctx context.Context) (int, error) {
			return parallel(ctx, writers, func(ctx context.Context, _ int) error {
				return storeWithRow(context.WithoutCancel(ctx), blobs, pool, p.reader())
			})
		}
		allRows := func(ctx context.Context) (int, error) {
			return parallel(ctx, writers, func(ctx context.Context, worker int) error {
				return storeOne(context.WithoutCancel(ctx), blobs, images, owners[worker], p.reader())
			})
		}
		limit, err := bareLoop(filepath.Join(dir, "bare"), pool, p)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("store %s, %d writers", s.name, writers)
		if err := b.compare(ctx, what, 0.8, oneRow, limit); err != nil {
			return err
		}
		if err := b.compare(ctx, what+", all rows of an upload", 0, allRows, limit); err != nil {
			return err
		}
	}
	return nil
}

// storeWithRow stages, commits and inserts the one row that the bare loop inserts.
func storeWithRow(ctx context.Context, blobs *blob.Dir, pool *pgxpool.Pool, r io.Reader) error {
	staged, err := blobs.Stage(ctx, r, 1<<30)
	if err != nil {
		return err
	}
	defer staged.Discard()
	if err := blobs.Commit(ctx, staged); err != nil {
		return err
	}
	ref := staged.Ref()
	_, err = pool.Exec(ctx, insertBareSQL, ref[:], staged.Size())
	return err
}

// storeOne does what an upload does once its picture is known: all the bytes, and all the rows.
func storeOne(ctx context.Context, blobs *blob.Dir, images *postgres.ImageStore, owner account.Account, r io.Reader) error {
	staged, err := blobs.Stage(ctx, r, 1<<30)
	if err != nil {
		return err
	}
	defer staged.Discard()
	if err := images.ReserveBlob(ctx, staged.Ref(), staged.Size(), time.Minute); err != nil {
		return err
	}
	if err := blobs.Commit(ctx, staged); err != nil {
		return err
	}
	_, _, err = images.CreateImage(ctx, image.Image{
		ID: token.ID(), AccountID: owner.ID, Ref: staged.Ref(), Format: imaging.PNG, Width: 1, Height: 1, Frames: 1,
		Size: staged.Size(), Filename: "bench.png", Visibility: image.Unlisted, Placeholder: []byte{1},
	}, false)
	return err
}
