package k8s_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

func TestSelectorsMeanTheirPods(t *testing.T) {
	t.Parallel()
	server, all := []string{"deployment kadr"}, []string{"deployment kadr", "job kadr-migrate"}
	eachOverlay(t, func(t *testing.T, m manifests) {
		means := func(what string, selector *metav1.LabelSelector, want []string) {
			t.Helper()
			if got := m.selected(t, selector); !slices.Equal(got, want) {
				t.Errorf("%s selects %v, not %v", what, got, want)
			}
		}
		d := m.deployment(t)
		means("the deployment", d.Spec.Selector, server)
		for _, s := range m.Services {
			means("service "+s.Name, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, server)
		}
		for _, b := range m.Budgets {
			means("budget "+b.Name, b.Spec.Selector, server)
			if b.Spec.MaxUnavailable == nil || b.Spec.MinAvailable != nil {
				t.Errorf("budget %s would keep a node with the only replica from being emptied", b.Name)
			}
		}
		if len(m.Services) != 1 || len(m.Budgets) != 1 {
			t.Errorf("%d services and %d budgets", len(m.Services), len(m.Budgets))
		}
		for _, c := range d.Spec.Template.Spec.TopologySpreadConstraints {
			means("the spread over "+c.TopologyKey, c.LabelSelector, server)
		}
		want := map[string][]string{
			"default-deny": {"deployment kadr", "job kadr-migrate", "cluster kadr-db"},
			"kadr-server":  server,
			"kadr-metrics": server,
			"kadr-egress":  all,
			"kadr-db":      {"cluster kadr-db"},
			"acme-solver":  nil, // cert-manager's
		}
		for _, p := range m.Policies {
			if _, known := want[p.Name]; !known {
				t.Errorf("nobody expects policy %s", p.Name)
			}
			means("policy "+p.Name, &p.Spec.PodSelector, want[p.Name])
			delete(want, p.Name)
		}
		if len(want) > 0 {
			t.Errorf("missing policies: %v", slices.Collect(maps.Keys(want)))
		}
	})
}

// What is not allowed by name is forbidden, and what is allowed is where it should be.
func TestNetworkPolicies(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		policies := map[string]networkingv1.NetworkPolicySpec{}
		for _, p := range m.Policies {
			policies[p.Name] = p.Spec
		}
		both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
		if deny := policies["default-deny"]; len(deny.Ingress) > 0 || len(deny.Egress) > 0 || !slices.Equal(deny.PolicyTypes, both) {
			t.Errorf("default-deny allows something: %+v", deny)
		}

		for policy, want := range map[string]string{"kadr-server": "http", "kadr-metrics": "metrics"} {
			in := policies[policy].Ingress
			if len(in) != 1 || len(in[0].From) != 1 || in[0].From[0].NamespaceSelector == nil || len(in[0].Ports) != 1 {
				t.Fatalf("%s lets more in than one namespace to one port: %+v", policy, in)
			}
			if port := *in[0].Ports[0].Port; port.String() != want || !hasPort(m.server(t), port) {
				t.Errorf("%s: the server has no port %s, or it is another's", policy, port.String())
			}
		}

		reached := map[string]bool{}
		for _, rule := range policies["kadr-egress"].Egress {
			if len(rule.To) == 0 || len(rule.Ports) == 0 {
				t.Errorf("a rule allows everything: %+v", rule)
			}
			for _, to := range rule.To {
				if to.IPBlock != nil || to.PodSelector == nil {
					t.Errorf("a rule allows more than pods: %+v", to)
					continue
				}
				if to.NamespaceSelector == nil {
					for _, name := range m.selected(t, to.PodSelector) {
						reached[name+":"+rule.Ports[0].Port.String()] = true
					}
				}
			}
		}
		if !maps.Equal(reached, map[string]bool{"cluster kadr-db:5432": true}) {
			t.Errorf("Kadr may reach %v", reached)
		}
		fromKadr := false
		for _, rule := range policies["kadr-db"].Ingress {
			for _, from := range rule.From {
				if from.PodSelector != nil && from.NamespaceSelector == nil &&
					slices.Contains(m.selected(t, from.PodSelector), "deployment kadr") {
					fromKadr = fromKadr || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntValue() == 5432 })
				}
			}
		}
		if !fromKadr {
			t.Error("the database does not let Kadr in")
		}
	})
}

func hasPort(c corev1.Container, port intstr.IntOrString) bool {
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool {
		return port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.ContainerPort == port.IntVal
	})
}

func TestRequestsFindTheirWay(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		server, settings := m.server(t), m.settings(t)
		if len(m.Ingresses) != 1 {
			t.Fatalf("%d ingresses", len(m.Ingresses))
		}
		ingress := m.Ingresses[0].Spec
		host := strings.TrimPrefix(settings["KADR_PUBLIC_URL"], "https://")
		if len(ingress.TLS) != 1 || !slices.Equal(ingress.TLS[0].Hosts, []string{host}) || ingress.TLS[0].SecretName == "" {
			t.Errorf("the certificate is not for %s: %+v", host, ingress.TLS)
		}
		for _, rule := range ingress.Rules {
			if rule.Host != host {
				t.Errorf("the ingress is for %s, and people come to %s", rule.Host, host)
			}
			for _, p := range rule.HTTP.Paths {
				i := slices.IndexFunc(m.Services, func(s corev1.Service) bool { return s.Name == p.Backend.Service.Name })
				if i < 0 {
					t.Errorf("no service %s", p.Backend.Service.Name)
					continue
				}
				if !slices.ContainsFunc(m.Services[i].Spec.Ports, func(port corev1.ServicePort) bool { return port.Name == p.Backend.Service.Port.Name }) {
					t.Errorf("service %s has no port %s", m.Services[i].Name, p.Backend.Service.Port.Name)
				}
			}
		}
		for _, port := range m.Services[0].Spec.Ports {
			if !hasPort(server, port.TargetPort) {
				t.Errorf("the server has no port %s", port.TargetPort.String())
			}
		}
		// The server's default is :8080.
		if listen := settings["KADR_LISTEN"]; server.Ports[0].ContainerPort != 8080 || listen != "" && listen != ":8080" {
			t.Errorf("the container's port is %d, and the server listens on %q", server.Ports[0].ContainerPort, listen)
		}
	})
}

func TestProbesAskWhatTheContractHas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var contract struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := yaml.Unmarshal(text, &contract); err != nil {
		t.Fatal(err)
	}
	eachOverlay(t, func(t *testing.T, m manifests) {
		server := m.server(t)
		for name, probe := range map[string]*corev1.Probe{
			"startup": server.StartupProbe, "liveness": server.LivenessProbe, "readiness": server.ReadinessProbe,
		} {
			if probe == nil || probe.HTTPGet == nil {
				t.Errorf("no %s probe by HTTP", name)
				continue
			}
			if contract.Paths[probe.HTTPGet.Path]["get"] == nil {
				t.Errorf("the contract has no GET %s, which the %s probe asks", probe.HTTPGet.Path, name)
			}
			if !hasPort(server, probe.HTTPGet.Port) {
				t.Errorf("the server has no port %s, which the %s probe asks", probe.HTTPGet.Port.String(), name)
			}
		}
		if server.LivenessProbe.HTTPGet.Path == server.ReadinessProbe.HTTPGet.Path {
			t.Error("a pod whose database is gone would be ended")
		}
	})
}
