package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// stored is one of many uploads of a photograph, each of which differs in a number in a comment.
type stored struct {
	link      string // /i/{id}
	thumbnail string // the path of its thumbnail_url
	file      string // its bytes
	folder    string // its variants
	aside     string // where they go
}

// copies uploads a photograph n times.
func (b *bench) copies(k *kadr, photo []byte, n int) ([]stored, error) {
	keys, err := b.members(k)
	if err != nil {
		return nil, err
	}
	p := numbered(photo)
	all := make([]stored, n)
	for i := range all {
		parts := p.parts()
		if all[i], err = b.store1(k, keys[i%len(keys)], slices.Concat(parts[:]...)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// store1 uploads one JPEG.
func (b *bench) store1(k *kadr, key string, data []byte) (stored, error) {
	req, err := http.NewRequest(http.MethodPost, k.base+"/api/v1/images?allow_duplicate=true", bytes.NewReader(data))
	if err != nil {
		return stored{}, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "image/jpeg")
	body, _, err := k.do(req)
	if err != nil {
		return stored{}, err
	}
	var reply struct {
		ID           string `json:"id"`
		ThumbnailURL string `json:"thumbnail_url"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return stored{}, err
	}
	sum := sha256.Sum256(data)
	ref := hex.EncodeToString(sum[:])
	shard := filepath.Join(ref[:2], ref[2:4], ref)
	aside := filepath.Join(b.dir, "aside")
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return stored{}, err
	}
	return stored{
		aside: aside,
		link:  "/i/" + reply.ID, thumbnail: strings.TrimPrefix(reply.ThumbnailURL, k.base),
		file: filepath.Join(b.storage(), "blobs", shard), folder: filepath.Join(b.storage(), "variants", shard),
	}, nil
}

// storage is the folder of the server's files.
func (b *bench) storage() string { return filepath.Join(b.dir, "data", "storage") }

// want is a variant that is asked for and whose file is removed after every reply, so that it is rendered every time.
type want struct {
	query string // what follows the link
	name  string // of its file
	size  int    // bytes
}

// learn asks for a variant of each picture, finds out by its bytes which file it is, and removes all of them.
func learn(k *kadr, pictures []stored, query string) (want, error) {
	w := want{query: query}
	for _, p := range pictures {
		req, err := http.NewRequest(http.MethodGet, k.base+p.link+query, nil)
		if err != nil {
			return w, err
		}
		body, _, err := k.do(req)
		if err != nil {
			return w, err
		}
		w.size = len(body)
		if w.name == "" {
			if w.name, err = fileWith(p.folder, body); err != nil {
				return w, err
			}
		}
		if err := p.forget(w); err != nil {
			return w, err
		}
	}
	return w, nil
}

func fileWith(folder string, data []byte) (string, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return "", err
		}
		if bytes.Equal(text, data) {
			return f.Name(), nil
		}
	}
	return "", fmt.Errorf("no file in %s is the variant that the server sent", folder)
}

// forget takes a variant out of the store. That it was there proves that it had been rendered: it was taken out the time
// before. It is put aside and not removed, or every new file would cost more (see bench.run).
func (p stored) forget(w want) error {
	if err := os.Rename(filepath.Join(p.folder, w.name), filepath.Join(p.aside, rand.Text())); err != nil {
		return fmt.Errorf("the variant was not rendered: %w", err)
	}
	return nil
}

// connection asks for one thing after the other.
type connection struct {
	conn    net.Conn
	reader  *bufio.Reader
	address string
}

func dial(base string) (*connection, error) {
	address := strings.TrimPrefix(base, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10), address: address}, nil
}

// get asks for a path and throws the reply away.
func (c *connection) get(path string) error {
	if _, err := c.conn.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: " + c.address + "\r\n\r\n")); err != nil {
		return err
	}
	return readReply(c.reader)
}

// task renders something once, of the pictures of one client.
type task func(connections []*connection, pictures []stored, turn int) error

// cold has clients do a task, each on pictures of its own.
func cold(k *kadr, pictures []stored, clients, connections int, do task) side {
	return func(ctx context.Context) (int, error) {
		pools := make([][]*connection, clients)
		for i := range pools {
			for range connections {
				c, err := dial(k.base)
				if err != nil {
					return 0, err
				}
				defer c.conn.Close()
				pools[i] = append(pools[i], c)
			}
		}
		share := len(pictures) / clients
		turns := make([]int, clients)
		return parallel(ctx, clients, func(_ context.Context, w int) error {
			turns[w]++
			return do(pools[w], pictures[w*share:(w+1)*share], turns[w])
		})
	}
}

// one renders a variant of another picture each time.
func one(w want) task {
	return func(connections []*connection, pictures []stored, turn int) error {
		p := pictures[turn%len(pictures)]
		return errors.Join(connections[0].get(p.link+w.query), p.forget(w))
	}
}

// atOnce renders variants of one picture by requests at the same time, one on each connection.
func atOnce(wants []want) task {
	return func(connections []*connection, pictures []stored, turn int) error {
		p := pictures[turn%len(pictures)]
		errs := make(chan error, len(wants))
		for i, w := range wants {
			go func() { errs <- connections[i].get(p.link + w.query) }()
		}
		var all []error
		for range wants {
			all = append(all, <-errs)
		}
		for _, w := range wants {
			all = append(all, p.forget(w))
		}
		return errors.Join(all...)
	}
}

// apart renders the same variants, one after the other, each of another picture.
func apart(wants []want) task {
	return func(connections []*connection, pictures []stored, turn int) error {
		for i, w := range wants {
			p := pictures[(turn*len(wants)+i)%len(pictures)]
			if err := errors.Join(connections[0].get(p.link+w.query), p.forget(w)); err != nil {
				return err
			}
		}
		return nil
	}
}

// files are where the pictures' bytes are.
func files(pictures []stored) []string {
	var names []string
	for _, p := range pictures {
		names = append(names, filepath.ToSlash(path.Clean(p.file)))
	}
	return names
}
