package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// diskVariable gives the server of a test a file system of its own for its data, of the size that is its value. It is the
// server's alone, and goes when that ends.
const diskVariable = "APP_TEST_DISK"

func mountDisk(size string) error {
	return syscall.Mount("tmpfs", os.Getenv("KADR_DATA_DIR"), "tmpfs", 0, "size="+size)
}

// ownMounts puts a process into a mount namespace of its own.
func ownMounts(attr *syscall.SysProcAttr) {
	attr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
	size := 1
	if os.Getuid() == 0 { // the database is another user's then
		size = 1 << 16
	}
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: size}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: size}}
}

// disk is a server's file system, seen from outside.
type disk struct {
	t      *testing.T
	folder string
}

// fill leaves so many bytes free.
func (d disk) fill(leave int64) {
	d.t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(d.folder, &fs); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(d.folder, "filler"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if n := int64(fs.Bavail)*fs.Bsize - leave; n > 0 {
		if _, err := f.Write(make([]byte, n)); err != nil && !errors.Is(err, syscall.ENOSPC) {
			d.t.Fatal(err)
		}
	}
}

// TestFullDisk fills the disk of a running server: with the reserve that it keeps free by itself, and with none, where it
// is for writes to fail.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, reserve := range map[string]string{"reserve": "268435456", "none": "0"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFullDisk(t, settings(t, "KADR_RESERVE_BYTES="+reserve, "KADR_DECODERS=1", diskVariable+"=64m"), reserve == "0")
		})
	}
}

