package httpapi

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/blob"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/metrics"
)

// Every way in which an upload may fail has a name that is there from the start.
func TestUploadOutcomesAreKnown(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		apperr.New(apperr.Invalid, "x", "x"), apperr.New(apperr.Forbidden, "x", "x"), apperr.New(apperr.Conflict, "x", "x"),
		apperr.New(apperr.TooLarge, "x", "x"), apperr.New(apperr.RateLimited, "x", "x"), apperr.New(apperr.NotFound, "x", "x"),
		imaging.ErrNotAllowed, imaging.ErrBroken, imaging.ErrBusy, blob.ErrStorageFull, errTooSlow, errIncomplete, io.ErrUnexpectedEOF,
		&http.MaxBytesError{}, http.ErrAbortHandler,
	} {
		if outcome := failedUpload(err); !slices.Contains(UploadOutcomes(), outcome) {
			t.Errorf("%v ends as %q", err, outcome)
		}
	}
}

// Whatever is asked for, there are only so many operations.
func TestOperationsOfRequests(t *testing.T) {
	t.Parallel()
	v, err := newValidator(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	operations := newOperations(v)
	e := echo.New()
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{http.MethodGet, "/i/:file", 200, "getFile"},
		{http.MethodPost, "/api/v1/images", 503, "uploadImage"},
		{http.MethodPut, "/api/v1/images", 405, operationUnknown},
		{http.MethodGet, "/", 200, operationPage},
		{http.MethodGet, "/*", 304, operationPage},
		{http.MethodGet, "/*", 404, operationUnknown},
		{http.MethodGet, "/docs/:asset", 404, operationDocs},
		{http.MethodGet, "", 404, operationUnknown},
		{"BREW", "/", 405, operationUnknown},
	} {
		ctx := e.NewContext(httptest.NewRequestWithContext(t.Context(), c.method, "/", nil), httptest.NewRecorder())
		ctx.SetPath(c.path)
		ctx.Response().Status = c.status
		if got := operations.of(ctx).name; got != c.want {
			t.Errorf("%s %s is %q, want %q", c.method, c.path, got, c.want)
		}
	}
}

// meterOf gives the tallies this package's type, as internal/app does.
type meterOf struct{ *metrics.Metrics }

func (m meterOf) Tally(operation, method string, status int) Tally {
	return m.Metrics.Tally(operation, method, status)
}

// What counting costs where there is the least to do beside it: a remembered link that the gateway sends.
func BenchmarkHotLink(b *testing.B) {
	for name, meter := range map[string]Meter{"uncounted": nil, "counted": meterOf{metrics.New("bench", metrics.Labels{})}} {
		b.Run(name, func(b *testing.B) {
			s := &Server{
				cfg: Config{Accel: true, Patience: time.Second}, hot: NewLinkCache(), meter: meter, hotTallies: newHotTallies(meter),
				log: slog.New(slog.DiscardHandler),
			}
			s.hot.Restored()
			req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/i/aaaaaaaaaaaaa.jpg", nil)
			h := http.Header{"Content-Type": {"image/jpeg"}}
			d := &delivery{id: "aaaaaaaaaaaaa", header: h, accel: accelHeader(h, "x")}
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				if !s.sendHot(w, req, d) {
					b.Fatal("it was not sent")
				}
			}
		})
	}
}
