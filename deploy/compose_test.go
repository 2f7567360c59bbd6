// Package deploy_test checks what Kadr is deployed by, as far as that can be without running it: docker-compose.yml, the
// Dockerfile and .dockerignore, against each other and against the settings.
//
// compose-go reads the compose file because it is what Docker Compose itself reads it with, schema and all.
package deploy_test

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/kadr-app/kadr/internal/config"
)

// load is `docker compose config` with these variables and no .env.
func load(t *testing.T, env ...string) *types.Project {
	t.Helper()
	return loadFiles(t, nil, env...)
}

// loadFiles is load with other files on top of docker-compose.yml.
func loadFiles(t *testing.T, overlays []string, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions(append([]string{"../docker-compose.yml"}, overlays...), cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	project := load(t)
	if names := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(names, []string{"app", "db", "gateway", "secrets"}) {
		t.Fatalf("unexpected services: %q", names)
	}
	version := regexp.MustCompile(`^postgres:15\.\d+-[a-z]+$|^kadr(-gateway)?:local$`)
	user := regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`)
	for name, s := range project.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged ||
			!slices.Equal(s.SecurityOpt, []string{"no-new-privileges:true"}) || !user.MatchString(s.User) {
			t.Errorf("%s may do more than it needs: %+v", name, s)
		}
		if !version.MatchString(s.Image) {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
		}
		if s.MemLimit <= 0 || s.PidsLimit <= 0 {
			t.Errorf("%s has no limits: memory %d, processes %d", name, s.MemLimit, s.PidsLimit)
		}
		if s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("%s: its log grows without end", name)
		}
		if want := map[bool]string{true: "no", false: "unless-stopped"}[name == "secrets"]; s.Restart != want {
			t.Errorf("%s: restart %q, want %q", name, s.Restart, want)
		}
		for variable, value := range s.Environment {
			secret := regexp.MustCompile("PASSWORD|SECRET|TOKEN").MatchString(variable) && !strings.HasSuffix(variable, "_FILE")
			if secret || value != nil && regexp.MustCompile(`://[^/@]*:[^/@]*@`).MatchString(*value) {
				t.Errorf("%s: %s is in everybody's sight", name, variable)
			}
		}
	}
	const healthy, done = types.ServiceConditionHealthy, types.ServiceConditionCompletedSuccessfully
	needs := map[string]map[string]string{
		"gateway": {"app": healthy}, "app": {"db": healthy, "secrets": done}, "db": {"secrets": done}, "secrets": {},
	}
	for name, want := range needs {
		got := map[string]string{}
		for other, how := range project.Services[name].DependsOn {
			got[other] = how.Condition
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s waits for others than it should (-want +got):\n%s", name, diff)
		}
	}
}

// The pictures are the app's to write and the gateway's to read; secrets are for app and database.
func TestComposeVolumes(t *testing.T) {
	t.Parallel()
	project := load(t)
	got := map[string]string{}
	for name, s := range project.Services {
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeVolume {
				t.Errorf("%s: %s is no named volume: one file has to be enough", name, v.Source)
			}
			mode := "rw"
			if v.ReadOnly {
				mode = "ro"
			}
			if v.Volume != nil && v.Volume.NoCopy {
				mode += ",nocopy"
			}
			got[name+": "+v.Source] = v.Target + " " + mode
		}
	}
	want := map[string]string{
		"gateway: pictures": "/data/storage ro,nocopy",
		"app: pictures":     "/data/storage rw",
		"app: secrets":      "/run/kadr ro,nocopy",
		"db: secrets":       "/docker-entrypoint-initdb.d ro,nocopy",
		"db: database":      "/var/lib/postgresql/data rw",
		"secrets: secrets":  "/var/lib/postgresql/data rw",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the volumes are mounted otherwise (-want +got):\n%s", diff)
	}
	gid := strings.Split(project.Services["app"].User, ":")[1]
	for _, name := range []string{"gateway", "db", "secrets"} {
		if !slices.Equal(project.Services[name].GroupAdd, []string{gid}) {
			t.Errorf("%s is in the groups %q and shares none with the app's %s", name, project.Services[name].GroupAdd, gid)
		}
	}
}

// The gateway is open to all, the database to the app and this machine's loopback, the app to the gateway.
func TestComposeNetworks(t *testing.T) {
	t.Parallel()
	project := load(t, "KADR_HTTP_PORT=8088", "KADR_DB_PORT=5544")
	networks, ports := map[string][]string{}, map[string]string{}
	for name, s := range project.Services {
		if s.NetworkMode == "none" {
			continue
		}
		for network := range s.Networks {
			networks[network] = append(networks[network], name)
			slices.Sort(networks[network])
		}
		for _, p := range s.Ports {
			ports[name] += p.HostIP + ":" + p.Published + ":" + strconv.Itoa(int(p.Target))
		}
	}
	if diff := cmp.Diff(map[string][]string{"front": {"app", "gateway"}, "back": {"app", "db"}, "loopback": {"db"}}, networks); diff != "" {
		t.Errorf("the services meet elsewhere (-want +got):\n%s", diff)
	}
	if !project.Networks["back"].Internal {
		t.Error("the database's network leads outside")
	}
	if diff := cmp.Diff(map[string]string{"gateway": ":8088:8080", "db": "127.0.0.1:5544:5432"}, ports); diff != "" {
		t.Errorf("other ports are open (-want +got):\n%s", diff)
	}
	if port := load(t).Services["gateway"].Ports[0].Published; port != "80" {
		t.Errorf("the gateway's port is %s", port)
	}
}

