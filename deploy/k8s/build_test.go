package k8s_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// overlays are what people apply.
var overlays = []string{"one", "many"}

// manifests are an overlay's objects.
type manifests struct {
	Namespaces      []corev1.Namespace
	ServiceAccounts []corev1.ServiceAccount
	ConfigMaps      []corev1.ConfigMap
	Services        []corev1.Service
	Claims          []corev1.PersistentVolumeClaim
	Deployments     []appsv1.Deployment
	Jobs            []batchv1.Job
	Autoscalers     []autoscalingv2.HorizontalPodAutoscaler
	Budgets         []policyv1.PodDisruptionBudget
	Policies        []networkingv1.NetworkPolicy
	Ingresses       []networkingv1.Ingress
	Clusters        []cluster
}

// cluster is CloudNativePG's Cluster, as much of it as is used here: a field that is not listed is a mistake here, or a
// reason to look it up in the operator's reference and list it.
type cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Instances  int `json:"instances"`
		PostgreSQL struct {
			Synchronous *struct {
				Method string `json:"method"`
				Number int    `json:"number"`
			} `json:"synchronous"`
		} `json:"postgresql"`
		Bootstrap struct {
			InitDB struct {
				Database string `json:"database"`
				Owner    string `json:"owner"`
			} `json:"initdb"`
		} `json:"bootstrap"`
		Storage struct {
			Size string `json:"size"`
		} `json:"storage"`
		Resources corev1.ResourceRequirements `json:"resources"`
	} `json:"spec"`
}

// build returns what `kubectl apply -k` would send.
func build(t *testing.T, overlay string) manifests {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join("overlays", overlay))
	if err != nil {
		t.Fatal(err)
	}
	var m manifests
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.add(text); err != nil {
			t.Errorf("%s: %v", r.CurId(), err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	return m
}

// add decodes one object strictly: a field that its type does not have, or has twice, is an error.
func (m *manifests) add(text []byte) error {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal(text, &head); err != nil {
		return err
	}
	switch kind := head.APIVersion + " " + head.Kind; kind {
	case "v1 Namespace":
		return appendTo(&m.Namespaces, text)
	case "v1 ServiceAccount":
		return appendTo(&m.ServiceAccounts, text)
	case "v1 ConfigMap":
		return appendTo(&m.ConfigMaps, text)
	case "v1 Service":
		return appendTo(&m.Services, text)
	case "v1 PersistentVolumeClaim":
		return appendTo(&m.Claims, text)
	case "apps/v1 Deployment":
		return appendTo(&m.Deployments, text)
	case "batch/v1 Job":
		return appendTo(&m.Jobs, text)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return appendTo(&m.Autoscalers, text)
	case "policy/v1 PodDisruptionBudget":
		return appendTo(&m.Budgets, text)
	case "networking.k8s.io/v1 NetworkPolicy":
		return appendTo(&m.Policies, text)
	case "networking.k8s.io/v1 Ingress":
		return appendTo(&m.Ingresses, text)
	case "postgresql.cnpg.io/v1 Cluster":
		return appendTo(&m.Clusters, text)
	default: // Secrets among them: their values are not for a repository
		return fmt.Errorf("an object of a kind that is not expected here: %s", kind)
	}
}

func appendTo[T any](list *[]T, text []byte) error {
	var object T
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return err
	}
	*list = append(*list, object)
	return nil
}

// Every file is strict by itself too: building would already drop a key that is there twice.
func TestFilesAreStrict(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	nested, err := filepath.Glob("overlays/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects := 0
	for _, file := range append(files, nested...) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "kustomization.yaml" {
			continue // kustomize decodes it strictly
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			if err := new(manifests).add(document); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			objects++
		}
	}
	if objects < 15 {
		t.Errorf("only %d objects were looked at", objects)
	}
}

// What the checks are made of fails where it should.
func TestStrictDecodingRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an unknown field": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {port: 80}\n",
		"a field twice":    "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: NodePort, type: ClusterIP}\n",
		"a wrong type":     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: two}\n",
		"a secret":         "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {password: secret}\n",
		"an older version": "apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler\nmetadata: {name: x}\n",
		"an unknown field of the operator's": "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: x}\n" +
			"spec: {instance: 3}\n",
	} {
		if err := new(manifests).add([]byte(text)); err == nil {
			t.Errorf("%s is taken:\n%s", name, text)
		}
	}
}

// Nothing here is a secret, and nothing says where a registry is.
func TestImagesArePinnedAndNamedOnce(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			m := build(t, overlay)
			images := map[string]bool{}
			for _, pod := range m.pods() {
				for _, c := range pod.Spec.Containers {
					images[c.Image] = true
				}
			}
			if len(images) != 1 {
				t.Errorf("the server and the migration are of different versions: %v", images)
			}
			for image := range images {
				name, tag, found := strings.Cut(image, ":")
				if !found || tag == "latest" || !strings.HasPrefix(tag, "v") || strings.Contains(name, ".") {
					t.Errorf("image %s", image)
				}
			}
		})
	}
}
