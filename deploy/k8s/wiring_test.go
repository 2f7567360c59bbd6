package k8s_test

import (
	"path"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// eachOverlay runs a check on every overlay.
func eachOverlay(t *testing.T, check func(t *testing.T, m manifests)) {
	t.Helper()
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			check(t, build(t, overlay))
		})
	}
}

// pod is a pod's template, with the name of the object that it is in.
type pod struct {
	Owner string
	corev1.PodTemplateSpec
}

func (m manifests) pods() (all []pod) {
	for _, d := range m.Deployments {
		all = append(all, pod{"deployment " + d.Name, d.Spec.Template})
	}
	for _, j := range m.Jobs {
		all = append(all, pod{"job " + j.Name, j.Spec.Template})
	}
	return all
}

func (m manifests) deployment(t *testing.T) appsv1.Deployment {
	t.Helper()
	if len(m.Deployments) != 1 {
		t.Fatalf("%d deployments", len(m.Deployments))
	}
	return m.Deployments[0]
}

func (m manifests) server(t *testing.T) corev1.Container {
	t.Helper()
	containers := m.deployment(t).Spec.Template.Spec.Containers
	if len(containers) != 1 {
		t.Fatalf("%d containers", len(containers))
	}
	return containers[0]
}

func (m manifests) settings(t *testing.T) map[string]string {
	t.Helper()
	if len(m.ConfigMaps) != 1 {
		t.Fatalf("%d config maps", len(m.ConfigMaps))
	}
	return m.ConfigMaps[0].Data
}

// selected returns the pods that a selector means; the database's are the operator's, and known by their label.
func (m manifests) selected(t *testing.T, selector *metav1.LabelSelector) (names []string) {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.pods() {
		if s.Matches(labels.Set(p.Labels)) {
			names = append(names, p.Owner)
		}
	}
	for _, c := range m.Clusters {
		if s.Matches(labels.Set{"cnpg.io/cluster": c.Name}) {
			names = append(names, "cluster "+c.Name)
		}
	}
	return names
}

func TestEveryObjectIsInTheNamespace(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		if len(m.Namespaces) != 1 || m.Namespaces[0].Name != "kadr" {
			t.Fatalf("namespaces: %v", m.Namespaces)
		}
		for _, level := range []string{"enforce", "audit", "warn"} {
			if got := m.Namespaces[0].Labels["pod-security.kubernetes.io/"+level]; got != "restricted" {
				t.Errorf("pod security %s: %q", level, got)
			}
		}
		check := func(kind string, o metav1.ObjectMeta) {
			if o.Namespace != "kadr" || o.Name == "" {
				t.Errorf("%s %q is in namespace %q", kind, o.Name, o.Namespace)
			}
		}
		for _, o := range m.ServiceAccounts {
			check("service account", o.ObjectMeta)
		}
		for _, o := range m.ConfigMaps {
			check("config map", o.ObjectMeta)
		}
		for _, o := range m.Services {
			check("service", o.ObjectMeta)
		}
		for _, o := range m.Claims {
			check("claim", o.ObjectMeta)
		}
		for _, o := range m.Deployments {
			check("deployment", o.ObjectMeta)
		}
		for _, o := range m.Jobs {
			check("job", o.ObjectMeta)
		}
		for _, o := range m.Autoscalers {
			check("autoscaler", o.ObjectMeta)
		}
		for _, o := range m.Budgets {
			check("budget", o.ObjectMeta)
		}
		for _, o := range m.Policies {
			check("network policy", o.ObjectMeta)
		}
		for _, o := range m.Ingresses {
			check("ingress", o.ObjectMeta)
		}
		for _, o := range m.Clusters {
			check("cluster", o.ObjectMeta)
		}
	})
}

