package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/kadr-app/kadr/db"
	"github.com/kadr-app/kadr/internal/postgres/embedded"
)

const feedClients = 32

// feedSQL is the statement that the server's feed of 20 runs (it asks for one more to know whether there is a next page).
const feedSQL = `SELECT id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
description, visibility, placeholder, revision, created_at, updated_at FROM images WHERE visibility = 'public'
ORDER BY created_at DESC, id DESC LIMIT 21`

// feed compares the feed's page with pgbench running its statement, and a page far down with the first.
func (b *bench) feed(ctx context.Context) error {
	k, err := b.start(ctx, port) // first, since a database that has pictures already wants the storage that they are in
	if err != nil {
		return err
	}
	defer func() { _ = k.stop() }()
	if err := b.fill(ctx); err != nil {
		return err
	}
	far, err := k.walkFeed(b.images / 2)
	if err != nil {
		return err
	}
	first := hammer(k, "/api/v1/feed?limit=20")
	pgbench, err := b.pgbench(ctx)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("feed of 20 over %d, %d clients", b.images, feedClients)
	if err := b.compare(ctx, what+", pgbench", 0.5, first, pgbench); err != nil {
		return err
	}
	different, err := k.differentPages()
	if err != nil {
		return err
	}
	if err := b.compare(ctx, "the same, every client another page, pgbench", 0, different, pgbench); err != nil {
		return err
	}
	return b.compare(ctx, fmt.Sprintf("the page after %d, the first page", b.images/2), 0.8, hammer(k, "/api/v1/feed?limit=20&cursor="+far), first)
}

// fill makes the accounts and pictures, without the checks that a million insertions one by one would pay for.
func (b *bench) fill(ctx context.Context) error {
	if err := db.Migrate(ctx, b.cluster.URL(), slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	pool, err := pgxpool.New(ctx, b.cluster.URL())
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, sql := range []string{
		`INSERT INTO accounts (id, name, role, password_hash)
SELECT 'feed' || lpad(n::text, 9, '2'), 'feed' || n, 'member', '' FROM generate_series(1, 10000) n ON CONFLICT DO NOTHING`,
		`INSERT INTO blobs (ref, size) SELECT sha256(n::text::bytea), 1000000 + n FROM generate_series(1, ` + strconv.Itoa(b.images) + `) n
ON CONFLICT DO NOTHING`,
		`INSERT INTO images (id, account_id, account_name, ref, media_type, width, height, frames, transparent, size, filename, title,
description, visibility, placeholder, created_at)
SELECT 'i' || translate(lpad(n::text, 12, '0'), '0189', 'abcd'), 'feed' || lpad((n % 10000 + 1)::text, 9, '2'), 'feed' || (n % 10000 + 1),
sha256(n::text::bytea), 'image/jpeg', 4000, 3000, 1, false, 1000000 + n, 'DSC_' || n || '.jpg', 'Picture ' || n,
'A picture that somebody took on the way home.', 'public', '\x1e0806350880867879827877778b77773080d78b07'::bytea,
now() - n * interval '1 second' FROM generate_series(1, ` + strconv.Itoa(b.images) + `) n ON CONFLICT DO NOTHING`,
		`VACUUM ANALYZE images`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// differentPages lets every client ask for a page of its own, so that no work is shared.
func (k *kadr) differentPages() (side, error) {
	paths := make([]string, feedClients)
	for i := range paths {
		cursor, err := k.walkFeed(100 * (i + 1))
		if err != nil {
			return nil, err
		}
		paths[i] = "/api/v1/feed?limit=20&cursor=" + cursor
	}
	return hammer(k, paths...), nil
}

// walkFeed pages through the feed and returns the cursor after n pictures.
func (k *kadr) walkFeed(n int) (string, error) {
	cursor := ""
	for range n / 100 {
		path := "/api/v1/feed?limit=100"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		reply, err := k.client.Get(k.base + path)
		if err != nil {
			return "", err
		}
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		err = json.NewDecoder(reply.Body).Decode(&page)
		_ = reply.Body.Close()
		if err != nil {
			return "", err
		}
		cursor = page.NextCursor
	}
	return cursor, nil
}

// hammer asks for paths, each client for one, as fast as the server answers. It speaks just enough HTTP by itself, because net/http's client
// would take as much of the cores as the server.
func hammer(k *kadr, paths ...string) side {
	address := strings.TrimPrefix(k.base, "http://")
	requests := make([][]byte, feedClients)
	for i := range requests {
		requests[i] = []byte("GET " + paths[i%len(paths)] + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
	}
	return func(ctx context.Context) (int, error) {
		conns := make([]net.Conn, feedClients)
		readers := make([]*bufio.Reader, feedClients)
		for i := range conns {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return 0, err
			}
			defer conn.Close()
			conns[i], readers[i] = conn, bufio.NewReaderSize(conn, 32<<10)
		}
		return parallel(ctx, feedClients, func(_ context.Context, worker int) error {
			if _, err := conns[worker].Write(requests[worker]); err != nil {
				return err
			}
			return readReply(readers[worker])
		})
	}
}

func readReply(r *bufio.Reader) error {
	t := textproto.NewReader(r)
	line, err := t.ReadLine()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 2") {
		return fmt.Errorf("unexpected reply: %s", line)
	}
	length := -1
	for {
		header, err := t.ReadLineBytes()
		if err != nil {
			return err
		}
		if len(header) == 0 {
			break
		}
		if value, ok := strings.CutPrefix(string(header), "Content-Length: "); ok {
			if length, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return readChunks(r)
	}
	_, err = r.Discard(length)
	return err
}

// readChunks reads a chunked body (RFC 9112 §7.1).
func readChunks(r *bufio.Reader) error {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(size) + 2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

var tpsPattern = regexp.MustCompile(`tps = ([0-9.]+) \(without`)

// pgbench runs the feed's statement, prepared, by PostgreSQL's own benchmark.
func (b *bench) pgbench(ctx context.Context) (side, error) {
	found, err := embedded.FindBinaries(ctx, nil)
	if err != nil {
		return nil, err
	}
	script := filepath.Join(b.dir, "feed.sql")
	if err := os.WriteFile(script, []byte(strings.ReplaceAll(feedSQL, "\n", " ")+";\n"), 0o644); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (int, error) {
		seconds := strconv.Itoa(max(1, int(b.length.Seconds())))
		cmd := exec.Command(found[0].Path("pgbench"), "-n", "-M", "prepared", "-f", script,
			"-c", strconv.Itoa(feedClients), "-j", "2", "-T", seconds, b.cluster.URL())
		out, err := cmd.CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("pgbench: %w: %s", err, out)
		}
		m := tpsPattern.FindSubmatch(out)
		if m == nil {
			return 0, fmt.Errorf("pgbench said no rate: %s", out)
		}
		tps, err := strconv.ParseFloat(string(m[1]), 64)
		<-ctx.Done() // a side's rate is its count over the round's whole time
		return int(tps * b.length.Seconds()), err
	}, nil
}
