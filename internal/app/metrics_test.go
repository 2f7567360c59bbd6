package app_test

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
)

// tour takes one server through most of what it does: an upload, the same once more, what is no picture, the original, a
// variant twice, what there is not.
func tour(t *testing.T, c *client) picture {
	t.Helper()
	file := newPictureOf(rand.New(rand.NewPCG(5, 5)), 1600, 1200, false)
	status, p, err := c.uploadBytes(t.Context(), "?filename=tour.jpg", file)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("upload: %d, %v", status, err)
	}
	if status, _, err := c.uploadBytes(t.Context(), "", file); err != nil || status != http.StatusOK {
		t.Fatalf("the same once more: %d, %v", status, err)
	}
	if status, _, _ := c.uploadBytes(t.Context(), "", []byte("#!/bin/sh\n")); status != http.StatusUnsupportedMediaType {
		t.Fatalf("no picture: %d", status)
	}
	for _, get := range []struct {
		path string
		want int
	}{
		{"/i/" + p.ID + ".jpg", http.StatusOK},
		{"/i/" + p.ID + ".webp?w=640", http.StatusOK},
		{"/i/" + p.ID + ".webp?w=640", http.StatusOK},
		{"/i/aaaaaaaaaaaaa.jpg", http.StatusNotFound},
		{"/nothing", http.StatusNotFound},
		{"/nothing/else", http.StatusNotFound},
		{"/", http.StatusOK},
		{"/healthz", http.StatusOK},
		{"/metrics", http.StatusNotFound}, // for the public there is no such thing
	} {
		if status, _, _, err := c.do(t.Context(), http.MethodGet, get.path, nil); err != nil || status != get.want {
			t.Errorf("%s: %d, %v", get.path, status, err)
		}
	}
	return p
}

// metricsOf reads what an instance shows to Prometheus.
func metricsOf(t *testing.T, a *app.App) map[string]*dto.MetricFamily {
	t.Helper()
	return metricsAt(t, a.MetricsAddr().String())
}