// A rolling update drops no request: a new pod is ready before an old one goes, the old one serves until nobody sends it
// anything, and has the time to end what is under way.
func TestRollingUpdateDropsNothing(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		d, server := m.deployment(t), m.server(t)
		rolling := d.Spec.Strategy.RollingUpdate
		if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || rolling.MaxUnavailable.IntValue() != 0 || rolling.MaxSurge.IntValue() < 1 {
			t.Errorf("strategy %+v", d.Spec.Strategy)
		}
		if server.Lifecycle == nil || server.Lifecycle.PreStop == nil || server.Lifecycle.PreStop.Sleep == nil {
			t.Fatal("no pause before the end")
		}
		total := time.Duration(server.Lifecycle.PreStop.Sleep.Seconds) * time.Second
		if total < 5*time.Second {
			t.Errorf("a pause of %s is too short for every proxy to hear of it", total)
		}
		for _, name := range []string{"KADR_SHUTDOWN_DELAY", "KADR_SHUTDOWN_TIMEOUT"} {
			if value := m.settings(t)[name]; value != "" {
				part, err := time.ParseDuration(value)
				if err != nil {
					t.Fatal(err)
				}
				total += part
			}
		}
		grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
		if grace <= total {
			t.Errorf("a pod is killed after %s, and may take %s to end", grace, total)
		}
	})
}

func TestNamesLeadSomewhere(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		if len(m.Clusters) != 1 {
			t.Fatalf("%d database clusters", len(m.Clusters))
		}
		// What CloudNativePG makes: <cluster>-app with these keys among others.
		secrets := map[string][]string{m.Clusters[0].Name + "-app": {"username", "password", "dbname", "host", "port", "uri"}}
		for _, p := range m.pods() {
			if !slices.ContainsFunc(m.ServiceAccounts, func(a corev1.ServiceAccount) bool {
				return a.Name == p.Spec.ServiceAccountName && !*a.AutomountServiceAccountToken
			}) {
				t.Errorf("%s: service account %q", p.Owner, p.Spec.ServiceAccountName)
			}
			if p.Spec.AutomountServiceAccountToken == nil || *p.Spec.AutomountServiceAccountToken {
				t.Errorf("%s gets a token", p.Owner)
			}
			for _, v := range p.Spec.Volumes {
				if claim := v.PersistentVolumeClaim; claim != nil &&
					!slices.ContainsFunc(m.Claims, func(c corev1.PersistentVolumeClaim) bool { return c.Name == claim.ClaimName }) {
					t.Errorf("%s: no claim %s", p.Owner, claim.ClaimName)
				}
			}
			for _, c := range p.Spec.Containers {
				checkContainer(t, m, p, c, secrets)
			}
		}
	})
}

func checkContainer(t *testing.T, m manifests, p pod, c corev1.Container, secrets map[string][]string) {
	t.Helper()
	database := false
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef == nil || !slices.ContainsFunc(m.ConfigMaps, func(cm corev1.ConfigMap) bool { return cm.Name == from.ConfigMapRef.Name }) {
			t.Errorf("%s: settings from what is not here: %+v", p.Owner, from)
		}
	}
	for _, env := range c.Env {
		if env.ValueFrom == nil || env.ValueFrom.SecretKeyRef == nil {
			t.Errorf("%s: %s belongs in kadr.env", p.Owner, env.Name)
			continue
		}
		ref := env.ValueFrom.SecretKeyRef
		if !slices.Contains(secrets[ref.Name], ref.Key) {
			t.Errorf("%s: nobody makes secret %s with %s", p.Owner, ref.Name, ref.Key)
		}
		database = database || env.Name == "KADR_DATABASE_URL" && ref.Key == "uri"
	}
	if !database {
		t.Errorf("%s does not know its database", p.Owner)
	}
	var mounted []string
	for _, mount := range c.VolumeMounts {
		if !slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			t.Errorf("%s: no volume %s", p.Owner, mount.Name)
		}
		if slices.Contains(mounted, mount.MountPath) {
			t.Errorf("%s: two mounts at %s", p.Owner, mount.MountPath)
		}
		mounted = append(mounted, mount.MountPath)
	}
	for _, v := range p.Spec.Volumes {
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name }) {
			t.Errorf("%s: volume %s is not mounted", p.Owner, v.Name)
		}
	}
	// Exactly where the storage is: the image declares this folder a volume, and a mount above it would be covered by an
	// empty one that ends with the pod.
	if storage := path.Join(m.settings(t)["KADR_DATA_DIR"], "storage"); c.Args[0] == "serve" && !slices.Contains(mounted, storage) {
		t.Errorf("%s: pictures would go to %s, which is not a volume", p.Owner, storage)
	}
	for _, what := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := c.Resources.Requests[what], c.Resources.Limits[what]
		if request.IsZero() || limit.IsZero() || request.Cmp(limit) > 0 {
			t.Errorf("%s: %s from %s to %s", p.Owner, what, request.String(), limit.String())
		}
	}
}

