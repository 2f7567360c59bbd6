package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// receiver collects traces as any OTLP collector does, by HTTP and protobuf.
type receiver struct {
	url string

	mu       sync.Mutex
	spans    []*otlp.Span
	resource string // of the last request, as JSON
	text     string // of all requests, as JSON
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := r.take(req); err != nil {
			t.Error(err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		reply, _ := proto.Marshal(&collector.ExportTraceServiceResponse{})
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(reply)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) take(req *http.Request) error {
	if req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		return fmt.Errorf("the collector got %s %s, %s", req.Method, req.URL, req.Header.Get("Content-Type"))
	}
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var export collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &export); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rs := range export.GetResourceSpans() {
		r.resource = protojson.Format(rs.GetResource())
		for _, ss := range rs.GetScopeSpans() {
			r.spans = append(r.spans, ss.GetSpans()...)
		}
	}
	r.text += protojson.Format(&export)
	return nil
}

// trace returns the spans of a trace, by name; of those that have the same name the first that came.
func (r *receiver) trace(id string) map[string]*otlp.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := map[string]*otlp.Span{}
	for _, s := range r.spans {
		if hex.EncodeToString(s.GetTraceId()) == id && found[s.GetName()] == nil {
			found[s.GetName()] = s
		}
	}
	return found
}

func (r *receiver) all() (text, resource string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text, r.resource
}

func attribute(s *otlp.Span, name string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() != name {
			continue
		}
		if v, ok := a.GetValue().GetValue().(*common.AnyValue_IntValue); ok {
			return strconv.FormatInt(v.IntValue, 10)
		}
		return a.GetValue().GetStringValue()
	}
	return ""
}

// traced sends a request that is part of a trace.
func (c *client) traced(t *testing.T, method, path, traceparent string, body io.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	req.Header.Set("Traceparent", traceparent)
	req.Header.Set("Cookie", "kadr_session=a-secret-cookie")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d", method, path, res.StatusCode)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
}

