package config_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/config"
)

func TestDefaultsAreSound(t *testing.T) {
	t.Parallel()
	c, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":8080" || c.MaxUploadBytes != 50<<20 || c.MaxPixels != 100_000_000 || c.Secure() {
		t.Errorf("unexpected defaults: %+v", c)
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"KADR_LISTEN":              "nowhere",
		"KADR_PUBLIC_URL":          "ftp://example.org/x",
		"KADR_DATABASE_URL":        "mysql://root:hunter2@localhost/kadr",
		"KADR_DATABASE_MAX_CONNS":  "-1",
		"KADR_MAX_UPLOAD_BYTES":    "fifty",
		"KADR_MAX_PIXELS":          "0",
		"KADR_QUOTA_BYTES":         "-5",
		"KADR_REGISTRATION":        "maybe",
		"KADR_SESSION_LIFETIME":    "soon",
		"KADR_CORS_ORIGINS":        "https://*.example.org",
		"KADR_RESERVE_BYTES":       "-1",
		"KADR_DECODERS":            "1000",
		"KADR_DECODER_TIMEOUT":     "1h",
		"KADR_VARIANT_CACHE_BYTES": "-1",
		"KADR_MASTER_SIDE":         "319",
		"KADR_AVIF_EFFORT":         "10",
		"KADR_DELIVERY":            "pigeon",
		"KADR_PRESETS":             "avatar:w=wide",
		"KADR_SWEEP_INTERVAL":      "0s",
		"KADR_TRUSTED_PROXIES":     "gateway",
		"KADR_SHUTDOWN_DELAY":      "-1s",
		"KADR_SHUTDOWN_TIMEOUT":    "0s",
		"KADR_METRICS_LISTEN":      "9090",
		"KADR_LOG_FORMAT":          "xml",
		"KADR_LOG_LEVEL":           "loud",
	}
	_, err := config.Parse(bad)
	if err == nil {
		t.Fatal("no fault was found")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(bad) {
		t.Errorf("%d faults for %d wrong settings:\n%v", len(lines), len(bad), err)
	}
	for name := range bad {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
	for _, leak := range []string{"hunter2", "strconv", "time:", "netip", "parse error"} {
		if strings.Contains(err.Error(), leak) {
			t.Errorf("%q leaks into:\n%v", leak, err)
		}
	}
}

// passwordFile writes a password as an editor or a shell leaves it.
func passwordFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPasswordComesFromAFile(t *testing.T) {
	t.Parallel()
	c, err := config.Parse(map[string]string{
		"KADR_DATABASE_URL":           "postgres://kadr@db:5432/kadr?sslmode=disable",
		"KADR_DATABASE_PASSWORD_FILE": passwordFile(t, "hunter 2/@:?#\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(c.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := u.User.Password(); password != "hunter 2/@:?#" || u.User.Username() != "kadr" || u.Host != "db:5432" ||
		u.Path != "/kadr" || u.RawQuery != "sslmode=disable" {
		t.Errorf("unexpected URL %q", c.DatabaseURL)
	}
}

func TestPasswordFileFaults(t *testing.T) {
	t.Parallel()
	good := passwordFile(t, "hunter2")
	for name, test := range map[string]struct{ url, file, want string }{
		"no database":    {"", good, "of no use without KADR_DATABASE_URL"},
		"no user":        {"postgres://db/kadr", good, "needs a user"},
		"two passwords":  {"postgres://kadr:hunter3@db/kadr", good, "contradicts KADR_DATABASE_URL"},
		"in the query":   {"postgres://kadr@db/kadr?password=hunter3", good, "contradicts KADR_DATABASE_URL"},
		"no file":        {"postgres://kadr@db/kadr", filepath.Join(t.TempDir(), "nothing"), "cannot be read: no such file or directory"},
		"a folder":       {"postgres://kadr@db/kadr", t.TempDir(), "cannot be read: is a directory"},
		"an empty one":   {"postgres://kadr@db/kadr", passwordFile(t, "\n"), "is empty"},
		"a URL so wrong": {"postgres://kadr@db:x:y/%zz", good, "KADR_DATABASE_URL: must be like"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Parse(map[string]string{"KADR_DATABASE_URL": test.url, "KADR_DATABASE_PASSWORD_FILE": test.file})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter") {
				t.Errorf("want %q, got: %v", test.want, err)
			}
		})
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	c, err := config.Parse(map[string]string{"KADR_PUBLIC_URL": "https://pictures.example.org/"})
	if err != nil || !c.Secure() || c.BaseURL() != "https://pictures.example.org" {
		t.Errorf("%q, secure %v, %v", c.BaseURL(), c.Secure(), err)
	}
}

// The README's table and .env.example say exactly what the struct says.
func TestDocumentsAreCurrent(t *testing.T) {
	t.Parallel()
	readme := read(t, "../../README.md")
	example := read(t, "../../.env.example")
	for _, s := range config.Settings() {
		def := "`" + s.Default + "`"
		if s.Default == "" {
			def = "(empty)"
		}
		row := fmt.Sprintf("| `%s` | %s | %s |", s.Name, def, s.Description)
		if !strings.Contains(readme, row) {
			t.Errorf("README.md lacks the row\n%s", row)
		}
		if entry := fmt.Sprintf("# %s\n#%s=%s\n", s.Description, s.Name, s.Default); !strings.Contains(example, entry) {
			t.Errorf(".env.example lacks\n%s", entry)
		}
	}
	if n := strings.Count(readme, "| `KADR_"); n != len(config.Settings()) {
		t.Errorf("README.md has %d settings, the struct %d", n, len(config.Settings()))
	}
	if n := strings.Count(example, "#KADR_"); n != len(config.Settings()) {
		t.Errorf(".env.example has %d settings, the struct %d", n, len(config.Settings()))
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	c, err := config.Parse(map[string]string{"KADR_CORS_ORIGINS": "http://localhost:5500,https://app.example.org,http://[::1]:8080"})
	if err != nil || len(c.CORSOrigins) != 3 || c.CORSOrigins[1] != "https://app.example.org" {
		t.Errorf("%q, %v", c.CORSOrigins, err)
	}
	for origin, fault := range map[string]string{
		"*":                                   "wildcard",
		"https://*.example.org":               "wildcard",
		"null":                                "must be an http or https origin",
		"app.example.org":                     "must be an http or https origin",
		"ftp://example.org":                   "must be an http or https origin",
		"https://app.example.org/":            "no path",
		"https://app.example.org/page":        "no path",
		"https://app.example.org?":            "no path",
		"https://anna@app.example.org":        "no path",
		"https://App.example.org":             "lower case",
		"https://app.example.org:443":         "default port",
		"http://localhost:80":                 "default port",
		"http://localhost:":                   "default port",
		"http://localhost, http://127.0.0.1":  "must be an http or https origin",
		"http://localhost:5500,https://x.y/z": "https://x.y/z",
	} {
		_, err := config.Parse(map[string]string{"KADR_CORS_ORIGINS": origin})
		if err == nil || !strings.Contains(err.Error(), "KADR_CORS_ORIGINS: ") || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v", origin, err)
		}
	}
}
