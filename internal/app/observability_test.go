package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What stands beside an instance to watch it is pinned, is for this machine alone, has no password that everybody knows, and
// finds what it looks for.
func TestObservabilityFitsTogether(t *testing.T) {
	t.Parallel()
	var compose struct {
		Services map[string]struct {
			Image       string
			Environment map[string]string
			Ports       []string
			Volumes     []string
			Networks    []string
		}
		Networks map[string]struct{ Internal bool }
	}
	readYAML(t, "compose.yml", &compose)
	pinned := regexp.MustCompile(`^[a-z]+/[a-z]+:v?\d+\.\d+\.\d+$`)
	for name, s := range compose.Services {
		if name != "app" && !pinned.MatchString(s.Image) {
			t.Errorf("%s is not pinned: %q", name, s.Image)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s is open to others than this machine: %s", name, port)
			}
		}
		for _, v := range s.Volumes {
			host, _, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(host, "./") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", "..", host)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(s.Networks) == 0 || s.Networks[0] != "watch" {
			t.Errorf("%s is on %v", name, s.Networks)
		}
	}
	if !compose.Networks["watch"].Internal {
		t.Error("the network leads outside")
	}
	if password := compose.Services["grafana"].Environment["GF_SECURITY_ADMIN_PASSWORD"]; !strings.HasPrefix(password, "${GRAFANA_PASSWORD:?") {
		t.Errorf("Grafana's password is %q", password)
	}

	var prometheus struct {
		Rules  []string `yaml:"rule_files"`
		Scrape []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string
				Port  string
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "prometheus.yml", &prometheus)
	if len(prometheus.Rules) != 1 || !strings.Contains(strings.Join(compose.Services["prometheus"].Volumes, " "), ":"+prometheus.Rules[0]+":ro") {
		t.Errorf("the rules are read from %v", prometheus.Rules)
	}
	kadr := prometheus.Scrape[0]
	if kadr.Job != "kadr" || len(kadr.DNS) != 1 || kadr.DNS[0].Names[0] != "app" ||
		":"+kadr.DNS[0].Port != compose.Services["app"].Environment["KADR_METRICS_LISTEN"] {
		t.Errorf("Prometheus looks for %+v", kadr)
	}

	var sources struct {
		Datasources []struct{ UID, URL string }
	}
	readYAML(t, filepath.Join("grafana", "provisioning", "datasources", "kadr.yml"), &sources)
	dashboard, err := os.ReadFile(filepath.Join(observability, "grafana", "dashboards", "kadr.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range regexp.MustCompile(`"uid": "([^"]+)"`).FindAllStringSubmatch(string(dashboard), -1) {
		if uid[1] != sources.Datasources[0].UID && uid[1] != "kadr" {
			t.Errorf("the dashboard asks %s", uid[1])
		}
	}
	for _, s := range sources.Datasources {
		host := strings.TrimPrefix(s.URL, "http://")
		if service, _, _ := strings.Cut(host, ":"); compose.Services[service].Image == "" {
			t.Errorf("there is no %s", s.URL)
		}
	}
}
