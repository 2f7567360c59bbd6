package config_test

import (
	"fmt"
	"os"
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
		"KADR_DECODERS":            "1000",
		"KADR_DECODER_TIMEOUT":     "1h",
		"KADR_VARIANT_CACHE_BYTES": "-1",
		"KADR_MASTER_SIDE":         "319",
		"KADR_AVIF_EFFORT":         "10",
		"KADR_DELIVERY":            "pigeon",
		"KADR_PRESETS":             "avatar:w=wide",
		"KADR_SWEEP_INTERVAL":      "0s",
		"KADR_TRUSTED_PROXIES":     "gateway",
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
