package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/app"
	"github.com/kadr-app/kadr/internal/config"
	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/testdb"
)

func TestMain(m *testing.M) {
	_ = os.Setenv("TZ", "Asia/Kathmandu") // no time may reach a client in the server's own zone
	imaging.DecoderMain()
	os.Exit(m.Run())
}

// publicURL is where people reach the instances of the tests: nowhere, so that a link is seen to come from the setting.
const publicURL = "http://pictures.test"

// maxUploadBytes is small, so that what breaks the limit is small too.
const maxUploadBytes = 256 << 10

// instance is the whole program, running, with a database and a folder of its own.
type instance struct {
	app       *app.App
	db        *testdb.DB
	data, dir string // the data folder, and the storage in it
	transport *http.Transport
	checker   *contracttest.Checker
	people    atomic.Int64
	quiet     atomic.Bool // errors in the log are meant to be there
}

// newInstance starts an instance; settings are "NAME=value", without the prefix.
func newInstance(t *testing.T, settings ...string) *instance {
	t.Helper()
	return startInstance(t, testdb.New(t), t.TempDir(), settings...)
}

// replica starts another server for the same instance.
func (in *instance) replica(t *testing.T, settings ...string) *instance {
	t.Helper()
	other := startInstance(t, in.db, in.data, settings...)
	other.people.Store(1000 + in.people.Load()) // other addresses
	return other
}

// behind returns the instance as it is seen through a gateway.
func (in *instance) behind(address string) *instance {
	other := &instance{app: in.app, db: in.db, data: in.data, dir: in.dir, checker: in.checker, transport: transportTo(address)}
	other.people.Store(2000 + in.people.Load())
	return other
}

func transportTo(address string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		MaxIdleConnsPerHost: 4, DisableCompression: true,
	}
}

func startInstance(t *testing.T, db *testdb.DB, data string, settings ...string) *instance {
	t.Helper()
	environ := map[string]string{
		"KADR_LISTEN": "127.0.0.1:0", "KADR_PUBLIC_URL": publicURL, "KADR_DATA_DIR": data, "KADR_DATABASE_URL": db.URL,
		"KADR_DATABASE_MAX_CONNS": "6", "KADR_DECODERS": "1", "KADR_MAX_UPLOAD_BYTES": "262144", "KADR_MAX_PIXELS": "1000000",
		"KADR_TRUSTED_PROXIES":  "127.0.0.0/8", // each client sends an address of its own, or they would share their limits
		"KADR_SHUTDOWN_TIMEOUT": "10s",
	}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		environ["KADR_"+name] = value
	}
	cfg, err := config.Parse(environ)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	in := &instance{db: db, data: data, dir: cfg.StorageDir(), checker: checker}
	a, err := app.New(t.Context(), cfg, slog.New(failures{t: t, in: in}))
	if err != nil {
		t.Fatal(err)
	}
	in.app = a
	in.transport = transportTo(a.Addr().String())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		in.transport.CloseIdleConnections()
		stop()
		select {
		case err := <-ended:
			if err = errors.Join(err, a.Close()); err != nil {
				t.Errorf("the instance did not stop cleanly: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the instance does not stop")
		}
	})
	return in
}

// contract is read once: that takes longer than all the rest of an instance.
var contract = sync.OnceValues(contracttest.New)

// failures is a log that fails the test when the server says that something went wrong on its side.
type failures struct {
	t  *testing.T
	in *instance
}

func (f failures) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (f failures) Handle(_ context.Context, r slog.Record) error {
	if f.in.quiet.Load() {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	f.t.Errorf("the server logged an error: %s", text)
	return nil
}

func (f failures) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f failures) WithGroup(string) slog.Handler      { return f }
