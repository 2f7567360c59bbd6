package nginxtest_test

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kadr-app/kadr/internal/nginxtest"
)

// reply is all that a client sees of a response and that may not depend on who sent it.
type reply struct {
	Status int
	Header http.Header
	Body   string
}

// ask sends a request whose target is not touched on its way, with dots and escapes as they are.
func ask(t *testing.T, base, method, target string, header map[string]string) reply {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	text := method + " " + target + " HTTP/1.1\r\nHost: kadr.example\r\nConnection: close\r\n"
	for name, value := range header {
		text += name + ": " + value + "\r\n"
	}
	if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	if boundary := boundaryOf(r.Header); boundary != "" { // drawn by lot
		body = bytes.ReplaceAll(body, []byte(boundary), []byte("boundary"))
		r.Header.Set("Content-Type", "multipart/byteranges; boundary=boundary")
	}
	return reply{r.StatusCode, r.Header, string(body)}
}

func boundaryOf(h http.Header) string {
	_, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return params["boundary"]
}

// seen takes what the stand-in saw out of the reply, and what a gateway may set by itself.
func (r reply) seen() reply {
	r.Header = maps.Clone(r.Header)
	for _, name := range []string{"Date", "Server", "Connection", "Seen-Direct", "Seen-Request", "Seen-Forwarded"} {
		r.Header.Del(name)
	}
	return r
}

func TestGatewayAndServerReplyAlike(t *testing.T) {
	t.Parallel()
	rig := newRig(t)
	date := modified.Format(http.TimeFormat)
	other := modified.Add(time.Hour).Format(http.TimeFormat)
	paths := []string{"original", "variant", "plain", "long", "missing", "evicted", "unknown"}
	headers := []map[string]string{
		nil,
		{"Range": "bytes=0-0"},
		{"Range": "bytes=0-"},
		{"Range": "bytes=0-999999"},
		{"Range": "bytes=-1"},
		{"Range": "bytes=-999999"},
		{"Range": "bytes=-0"},
		{"Range": "bytes=100-199"},
		{"Range": "bytes=69990-"},
		{"Range": "bytes=70001-"},
		{"Range": "bytes=5-2"},
		{"Range": "bytes=0-99999999999999999999"},
		{"Range": "bytes=-99999999999999999999"},
		{"Range": "bytes=99999999999999999999-"},
		{"Range": "bytes=0-9,20-29"},
		{"Range": "bytes=0-9, 80000-"},
		{"Range": "bytes=80000-,90000-"},
		{"Range": "bytes=0-,0-,0-"},
		{"Range": "bytes="},
		{"Range": "bytes=x"},
		{"Range": "Bytes=0-9"},
		{"Range": "bytes = 0-9"},
		{"Range": "lines=0-9"},
		{"Range": "bytes=0-9", "If-Range": etag},
		{"Range": "bytes=0-9", "If-Range": `"other"`},
		{"Range": "bytes=0-9", "If-Range": "W/" + etag},
		{"Range": "bytes=0-9", "If-Range": date},
		{"Range": "bytes=0-9", "If-Range": other},
		{"Range": "bytes=0-9", "If-Range": "nonsense"},
		{"Range": "bytes=70001-", "If-Range": etag},
		{"Range": "bytes=70001-", "If-Range": `"other"`},
		{"Range": "bytes=0-1,5-6", "If-Range": `"other"`},
		{"If-Range": etag},
		{"If-None-Match": etag},
		{"If-None-Match": "*"},
		{"If-None-Match": `"other"`},
		{"If-None-Match": etag, "Range": "bytes=0-9"},
		{"If-None-Match": `"other"`, "If-Modified-Since": date},
		{"If-Modified-Since": date},
		{"If-Modified-Since": other},
		{"If-Modified-Since": modified.Add(-time.Hour).Format(http.TimeFormat)},
		{"If-Modified-Since": "nonsense"},
		{"If-Match": etag},
		{"If-Match": `"other"`},
		{"If-Match": etag, "Range": "bytes=0-9"},
		{"If-Unmodified-Since": date},
		{"If-Unmodified-Since": modified.Add(-time.Hour).Format(http.TimeFormat)},
		{"Accept-Encoding": "gzip"},
		{"X-Kadr-Direct": "1"},
		{"X-Kadr-Direct": "1", "Range": "bytes=0-9"},
		{"X-Accel-Redirect": "/_storage/tmp/staged"},
	}
	statuses := map[int]int{}
	for _, path := range paths {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, header := range headers {
				if path == "missing" && (header["If-None-Match"] != "" || header["If-Modified-Since"] != "") {
					continue // what the client has already, it need not be sent
				}
				want := ask(t, rig.direct, method, "/i/"+path, header).seen()
				got := ask(t, rig.gateway, method, "/i/"+path, header).seen()
				if !cmp.Equal(want, got) {
					t.Errorf("%s %s %v: nginx differs: %d %v (%d bytes), not %d %v (%d bytes)", method, path, header,
						got.Status, got.Header, len(got.Body), want.Status, want.Header, len(want.Body))
				}
				statuses[want.Status]++
			}
		}
	}
	for _, status := range []int{200, 206, 304, 404, 410, 412, 416} {
		if statuses[status] == 0 {
			t.Errorf("no reply was a %d", status)
		}
	}
}

