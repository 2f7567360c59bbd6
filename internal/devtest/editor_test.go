package devtest_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The editor's settings and the Makefile have to mean the same ports.
func TestEditorSettings(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var launch struct {
		Configurations []struct {
			Name, Host string
			Port       int
			Env        map[string]string
		}
	}
	readCommented(t, "../../.vscode/launch.json", &launch)
	origins := regexp.MustCompile(`live_server := (\S+)`).FindSubmatch(makefile)
	if len(launch.Configurations) < 2 || origins == nil {
		t.Fatal("the Makefile or launch.json is not what it was")
	}
	attach, serve := launch.Configurations[0], launch.Configurations[1]
	if attach.Port != 2345 || !strings.Contains(string(makefile), "DEBUG_ADDR ?= "+attach.Host+":2345\n") {
		t.Errorf("the debugger is attached to %s:%d", attach.Host, attach.Port)
	}
	if serve.Env["KADR_CORS_ORIGINS"] != string(origins[1]) {
		t.Errorf("the editor lists %s, and make dev %s", serve.Env["KADR_CORS_ORIGINS"], origins[1])
	}
	settings := map[string]any{}
	readCommented(t, "../../.vscode/settings.json", &settings)
	if settings["liveServer.settings.port"] != 5500.0 || settings["liveServer.settings.host"] != "localhost" ||
		!strings.HasPrefix(string(origins[1]), "http://localhost:5500,") || settings["liveServer.settings.root"] != "/static" {
		t.Errorf("LiveServer: %v", settings)
	}
}

// readCommented reads JSON whose lines may be comments.
func readCommented(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b = regexp.MustCompile(`(?m)^\s*//.*$`).ReplaceAll(b, nil)
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
