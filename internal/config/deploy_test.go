package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/config"
)

// What deploy/k8s sets are settings, and they are right, as an overlay has them: its own over those of the base.
func TestKubernetesSettings(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range config.Settings() {
		known[s.Name] = true
	}
	overlays, err := filepath.Glob("../../deploy/k8s/overlays/*/kadr.env")
	if err != nil || len(overlays) < 2 {
		t.Fatalf("overlays: %v, %v", overlays, err)
	}
	for _, overlay := range overlays {
		// What the operator's secret holds.
		environ := map[string]string{"KADR_DATABASE_URL": "postgresql://kadr:secret@kadr-db-rw.kadr:5432/kadr"}
		for _, file := range []string{"../../deploy/k8s/base/kadr.env", overlay} {
			for line := range strings.Lines(read(t, file)) {
				name, value, found := strings.Cut(strings.TrimSpace(line), "=")
				if strings.HasPrefix(name, "#") {
					continue
				}
				if !found || !known[name] {
					t.Errorf("%s: %q is no setting", file, name)
				}
				environ[name] = value
			}
		}
		c, err := config.Parse(environ)
		if err != nil {
			t.Errorf("%s: %v", overlay, err)
		}
		if !c.Secure() || len(c.TrustedProxies) == 0 || c.DataDir != "/data" {
			t.Errorf("%s: public address %s, proxies %v, data in %s", overlay, c.PublicURL, c.TrustedProxies, c.DataDir)
		}
	}
}