// What a server never says, and what a client may try.
func TestOnlyBlobsAndVariantsCanBeReached(t *testing.T) {
	t.Parallel()
	rig := newRig(t)
	for _, target := range []string{
		"/_storage/blobs/aa/bb/original", "/_storage/variants/aa/bb/cc/w320.webp", "/_storage/tmp/staged", "/_storage/quarantine/bad",
		"/_storage/instance", "/_storage/", "/_storage", "/_storage/blobs", "/_storage/blobs/", "/_storage/blobs../tmp/staged",
		"/%5Fstorage/blobs/aa/bb/original", "/_storage%2Fblobs%2Faa%2Fbb%2Foriginal", "/_STORAGE/blobs/aa/bb/original",
		"//_storage/blobs/aa/bb/original", "/./_storage/blobs/aa/bb/original", "/x/../_storage/blobs/aa/bb/original",
		"/x/%2e%2e/_storage/blobs/aa/bb/original", "/i/../_storage/tmp/staged", "/i/%2e%2e/_storage/tmp/staged", "/i/..%2F_storage%2Ftmp%2Fstaged",
		"/_storage/blobs/../tmp/staged", "/_storage/blobs/%2e%2e/tmp/staged", "/_storage/blobs/..%2ftmp/staged", "/_storage/blobs/%252e%252e/tmp/staged",
		"/_storage/blobs/aa/bb/original?x", "/@kadr_direct", "/i/tmp", "/i/quarantine", "/i/up", "/i/encoded", "/leak",
	} {
		for _, header := range []map[string]string{
			nil, {"X-Accel-Redirect": "/_storage/tmp/staged"}, {"X-Kadr-Direct": "1"}, {"Range": "bytes=5-"},
		} {
			r := ask(t, rig.gateway, http.MethodGet, target, header)
			if strings.Contains(r.Body, token) || len(r.Body) > 1000 {
				t.Errorf("%s %v: %d with %d bytes", target, header, r.Status, len(r.Body))
			}
			if r.Status == http.StatusPartialContent || r.Header.Get("X-Accel-Redirect") != "" {
				t.Errorf("%s %v: %d %v", target, header, r.Status, r.Header)
			}
		}
	}
	// The control: these would have been found.
	if r := ask(t, rig.gateway, http.MethodGet, "/i/original", nil); len(r.Body) != size || r.Header.Get("Seen-Request") != "" {
		t.Errorf("nginx sent %d bytes, not %d, or did not send them by itself: %v", len(r.Body), size, r.Header)
	}
}

func TestWhatReachesTheServer(t *testing.T) {
	t.Parallel()
	rig := newRig(t)
	for _, c := range []struct {
		target, header, value string
		want                  http.Header
	}{
		{"/other", "X-Kadr-Direct", "1", http.Header{"Seen-Direct": {""}}},
		{"/i/unknown", "X-Kadr-Direct", "1", http.Header{"Seen-Direct": {""}}},
		{"/i/original", "Range", "bytes=5-", http.Header{"Seen-Direct": {"1"}, "Seen-Request": {"GET /i/original"}}},
		{"/i/original", "If-Match", etag, http.Header{"Seen-Direct": {""}, "Seen-Request": {"GET /i/original"}}},
		{"/i/evicted?w=320&x=%2F..", "", "", http.Header{"Seen-Direct": {"1"}, "Seen-Request": {"GET /i/evicted?w=320&x=%2F.."}}},
		{"/i/a%2Fb/..%2f", "", "", http.Header{"Seen-Request": {"GET /i/a%2Fb/..%2f"}}},
		{"/_storage/tmp/staged", "", "", http.Header{"Seen-Direct": {""}}},
		{"/_storage/blobs/x", "", "", http.Header{"Seen-Direct": {"1"}, "Seen-Request": {"GET /_storage/blobs/x"}}},
		{"/other", "X-Forwarded-For", "203.0.113.9", http.Header{"Seen-Forwarded": {"203.0.113.9"}}},
	} {
		header := map[string]string{}
		if c.header != "" {
			header[c.header] = c.value
		}
		got := ask(t, rig.gateway, http.MethodGet, c.target, header).Header
		for name, values := range c.want {
			if !slices.Equal(got[name], values) {
				t.Errorf("%s with %s: %s is %q, want %q", c.target, c.header, name, got[name], values)
			}
		}
	}
}

// A body reaches the server while the client still sends it, and the reply comes back.
func TestUploadsStreamThroughTheGateway(t *testing.T) {
	t.Parallel()
	got := make(chan byte)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b [1]byte
		for {
			if _, err := io.ReadFull(r.Body, b[:]); err != nil {
				return
			}
			got <- b[0]
		}
	}))
	t.Cleanup(server.Close)
	g := nginxtest.Run(t, nginxtest.Config{Upstream: server.Listener.Addr().String(), Storage: t.TempDir(), Workers: 1})
	body, write := io.Pipe()
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.URL+"/api/v1/images", body)
		if err != nil {
			done <- err
			return
		}
		reply, err := http.DefaultClient.Do(req)
		if err == nil {
			err = reply.Body.Close()
		}
		done <- err
	}()
	for _, b := range []byte("abc") {
		if _, err := write.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		select {
		case seen := <-got:
			if seen != b {
				t.Fatalf("the server got %q, not %q", seen, b)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the gateway keeps the body to itself")
		}
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// nginx.conf, which the gateway of the tests replaces, is at least one that nginx takes.
func TestTheContainersConfiguration(t *testing.T) {
	t.Parallel()
	output := &bytes.Buffer{}
	if err := nginxtest.Check(t.Context(), output, "include servers.conf;", "server 127.0.0.1:8080;",
		"include listen.conf;", "listen unix:http.sock;", "127.0.0.1:8081", "unix:health.sock", "/dev/std", "std"); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	output := &bytes.Buffer{}
	_, err := nginxtest.Start(t.Context(), nginxtest.Config{Server: "nonsense;", Log: output})
	if err == nil {
		t.Fatal("nginx started with nonsense in its configuration")
	}
	if !strings.Contains(output.String(), `unknown directive "nonsense"`) {
		t.Errorf("the log does not say what is wrong: %s", output)
	}
}
