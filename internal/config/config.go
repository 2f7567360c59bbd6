// Package config holds Kadr's settings: one struct, read from the environment once, and checked as a whole before
// anything is opened. It is the only place that reads the environment, but for what belongs to others: whether there are
// traces is decided here by the standard variables of OpenTelemetry (OTEL_…), which the OpenTelemetry SDK then reads by
// itself (see internal/tracing), as PostgreSQL's own (PG…) are read by its driver.
//
// caarlos0/env does the parsing, since it reads a plain struct's tags and keeps going after the first fault, so that all
// of them can be reported at once.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/kadr-app/kadr/internal/variant"
)

// Prefix starts the name of every setting's environment variable.
const Prefix = "KADR_"

// Config is every setting. The desc tags are what the README's table says of them.
type Config struct {
	Listen    string `env:"LISTEN" envDefault:":8080" desc:"Address that the server listens on."`
	PublicURL string `env:"PUBLIC_URL" envDefault:"http://localhost:8080" desc:"Address that people reach it by; links begin with it. With https the session cookie is Secure."`
	DataDir   string `env:"DATA_DIR" envDefault:"./data" desc:"Folder of the pictures, and of the private database."`

	DatabaseURL          string `env:"DATABASE_URL" desc:"PostgreSQL 15 or newer. Empty: a private cluster under the data folder, started and stopped with the server."`
	DatabasePasswordFile string `env:"DATABASE_PASSWORD_FILE" desc:"File with the password for KADR_DATABASE_URL, so that no variable shows it. Read at the start."`
	DatabaseMaxConns     int    `env:"DATABASE_MAX_CONNS" envDefault:"0" desc:"Connections in the pool. 0: twice the cores, at least 4."`

	MaxUploadBytes int64 `env:"MAX_UPLOAD_BYTES" envDefault:"52428800" desc:"Largest picture that is taken, in bytes."`
	MaxPixels      int64 `env:"MAX_PIXELS" envDefault:"100000000" desc:"Most pixels that a picture may have, all frames counted."`
	QuotaBytes     int64 `env:"QUOTA_BYTES" envDefault:"0" desc:"Bytes that a new account may hold. 0: no limit."`

	Registration    string        `env:"REGISTRATION" envDefault:"open" desc:"Who may register: open, invite or closed. The first account always may."`
	SessionLifetime time.Duration `env:"SESSION_LIFETIME" envDefault:"720h" desc:"How long a browser stays signed in."`

	CORSOrigins []string `env:"CORS_ORIGINS" desc:"Origins of other sites whose pages may use the API with a login, such as https://app.example.org (comma separated). Empty: none."`

	Decoders           int           `env:"DECODERS" envDefault:"0" desc:"Decoder processes. 0: as many as cores."`
	DecoderTimeout     time.Duration `env:"DECODER_TIMEOUT" envDefault:"30s" desc:"Longest that one picture may take to decode."`
	DecoderMemoryBytes int64         `env:"DECODER_MEMORY_BYTES" envDefault:"2147483648" desc:"Address space that one decoder process may use."`

	VariantCacheBytes int64 `env:"VARIANT_CACHE_BYTES" envDefault:"10737418240" desc:"Room for pictures in other sizes and formats; those not looked at for the longest time go first. 0: no limit."`
	MasterSide        int   `env:"MASTER_SIDE" envDefault:"1280" desc:"Longer side, in pixels, of the copy that smaller sizes are made from. 0: they are made from the original."`
	AVIFEffort        int   `env:"AVIF_EFFORT" envDefault:"1" desc:"Effort of the AVIF encoder, 1 to 9: each step makes smaller files and takes longer."`

	Delivery string `env:"DELIVERY" envDefault:"direct" desc:"Who sends pictures: direct (the server) or accel (nginx, told by X-Accel-Redirect; see nginx/)."`
	Presets  string `env:"PRESETS" desc:"Shapes with a name, for links with preset=name: names and queries such as avatar:w=128&h=128&fit=cover, separated by spaces."`

	ReserveBytes int64 `env:"RESERVE_BYTES" envDefault:"268435456" desc:"Bytes on the disk of the pictures that uploads leave free, for the database and for what else has to go on; at most a twentieth of the disk. 0: none."`

	SweepInterval time.Duration `env:"SWEEP_INTERVAL" envDefault:"10m" desc:"How often files that nothing refers to are looked for."`
	SweepGrace    time.Duration `env:"SWEEP_GRACE" envDefault:"1h" desc:"How old such a file has to be before it is removed; more than the slowest upload takes."`

	TrustedProxies  []netip.Prefix `env:"TRUSTED_PROXIES" desc:"Networks of the gateway, whose X-Forwarded-For is believed (comma separated). Empty: nobody's."`
	ShutdownDelay   time.Duration  `env:"SHUTDOWN_DELAY" envDefault:"0s" desc:"How long a stopping server says that it is not ready before it takes no more requests; 5s to 10s where readyz decides who gets them."`
	ShutdownTimeout time.Duration  `env:"SHUTDOWN_TIMEOUT" envDefault:"60s" desc:"How long a stopping server waits for requests to end."`

	MetricsListen string `env:"METRICS_LISTEN" desc:"Address on which Prometheus finds /metrics, such as 127.0.0.1:9090; not for the public. Empty: nowhere."`

	LogFormat string     `env:"LOG_FORMAT" envDefault:"text" desc:"text or json."`
	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info" desc:"debug, info, warn or error."`

	// Traces says whether traces are sent. It is no setting of ours: see traces.go.
	Traces bool `env:"-"`
}