func testFullDisk(t *testing.T, env []string, toTheLastByte bool) {
	s := start(t, testServer(), env)
	c := newClients(t, env, s.addr, 1)[0]
	d := disk{t, fmt.Sprintf("/proc/%d/root%s", s.pid(), setting(env, "KADR_DATA_DIR"))}
	rng := rand.New(rand.NewPCG(5, 5))
	ctx := t.Context()

	file := newPictureOf(rng, 900, 600, false)
	_, kept, err := c.uploadBytes(ctx, "", file)
	if err != nil {
		t.Fatal(err)
	}
	_, large, err := c.uploadBytes(ctx, "", noise(rng))
	if err != nil {
		t.Fatal(err)
	}
	wantReady(t, c, http.StatusOK, `"status":"ok"`)
	// Two uploads in parts, of which the disk is filled in the middle, and before the end.
	inParts := newPictureOf(rng, 800, 800, true)
	_, begun, err := c.begin(ctx, len(inParts))
	if err == nil {
		_, err = c.part(ctx, begun, 0, bytes.NewReader(inParts[:1000]))
	}
	if err != nil {
		t.Fatal(err)
	}
	_, arrived, err := c.begin(ctx, len(file)-1)
	if err == nil {
		_, err = c.part(ctx, arrived, 0, bytes.NewReader(file[:len(file)-1]))
	}
	if err != nil {
		t.Fatal(err)
	}

	leave := int64(2 << 20) // of a reserve of a twentieth, 3.2 MiB
	if toTheLastByte {
		leave = 0
	}
	d.fill(leave)
	for name, send := range map[string]func() (int, http.Header, []byte, error){
		"raw": func() (int, http.Header, []byte, error) {
			return c.do(ctx, http.MethodPost, "/api/v1/images", bytes.NewReader(newPictureOf(rng, 800, 800, true)))
		},
		"form": func() (int, http.Header, []byte, error) { return c.uploadForm(ctx, newPictureOf(rng, 800, 800, false)) },
	} {
		status, header, reply, err := send()
		if err != nil || status != http.StatusInsufficientStorage || header.Get("Retry-After") == "" || !bytes.Contains(reply, []byte("storage_full")) {
			t.Errorf("%s: %d %s %v", name, status, reply, err)
		}
	}
	for what, send := range map[string]func() (int, error){
		"begin":    func() (int, error) { status, _, err := c.begin(ctx, 1000); return status, err },
		"append":   func() (int, error) { return c.part(ctx, begun, 1000, bytes.NewReader(inParts[1000:])) },
		"complete": func() (int, error) { status, _, err := c.complete(ctx, arrived, "{}"); return status, err },
	} {
		status, err := send()
		if refused := (*refusal)(nil); status != http.StatusInsufficientStorage || !errors.As(err, &refused) || refused.code != "storage_full" {
			t.Errorf("%s: %d, %v", what, status, err)
		}
	}
	wantReady(t, c, http.StatusOK, `"status":"degraded"`, `"storage":"full"`)

	// Everything else works: what was made before, what has to be made, and changes.
	if status, _, got, err := c.fetch(ctx, kept.URL); err != nil || status != http.StatusOK || !bytes.Equal(got, file) {
		t.Errorf("the original: %d, %d bytes, %v", status, len(got), err)
	}
	base := strings.TrimSuffix(kept.URL, filepath.Ext(kept.URL))
	for _, link := range []string{kept.Thumbnail, base + ".webp?w=160", base + ".webp?w=640", base + ".png", base, base + ".webp?w=160"} {
		status, header, got, err := c.fetch(ctx, link)
		if err != nil || status != http.StatusOK || len(got) == 0 || !strings.HasPrefix(header.Get("Content-Type"), "image/") {
			t.Errorf("%s: %d %s %d bytes, %v", link, status, header.Get("Content-Type"), len(got), err)
		}
	}
	for _, r := range []struct{ method, path, body string }{
		{http.MethodGet, "/api/v1/images", ""},
		{http.MethodGet, "/api/v1/feed", ""},
		{http.MethodGet, "/api/v1/images/" + kept.ID, ""},
		{http.MethodPost, "/api/v1/images/" + kept.ID + "/links", `{"expires_in":3600}`},
	} {
		if status, reply := c.json(t, r.method, r.path, r.body); status >= 300 {
			t.Errorf("%s %s: %d %s", r.method, r.path, status, reply)
		}
	}

	// A deletion makes room, and uploads work by themselves.
	if status, err := c.delete(ctx, large.ID); err != nil || status != http.StatusNoContent {
		t.Fatalf("delete: %d, %v", status, err)
	}
	if status, _, err := c.uploadBytes(ctx, "", newPictureOf(rng, 400, 300, false)); err != nil || status != http.StatusCreated {
		t.Errorf("after a deletion: %d, %v", status, err)
	}
	if status, _, reply, err := c.do(ctx, http.MethodGet, "/api/v1/uploads/"+begun, nil); err != nil || status != http.StatusOK {
		t.Errorf("the upload in parts: %d %s, %v", status, reply, err)
	} else {
		var up struct{ Offset int }
		if err := json.Unmarshal(reply, &up); err != nil || up.Offset < 1000 {
			t.Errorf("the upload in parts: %s, %v", reply, err)
		}
		if _, err := c.part(ctx, begun, up.Offset, bytes.NewReader(inParts[up.Offset:])); err != nil {
			t.Error(err)
		}
		if status, _, err := c.complete(ctx, begun, "{}"); err != nil || status != http.StatusCreated {
			t.Errorf("completed: %d, %v", status, err)
		}
	}
	if status, _, err := c.complete(ctx, arrived, "{}"); status != http.StatusUnprocessableEntity { // it was cut off
		t.Errorf("completed: %d, %v", status, err)
	}
	wantReady(t, c, http.StatusOK, `"status":"ok"`)
	// What could not be kept is kept now.
	if status, _, _, err := c.fetch(ctx, base+".webp?w=160"); err != nil || status != http.StatusOK {
		t.Errorf("a variant after a deletion: %d, %v", status, err)
	}
	if left, err := os.ReadDir(filepath.Join(d.folder, "storage", "tmp")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
	s.stop(t)
	if said := s.stderr.String(); strings.Contains(said, "level=ERROR") || !strings.Contains(said, "storage_full") {
		t.Errorf("a full disk is a warning:\n%s", said)
	}
}

func wantReady(t *testing.T, c *client, status int, parts ...string) {
	t.Helper()
	got, _, reply, err := c.do(t.Context(), http.MethodGet, "/readyz", nil)
	if err != nil || got != status {
		t.Errorf("readyz: %d %s %v", got, reply, err)
	}
	for _, part := range parts {
		if !bytes.Contains(reply, []byte(part)) {
			t.Errorf("readyz lacks %s: %s", part, reply)
		}
	}
}

// json sends a request with a body of JSON, or none.
func (c *client) json(t *testing.T, method, path, body string) (status int, reply []byte) {
	t.Helper()
	var reader io.Reader
	if body != "" {
		if !json.Valid([]byte(body)) {
			t.Fatal(body)
		}
		reader = strings.NewReader(body)
	}
	status, _, reply, err := c.send(t.Context(), method, path, "application/json", reader)
	if err != nil {
		t.Fatal(err)
	}
	return status, reply
}

func (c *client) uploadForm(ctx context.Context, file []byte) (int, http.Header, []byte, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "picture")
	if err == nil {
		_, err = part.Write(file)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return 0, nil, nil, err
	}
	return c.send(ctx, http.MethodPost, "/api/v1/images", form.FormDataContentType(), &body)
}

// noise is a picture of six megabytes that cannot be made smaller.
func noise(rng *rand.Rand) []byte {
	m := image.NewNRGBA(image.Rect(0, 0, 1500, 1400))
	for i := range m.Pix {
		m.Pix[i] = byte(rng.Uint32()) | byte(i%4/3*255) // no pixel is transparent
	}
	var file bytes.Buffer
	_ = (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&file, m) // a buffer takes everything
	return file.Bytes()
}