// What the files in the folders beside this one add: it fits, and leads nobody to the database or the secrets.
func TestComposeOverlays(t *testing.T) {
	t.Parallel()
	overlays, err := filepath.Glob("*/compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		project := loadFiles(t, []string{overlay}, "KADR_DOMAIN=pictures.example.org", "GRAFANA_PASSWORD=a password")
		parse(t, project)
		for name, s := range project.Services {
			if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
				t.Errorf("%s: %s is not pinned, or may do more than it needs", overlay, name)
			}
			if _, in := s.Networks["back"]; in && name != "app" && name != "db" {
				t.Errorf("%s: %s gets to the database", overlay, name)
			}
			for _, v := range s.Volumes {
				if v.Source == "secrets" && name != "app" && name != "db" && name != "secrets" {
					t.Errorf("%s: %s gets to the secrets", overlay, name)
				}
			}
		}
	}
}

// parse reads the settings as the container would find them.
func parse(t *testing.T, project *types.Project) config.Config {
	t.Helper()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for name, value := range project.Services["app"].Environment {
		if value != nil {
			env[name] = *value
		}
	}
	env["KADR_DATABASE_PASSWORD_FILE"] = password
	c, err := config.Parse(env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestComposeSettings(t *testing.T) {
	t.Parallel()
	project := load(t)
	app := project.Services["app"]
	var known []string
	for _, s := range config.Settings() {
		known = append(known, s.Name)
	}
	slices.Sort(known)
	if diff := cmp.Diff(known, slices.Sorted(maps.Keys(app.Environment))); diff != "" {
		t.Errorf("docker-compose.yml hands on other settings than there are (-settings +compose):\n%s", diff)
	}

	c := parse(t, project)
	if c.Delivery != config.DeliveryAccel || c.LogFormat != "json" || c.PublicURL != "http://localhost" {
		t.Errorf("unexpected settings: %+v", c)
	}
	gateway := netip.MustParseAddr(project.Services["gateway"].Networks["front"].Ipv4Address)
	if want := []netip.Prefix{netip.PrefixFrom(gateway, 32)}; !slices.Equal(c.TrustedProxies, want) {
		t.Errorf("%v are trusted, want %v", c.TrustedProxies, want)
	}
	pool := project.Networks["front"].Ipam.Config[0]
	if !netip.MustParsePrefix(pool.Subnet).Contains(gateway) || netip.MustParsePrefix(pool.IPRange).Contains(gateway) {
		t.Errorf("%v is not the gateway's alone: %+v", gateway, pool)
	}
	if grace := time.Duration(*app.StopGracePeriod); grace < c.ShutdownDelay+c.ShutdownTimeout+5*time.Second {
		t.Errorf("the app is killed after %v, in the midst of its %v", grace, c.ShutdownDelay+c.ShutdownTimeout)
	}
	volume := app.Volumes[slices.IndexFunc(app.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == "pictures" })]
	if c.StorageDir() != volume.Target {
		t.Errorf("the pictures are in %s and the volume is in %s", c.StorageDir(), volume.Target)
	}
}

func TestComposeVariables(t *testing.T) {
	t.Parallel()
	for want, env := range map[string][]string{
		"http://localhost:8088":        {"KADR_HTTP_PORT=8088"},
		"https://pictures.example.org": {"KADR_HTTP_PORT=8088", "KADR_PUBLIC_URL=https://pictures.example.org"},
	} {
		if c := parse(t, load(t, env...)); c.PublicURL != want {
			t.Errorf("%q: %s", env, c.PublicURL)
		}
	}
	project := load(t, "KADR_SUBNET=10.9.8", "KADR_IMAGE=example/kadr", "KADR_VERSION=v1.2.3", "KADR_APP_MEMORY=4g", "KADR_DECODERS=7")
	c := parse(t, project)
	app := project.Services["app"]
	if c.TrustedProxies[0] != netip.MustParsePrefix("10.9.8.2/32") || c.Decoders != 7 || app.MemLimit != 4<<30 ||
		app.Image != "example/kadr:v1.2.3" || project.Services["gateway"].Image != "example/kadr-gateway:v1.2.3" {
		t.Errorf("a variable has no effect: %+v", app)
	}
}