// Ways of delivery.
const (
	DeliveryDirect = "direct"
	DeliveryAccel  = "accel"
)

// Registration policies.
const (
	RegistrationOpen   = "open"
	RegistrationInvite = "invite"
	RegistrationClosed = "closed"
)

// Load reads the settings from the process's environment and checks them. The error names every fault, a line each.
func Load() (Config, error) { return Parse(env.ToMap(os.Environ())) }

// Parse is Load from a map of environment variables.
func Parse(environ map[string]string) (Config, error) {
	var c Config
	var faults []error
	if err := env.ParseWithOptions(&c, env.Options{Prefix: Prefix, Environment: environ}); err != nil {
		faults = append(faults, parseFaults(err)...)
	}
	faults = append(faults, c.check(badFields(faults))...)
	if err := c.readPassword(); err != nil {
		faults = append(faults, err)
	}
	var wrong []error
	c.Traces, wrong = readTraces(environ)
	faults = append(faults, wrong...)
	return c, errors.Join(faults...)
}

// fault is one setting that is wrong.
type fault struct{ name, text string }

func (f fault) Error() string { return Prefix + f.name + ": " + f.text }

// parseFaults turns what the parser found into a fault for each setting, in words of our own: the parser's text names Go
// types and repeats the value, which may be a password.
func parseFaults(err error) []error {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return []error{errors.New("the settings could not be read")}
	}
	var faults []error
	for _, e := range all.Errors {
		var pe env.ParseError
		if !errors.As(e, &pe) {
			faults = append(faults, errors.New("the settings could not be read"))
			continue
		}
		f, _ := reflect.TypeFor[Config]().FieldByName(pe.Name)
		faults = append(faults, fault{f.Tag.Get("env"), "must be " + kindOf(f.Type)})
	}
	return faults
}

func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 90s, 10m or 24h"
	case reflect.TypeFor[slog.Level]():
		return "debug, info, warn or error"
	case reflect.TypeFor[[]netip.Prefix]():
		return "networks such as 10.0.0.0/8, separated by commas"
	}
	return "a whole number"
}

// badFields are the settings that could not even be parsed, so that check does not complain about them twice.
func badFields(faults []error) map[string]bool {
	bad := map[string]bool{}
	for _, err := range faults {
		var f fault
		if errors.As(err, &f) {
			bad[f.name] = true
		}
	}
	return bad
}