// An upload and a new variant are traces whose spans hang together, from the caller's own to statements and decoders.
func TestTraces(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	env := settings(t, "KADR_LOG_LEVEL=info", "OTEL_EXPORTER_OTLP_ENDPOINT="+r.url, "OTEL_BSP_SCHEDULE_DELAY=50",
		"OTEL_SERVICE_NAME=pictures", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip")
	server := start(t, testServer(), env)
	c := newClients(t, env, server.addr, 1)[0]
	const (
		uploadTrace, variantTrace, hiddenTrace = "4bf92f3577b34da6a3ce929d0e0e4736", "5cf92f3577b34da6a3ce929d0e0e4737", "6df92f3577b34da6a3ce929d0e0e4738"
		caller                                 = "00f067aa0ba902b7"
	)
	file := newPictureOf(rand.New(rand.NewPCG(5, 5)), 1600, 1200, false)
	c.traced(t, http.MethodPost, "/api/v1/images?title=a-secret-title", "00-"+uploadTrace+"-"+caller+"-01", bytes.NewReader(file))
	_, p, err := c.uploadBytes(t.Context(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	c.traced(t, http.MethodGet, "/i/"+p.ID+".webp?w=640", "00-"+variantTrace+"-"+caller+"-01", nil)
	c.traced(t, http.MethodGet, "/i/"+p.ID+".webp?w=320", "00-"+hiddenTrace+"-"+caller+"-00", nil) // the caller keeps none

	upload, variant := "POST uploadImage", "GET getFile"
	eventually(t, "both traces are there", func() bool {
		return r.trace(uploadTrace)[upload] != nil && r.trace(variantTrace)[variant] != nil
	})
	server.stop(t) // which sends the rest

	spans := r.trace(uploadTrace)
	root := spans[upload]
	if hex.EncodeToString(root.GetParentSpanId()) != caller || root.GetKind() != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("the upload's span: %v", root)
	}
	for name, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/api/v1/images", "http.response.status_code": "201", "kadr.operation": "uploadImage",
	} {
		if got := attribute(root, name); got != want {
			t.Errorf("%s of the upload is %q, want %q", name, got, want)
		}
	}
	if id := attribute(root, "kadr.request_id"); !strings.Contains(server.stderr.String(), "request_id="+id) {
		t.Errorf("the log has no request %q", id)
	}
	if !strings.Contains(server.stderr.String(), "trace_id="+uploadTrace) {
		t.Error("the log does not name the trace")
	}
	checkChild(t, spans, root, "decode ingest", map[string]string{
		"kadr.decode.step": "ingest", "kadr.decode.outcome": "ok", "kadr.decode.pixels": "1920000", "kadr.decode.format": formatOf(file),
	})
	checkChild(t, spans, root, "SELECT api_keys", map[string]string{"db.system.name": "postgresql"})
	checkChild(t, spans, root, "BATCH UPDATE account_usage", nil)
	if text := attribute(spans["BATCH UPDATE account_usage"], "db.query.text"); !strings.Contains(text, "INSERT INTO images") || !strings.Contains(text, "$3") {
		t.Errorf("the statements are %q", text)
	}

	spans = r.trace(variantTrace)
	root = spans[variant]
	if attribute(root, "http.route") != "/i/{file}" {
		t.Errorf("the variant's span: %v", root)
	}
	checkChild(t, spans, root, "SELECT images", nil)
	checkChild(t, spans, root, "decode render", map[string]string{"kadr.decode.outcome": "ok", "kadr.decode.outputs": "1"})
	if !slices.ContainsFunc(keys(spans), func(name string) bool { return strings.HasPrefix(name, "BATCH") }) {
		t.Errorf("the variant was not claimed: %v", keys(spans))
	}
	if spans := r.trace(hiddenTrace); len(spans) > 0 {
		t.Errorf("spans that nobody keeps: %v", keys(spans))
	}

	text, resource := r.all()
	for _, secret := range []string{c.key, strings.TrimPrefix(c.key, "kadr_"), "a-secret-title", "a-secret-cookie", p.ID, "w=640"} {
		if strings.Contains(text, secret) {
			t.Errorf("the traces tell %q", secret)
		}
	}
	if !strings.Contains(resource, "pictures") || !strings.Contains(resource, "service.version") {
		t.Errorf("the traces are of %s", resource)
	}
}

func keys(spans map[string]*otlp.Span) (names []string) {
	for name := range spans {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func formatOf(file []byte) string {
	if bytes.HasPrefix(file, []byte("\x89PNG")) {
		return "png"
	}
	return "jpeg"
}

// checkChild wants a span below another one, within its time.
func checkChild(t *testing.T, spans map[string]*otlp.Span, parent *otlp.Span, name string, attributes map[string]string) {
	t.Helper()
	s := spans[name]
	if s == nil {
		t.Errorf("there is no span %q among %q", name, keys(spans))
		return
	}
	if !bytes.Equal(s.GetParentSpanId(), parent.GetSpanId()) {
		t.Errorf("%q does not belong to %q", name, parent.GetName())
	}
	if s.GetStartTimeUnixNano() < parent.GetStartTimeUnixNano() || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
		t.Errorf("%q begins before %q, or ends before it begins", name, parent.GetName())
	}
	for attr, want := range attributes {
		if got := attribute(s, attr); got != want {
			t.Errorf("%s of %q is %q, want %q", attr, name, got, want)
		}
	}
}

// A collector that is not there is nobody's trouble but the log's.
func TestTracesWithoutCollector(t *testing.T) {
	t.Parallel()
	env := settings(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+freeAddress(t), "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_EXPORTER_OTLP_TIMEOUT=100")
	server := start(t, testServer(), env)
	c := newClients(t, env, server.addr, 1)[0]
	if status, _, err := c.uploadBytes(t.Context(), "", newPicture(rand.New(rand.NewPCG(7, 7)), false)); err != nil || status != http.StatusCreated {
		t.Errorf("upload: %d, %v", status, err)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(server.stderr.String(), "traces could not be sent") })
	server.stop(t)
	if n := strings.Count(server.stderr.String(), "traces could not be sent"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}
