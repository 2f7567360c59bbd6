package k8s_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// judge asks what the admission controller would say.
func judge(t *testing.T, p corev1.PodTemplateSpec) policy.AggregateCheckResult {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	return policy.AggregateCheckResults(evaluator.EvaluatePod(level, &p.ObjectMeta, &p.Spec))
}

func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		for _, p := range m.pods() {
			if verdict := judge(t, p.PodTemplateSpec); !verdict.Allowed {
				t.Errorf("%s would not be let in: %s", p.Owner, verdict.ForbiddenDetail())
			}
			for _, c := range p.Spec.Containers {
				if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
					t.Errorf("%s may write to its image", p.Owner)
				}
			}
			// Or else the pod would meet a user that has no such rights on the volume.
			if user := p.Spec.SecurityContext.RunAsUser; user == nil || *user == 0 {
				t.Errorf("%s: user %v", p.Owner, user)
			}
			// As which user it runs must not depend on the image alone, and the volume is the group's.
			if len(p.Spec.Volumes) > 0 && p.Spec.SecurityContext.FSGroup == nil {
				t.Errorf("%s: nobody's volume", p.Owner)
			}
		}
	})
}

func TestTheJudgeRefuses(t *testing.T) {
	t.Parallel()
	p := build(t, "one").pods()[0].PodTemplateSpec
	p.Spec.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_PTRACE"}
	if verdict := judge(t, p); verdict.Allowed {
		t.Error("a pod with a capability is let in")
	}
}