func metricsAt(t *testing.T, address string) map[string]*dto.MetricFamily {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("%d: %s", res.StatusCode, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// valueOf adds up the series of a metric that have these labels ("name=value"); a histogram's value is its count.
func valueOf(families map[string]*dto.MetricFamily, name string, labels ...string) (sum float64) {
	for _, m := range families[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		all := true
		for _, l := range labels {
			all = all && has[l]
		}
		if all {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func TestMetricsCountATour(t *testing.T) {
	t.Parallel()
	env := settings(t, "KADR_METRICS_LISTEN=127.0.0.1:0")
	a := boot(t, env)
	c := newClients(t, env, a.Addr().String(), 1)[0]
	p := tour(t, c)
	families := metricsOf(t, a)
	for _, want := range []struct {
		value  float64
		name   string
		labels []string
	}{
		{1, "kadr_http_requests_total", []string{"operation=uploadImage", "method=POST", "status=201"}},
		{1, "kadr_http_requests_total", []string{"operation=uploadImage", "status=200"}},
		{1, "kadr_http_requests_total", []string{"operation=uploadImage", "status=415"}},
		{3, "kadr_http_requests_total", []string{"operation=getFile", "method=GET", "status=200"}},
		{1, "kadr_http_requests_total", []string{"operation=getFile", "status=404"}},
		{3, "kadr_http_requests_total", []string{"operation=unknown", "status=404"}},
		{1, "kadr_http_requests_total", []string{"operation=page", "status=200"}},
		{1, "kadr_http_requests_total", []string{"operation=getHealth"}},
		{3, "kadr_http_request_duration_seconds", []string{"operation=getFile", "status_class=2xx"}},
		{0, "kadr_http_requests_in_flight", nil},
		{1, "kadr_uploads_total", []string{"outcome=created"}},
		{1, "kadr_uploads_total", []string{"outcome=existing"}},
		{1, "kadr_uploads_total", []string{"outcome=not_a_picture"}},
		{float64(2*p.Size + 10), "kadr_upload_received_bytes_total", nil},
		{2, "kadr_decodes_total", []string{"step=ingest", "outcome=ok"}},
		{1, "kadr_decodes_total", []string{"step=render", "outcome=ok"}},
		{2, "kadr_decode_duration_seconds", []string{"step=ingest"}},
		{3, "kadr_decode_wait_seconds", nil},
		{1, "kadr_variant_cache_requests_total", []string{"result=miss"}},
		{1, "kadr_variant_cache_requests_total", []string{"result=hit"}},
		{0, "kadr_link_cache_requests_total", []string{"result=hit"}}, // whoever sends a key is not answered from memory
		{4, "kadr_link_cache_requests_total", []string{"result=miss"}},
		{1, "kadr_images", nil},
		{1, "kadr_blobs", nil},
		{float64(p.Size), "kadr_blob_bytes", nil},
		{1, "kadr_accounts", nil},
		{0, "kadr_blobs_lost", nil},
	} {
		if got := valueOf(families, want.name, want.labels...); got != want.value {
			t.Errorf("%s %v is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
	for _, name := range []string{
		"kadr_http_response_bytes_total", "kadr_db_size_bytes", "kadr_storage_size_bytes", "kadr_storage_free_bytes", "kadr_decoders",
		"kadr_db_pool_max_connections", "kadr_db_pool_acquires_total", "kadr_variants_made_total", "kadr_variants_made_bytes_total",
		"kadr_build_info", "go_goroutines", "process_resident_memory_bytes",
	} {
		if valueOf(families, name) <= 0 {
			t.Errorf("%s is %v", name, valueOf(families, name))
		}
	}
}

// A picture that is sent from memory passes none of the usual stations, and is counted like any other.
func TestMetricsCountLinksFromMemory(t *testing.T) {
	t.Parallel()
	env := settings(t, "KADR_METRICS_LISTEN=127.0.0.1:0")
	a := boot(t, env)
	c := newClients(t, env, a.Addr().String(), 1)[0]
	_, p, err := c.uploadBytes(t.Context(), "", newPicture(rand.New(rand.NewPCG(6, 6)), false))
	if err != nil {
		t.Fatal(err)
	}
	stranger := *c
	stranger.key = ""
	sent := 0.0
	deadline := time.Now().Add(patience)
	for valueOf(metricsOf(t, a), "kadr_link_cache_requests_total", "result=hit") < 3 {
		if status, _, _, err := stranger.fetch(t.Context(), p.URL); err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		sent++
		if time.Now().After(deadline) {
			t.Fatal("nothing is sent from memory")
		}
	}
	families := metricsOf(t, a)
	if n := valueOf(families, "kadr_link_cache_requests_total"); n != sent {
		t.Errorf("%v of %v were looked for", n, sent)
	}
	if n := valueOf(families, "kadr_http_requests_total", "operation=getFile", "method=GET", "status=200"); n != sent {
		t.Errorf("%v of %v were counted", n, sent)
	}
	if n := valueOf(families, "kadr_http_response_bytes_total", "operation=getFile"); n != sent*float64(p.Size) {
		t.Errorf("%v bytes were counted, %v times %d were sent", n, sent, p.Size)
	}
	if n := valueOf(families, "kadr_http_requests_in_flight"); n != 0 {
		t.Errorf("%v are under way", n)
	}
}

// Whoever looks can see a server stop, to its end.
func TestMetricsOfAServerThatStops(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	env := settings(t, "KADR_METRICS_LISTEN="+address)
	s := start(t, testServer(), env)
	u := startUpload(t, newClients(t, env, s.addr, 1)[0])
	s.signal(syscall.SIGTERM)
	eventually(t, "new connections are refused", func() bool { return refusesConnections(s.addr) })
	if n := valueOf(metricsAt(t, address), "kadr_http_requests_in_flight"); n != 1 {
		t.Errorf("%v requests are under way", n)
	}
	u.finish()
	if r := <-u.reply; r.err != nil || r.status != http.StatusCreated {
		t.Errorf("the upload: %d, %v", r.status, r.err)
	}
	if code := s.wait(t); code != 0 {
		t.Errorf("it ended with %d\n%s", code, s.stderr)
	}
	if !refusesConnections(address) {
		t.Error("the metrics can still be read")
	}
}

func TestMetricsAreOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	if a := boot(t, settings(t)); a.MetricsAddr() != nil {
		t.Errorf("metrics are at %s", a.MetricsAddr())
	}
}

func TestTakenPortOfTheMetrics(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := freeAddress(t)
	cfg, err := config.Parse(map[string]string{
		"KADR_LISTEN": address, "KADR_DATA_DIR": t.TempDir(), "KADR_METRICS_LISTEN": taken.Addr().String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "metrics") || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("started: %v", err)
	}
	if !refusesConnections(address) {
		t.Error("the other listener is still open")
	}
}