// As many decoders as the container may use cores, and fewer connections than PostgreSQL has, with one pod more as they roll.
func TestSettingsFitTheLimits(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		d, settings := m.deployment(t), m.settings(t)
		limits := m.server(t).Resources.Limits
		cores := limits.Cpu().Value()
		if got := intstr.Parse(settings["KADR_DECODERS"]); int64(got.IntValue()) != cores {
			t.Errorf("%s decoders on %d cores", got.String(), cores)
		}
		replicas := int32(1)
		if d.Spec.Replicas != nil {
			replicas = *d.Spec.Replicas
		}
		for _, a := range m.Autoscalers {
			if a.Spec.ScaleTargetRef.Kind != "Deployment" || a.Spec.ScaleTargetRef.APIVersion != "apps/v1" || a.Spec.ScaleTargetRef.Name != d.Name {
				t.Errorf("the autoscaler scales %+v", a.Spec.ScaleTargetRef)
			}
			if d.Spec.Replicas != nil {
				t.Error("the deployment has a number of replicas, and would undo the autoscaler's")
			}
			if *a.Spec.MinReplicas < 2 {
				t.Error("a single replica is none when its node goes")
			}
			replicas = a.Spec.MaxReplicas
		}
		const connections = 100 - 10 // less those for replication, the operator and an administrator
		pool := intstr.Parse(settings["KADR_DATABASE_MAX_CONNS"])
		// One more each listens for changes.
		if needs := (pool.IntValue() + 1) * (int(replicas) + 1); pool.IntValue() == 0 || needs > connections {
			t.Errorf("%d replicas with %s connections each need %d", replicas, pool.String(), needs)
		}
		want := corev1.ReadWriteOnce
		if replicas > 1 {
			want = corev1.ReadWriteMany
		}
		if len(m.Claims) != 1 || !slices.Equal(m.Claims[0].Spec.AccessModes, []corev1.PersistentVolumeAccessMode{want}) {
			t.Errorf("%d replicas share %+v", replicas, m.Claims)
		}
		if (replicas > 1) != (m.Clusters[0].Spec.Instances > 1) {
			t.Errorf("%d replicas on %d database instances", replicas, m.Clusters[0].Spec.Instances)
		}
	})
}

func TestMigrationIsOneJob(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		if len(m.Jobs) != 1 {
			t.Fatalf("%d jobs", len(m.Jobs))
		}
		job := m.Jobs[0].Spec
		if got := job.Template.Spec.Containers[0].Args; !slices.Equal(got, []string{"migrate", "up"}) {
			t.Errorf("the job runs %v", got)
		}
		if job.Template.Spec.RestartPolicy != corev1.RestartPolicyNever || job.ActiveDeadlineSeconds == nil || job.BackoffLimit == nil {
			t.Errorf("the job has no end: %+v", job)
		}
		// What the job needs is applied before the server's part is, by that label (see apply).
		for _, o := range []metav1.ObjectMeta{m.ConfigMaps[0].ObjectMeta, m.ServiceAccounts[0].ObjectMeta, m.Clusters[0].ObjectMeta, m.Jobs[0].ObjectMeta} {
			if o.Labels["app.kubernetes.io/component"] == "server" {
				t.Errorf("%s comes too late for the job", o.Name)
			}
		}
		for _, o := range []metav1.ObjectMeta{m.deployment(t).ObjectMeta, m.Services[0].ObjectMeta, m.Ingresses[0].ObjectMeta} {
			if o.Labels["app.kubernetes.io/component"] != "server" {
				t.Errorf("%s comes before the migration", o.Name)
			}
		}
		if got := m.server(t).Args; !slices.Equal(got, []string{"serve"}) {
			t.Errorf("the deployment runs %v", got)
		}
	})
}
