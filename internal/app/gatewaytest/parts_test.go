package gatewaytest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
)

// parts is what the tests need of an upload in parts.
type parts struct {
	ID     string `json:"id"`
	Offset int    `json:"offset"`
}

func (p person) begin(t *testing.T, size int) parts {
	t.Helper()
	return into[parts](t, p.must(t, 201, "POST", "/api/v1/uploads", map[string]any{"size": size, "filename": "parts.jpg"}))
}

func (p person) part(t *testing.T, up parts, part []byte) parts {
	t.Helper()
	return into[parts](t, p.must(t, 200, "PATCH", "/api/v1/uploads/"+up.ID, bytes.NewReader(part), fmt.Sprintf("Upload-Offset: %d", up.Offset)))
}

// sendAndCut sends a part that breaks off after so many bytes.
func (r *rig) sendAndCut(t *testing.T, p person, up parts, part []byte, after int) {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", r.gateway.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("PATCH /api/v1/uploads/%s HTTP/1.1\r\nHost: pictures.test\r\nAuthorization: Bearer %s\r\nUpload-Offset: %d\r\n"+
		"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", up.ID, p.key, up.Offset, len(part))
	if _, err := conn.Write(append([]byte(head), part[:after]...)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was sent has arrived", func() bool {
		return into[parts](t, p.must(t, 200, "GET", "/api/v1/uploads/"+up.ID, nil)).Offset == up.Offset+after
	})
}

// TestUploadInParts takes a large picture through everything that may happen on the way: a connection that breaks, a server
// that is killed in the middle of a part, another that is replaced.
func TestUploadInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	anna := r.register(t, "anna")
	anna.session = ""
	const limit, size = 50 << 20, 16 << 20
	file := photo(t, 5, limit)
	before, err := os.Stat(r.gateway.BodyFolder())
	if err != nil {
		t.Fatal(err)
	}
	up := anna.begin(t, len(file))
	up = anna.part(t, up, file[:size])

	r.sendAndCut(t, anna, up, file[up.Offset:], 1<<20+1)
	up.Offset += 1<<20 + 1

	// The server that has the part dies, with all that it had not written.
	body, feed := io.Pipe()
	done, begins := make(chan struct{}), up.Offset
	go func() {
		defer close(done)
		res, err := anna.ask("PATCH", "/api/v1/uploads/"+up.ID, body, fmt.Sprintf("Upload-Offset: %d", begins))
		if err == nil && res.StatusCode == http.StatusOK {
			t.Errorf("a part that did not arrive was taken: %s", res.body)
		}
	}()
	at := func() int { return into[parts](t, anna.must(t, 200, "GET", "/api/v1/uploads/"+up.ID, nil)).Offset }
	if _, err := feed.Write(file[up.Offset : up.Offset+3<<20]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the part has begun to arrive", func() bool { return at() >= up.Offset+1<<20 })
	for _, s := range r.servers {
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	_ = feed.CloseWithError(errors.New("the network is gone"))
	<-done
	for _, s := range r.servers {
		s.start(t)
	}
	eventually(t, "the gateway sees the servers again", func() bool {
		res, err := anna.ask("GET", "/api/v1/uploads/"+up.ID, nil)
		return err == nil && res.StatusCode == http.StatusOK
	})
	if now := at(); now < up.Offset+1<<20 || now > up.Offset+3<<20 {
		t.Fatalf("of the part from %d the servers know %d bytes", up.Offset, now-up.Offset)
	}
	up.Offset = at()

	anna.must(t, 409, "PATCH", "/api/v1/uploads/"+up.ID, bytes.NewReader(file[:size]), "Upload-Offset: 0")
	r.servers[0].stop(t)
	for up.Offset < len(file) {
		up = anna.part(t, up, file[up.Offset:min(up.Offset+size, len(file))])
	}
	r.servers[0].start(t)
	r.servers[1].stop(t)
	img := into[picture](t, anna.must(t, 201, "POST", "/api/v1/uploads/"+up.ID+"/complete", map[string]any{"keep_metadata": true}))
	again := into[picture](t, anna.must(t, 201, "POST", "/api/v1/uploads/"+up.ID+"/complete", map[string]any{}))
	if got := anna.must(t, 200, "GET", img.URL, nil); !bytes.Equal(got.body, file) || again != img {
		t.Errorf("%d bytes came back of %d, and the second answer is %v, the first %v", len(got.body), len(file), again, img)
	}
	if after, err := os.Stat(r.gateway.BodyFolder()); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("nginx has written to its folder for bodies (%v)", err)
	}
}