// check returns every fault of the parsed settings but those of the settings in skip.
func (c Config) check(skip map[string]bool) []error {
	var faults []error
	must := func(ok bool, name, text string) {
		if !ok && !skip[name] {
			faults = append(faults, fault{name, text})
		}
	}
	oneOf := func(name, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		must(false, name, "must be "+strings.Join(allowed[:len(allowed)-1], ", ")+" or "+allowed[len(allowed)-1])
	}

	must(isListenAddress(c.Listen), "LISTEN", "must be an address such as :8080 or 127.0.0.1:8080")
	must(isPublicURL(c.PublicURL), "PUBLIC_URL", "must be an http or https address without a path, such as https://pictures.example.org")
	must(c.DataDir != "", "DATA_DIR", "must name a folder")
	must(c.DatabaseURL == "" || isDatabaseURL(c.DatabaseURL), "DATABASE_URL",
		"must be like postgres://user:password@host:5432/database, or empty for a private database")
	must(c.DatabaseMaxConns >= 0 && c.DatabaseMaxConns <= 1000, "DATABASE_MAX_CONNS", "must be from 0 to 1000")
	must(c.MaxUploadBytes >= 1<<10 && c.MaxUploadBytes <= 4<<30, "MAX_UPLOAD_BYTES", "must be from 1024 (1 KiB) to 4294967296 (4 GiB)")
	must(c.MaxPixels >= 1 && c.MaxPixels <= 10_000_000_000, "MAX_PIXELS", "must be from 1 to 10000000000")
	must(c.QuotaBytes >= 0, "QUOTA_BYTES", "must not be negative")
	oneOf("REGISTRATION", c.Registration, RegistrationOpen, RegistrationInvite, RegistrationClosed)
	must(c.SessionLifetime >= time.Minute, "SESSION_LIFETIME", "must be at least 1m")
	for _, origin := range c.CORSOrigins {
		if text := originFault(origin); text != "" {
			must(false, "CORS_ORIGINS", text)
			break
		}
	}
	must(c.Decoders >= 0 && c.Decoders <= 256, "DECODERS", "must be from 0 to 256")
	must(c.DecoderTimeout >= time.Second && c.DecoderTimeout <= 10*time.Minute, "DECODER_TIMEOUT", "must be from 1s to 10m")
	must(c.DecoderMemoryBytes >= 512<<20, "DECODER_MEMORY_BYTES", "must be at least 536870912 (512 MiB)")
	must(c.VariantCacheBytes >= 0, "VARIANT_CACHE_BYTES", "must not be negative")
	must(c.MasterSide == 0 || c.MasterSide >= 320 && c.MasterSide <= 4096, "MASTER_SIDE", "must be from 320 to 4096, or 0 for no such copies")
	must(c.AVIFEffort >= 1 && c.AVIFEffort <= 9, "AVIF_EFFORT", "must be from 1 to 9")
	oneOf("DELIVERY", c.Delivery, DeliveryDirect, DeliveryAccel)
	_, err := variant.ParsePresets(c.Presets)
	must(err == nil, "PRESETS", fmt.Sprintf("must be like avatar:w=128&h=128&fit=cover banner:w=1600 (%v)", err))
	must(c.ReserveBytes >= 0, "RESERVE_BYTES", "must not be negative")
	must(c.SweepInterval >= time.Second, "SWEEP_INTERVAL", "must be at least 1s")
	must(c.SweepGrace >= 0, "SWEEP_GRACE", "must not be negative")
	must(c.ShutdownDelay >= 0 && c.ShutdownDelay <= 5*time.Minute, "SHUTDOWN_DELAY", "must be from 0s to 5m")
	must(c.ShutdownTimeout >= time.Second, "SHUTDOWN_TIMEOUT", "must be at least 1s")
	must(c.MetricsListen == "" || isListenAddress(c.MetricsListen), "METRICS_LISTEN", "must be an address such as 127.0.0.1:9090, or empty")
	must(c.MetricsListen == "" || c.MetricsListen != c.Listen || strings.HasSuffix(c.Listen, ":0"), "METRICS_LISTEN", "must be another address than KADR_LISTEN")
	oneOf("LOG_FORMAT", c.LogFormat, "text", "json")
	return faults
}

func isListenAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	return err == nil
}

func isPublicURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && (u.Path == "" || u.Path == "/") &&
		u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

// originFault says what is wrong with an origin; empty when it is written as browsers write it.
func originFault(s string) string {
	u, err := url.Parse(s)
	quoted := fmt.Sprintf("%.100q", s)
	switch {
	case strings.Contains(s, "*"):
		return quoted + " has a wildcard: every origin has to be listed"
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return quoted + " must be an http or https origin such as https://app.example.org"
	case s != u.Scheme+"://"+u.Host:
		return quoted + " must end with the host or port: an origin has no path, query or user"
	case s != strings.ToLower(s):
		return quoted + " must be in lower case, as browsers send it"
	case u.Scheme == "http" && u.Port() == "80", u.Scheme == "https" && u.Port() == "443", strings.HasSuffix(u.Host, ":"):
		return quoted + " must be without its default port, as browsers send it"
	}
	return ""
}

func isDatabaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql")
}

// maxPasswordFile bounds what is read of a file that was named by mistake, in bytes.
const maxPasswordFile = 4 << 10

// readPassword puts the password from DatabasePasswordFile into DatabaseURL. What it returns never holds a password.
func (c *Config) readPassword() error {
	if c.DatabasePasswordFile == "" {
		return nil
	}
	bad := func(text string) error { return fault{"DATABASE_PASSWORD_FILE", text} }
	u, err := url.Parse(c.DatabaseURL)
	switch {
	case c.DatabaseURL == "":
		return bad("is of no use without KADR_DATABASE_URL: a private database has no password")
	case err != nil:
		return nil // check has said that the URL is wrong
	case u.User.Username() == "":
		return bad("needs a user in KADR_DATABASE_URL, such as postgres://user@host:5432/database")
	}
	if _, twice := u.User.Password(); twice || u.Query().Has("password") {
		return bad("contradicts KADR_DATABASE_URL, which has a password too; take one of them away")
	}
	f, err := os.Open(c.DatabasePasswordFile)
	if err != nil {
		return bad("cannot be read: " + reason(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPasswordFile))
	if err != nil {
		return bad("cannot be read: " + reason(err))
	}
	password := strings.TrimRight(string(b), "\r\n")
	if password == "" {
		return bad("is empty")
	}
	u.User = url.UserPassword(u.User.Username(), password)
	c.DatabaseURL = u.String()
	return nil
}

// reason is what the system says, without the file's name.
func reason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return "it failed"
}

// BaseURL returns PublicURL without a slash at its end, ready to have a path appended.
func (c Config) BaseURL() string { return strings.TrimSuffix(c.PublicURL, "/") }

// Secure reports whether people reach the instance by https.
func (c Config) Secure() bool { return strings.HasPrefix(c.PublicURL, "https://") }

// StorageDir is the folder of the blob store.
func (c Config) StorageDir() string { return filepath.Join(c.DataDir, "storage") }

// UploadsDir is the folder of what arrives in parts. It lies on the disk of the storage, where KADR_RESERVE_BYTES counts.
func (c Config) UploadsDir() string { return filepath.Join(c.StorageDir(), "uploads") }

// PostgresDir is the folder of the private PostgreSQL cluster.
func (c Config) PostgresDir() string { return filepath.Join(c.DataDir, "postgres") }

// Setting describes one setting for documentation.
type Setting struct{ Name, Default, Description string }

// Settings lists every setting in the order of the struct.
func Settings() []Setting {
	var all []Setting
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		if tag.Get("env") == "-" {
			continue
		}
		all = append(all, Setting{Name: Prefix + tag.Get("env"), Default: tag.Get("envDefault"), Description: tag.Get("desc")})
	}
	return all
}
