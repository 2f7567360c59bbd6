// Package release_test checks the workflows in .github/, and runs the scripts of a release as they run there, with programs in
// the place of docker and gh that write down what they are asked.
package release_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

type workflow struct {
	On          yaml.Node `yaml:"on"`
	Permissions yaml.Node
	Concurrency struct {
		Group string
	}
	Jobs map[string]struct {
		Permissions map[string]string
		Timeout     int `yaml:"timeout-minutes"`
		Container   string
		Steps       []struct {
			Uses string
			Run  string
			With map[string]string
		}
	}
}

// workflows are the texts by their files' names.
func workflows(t *testing.T) (texts map[string]string, parsed map[string]workflow) {
	t.Helper()
	files, err := filepath.Glob("../../.github/workflows/*")
	if err != nil {
		t.Fatal(err)
	}
	texts, parsed = map[string]string{}, map[string]workflow{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		texts[filepath.Base(file)], parsed[filepath.Base(file)] = string(text), w
	}
	for _, name := range []string{"ci.yml", "release.yml", "deploy.yml"} {
		if texts[name] == "" {
			t.Fatalf("there is no %s", name)
		}
	}
	return texts, parsed
}

// What is not ours is pinned by its commit, one for each action, and says which version that is.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	uses := regexp.MustCompile(`uses: (.*)`)
	texts, _ := workflows(t)
	commits := map[string]string{}
	for name, text := range texts {
		for _, found := range uses.FindAllStringSubmatch(text, -1) {
			if !pinned.MatchString(found[1]) {
				t.Errorf("%s: %s", name, found[1])
				continue
			}
			action, commit, _ := strings.Cut(found[1], "@")
			if before := commits[action]; before != "" && before != commit {
				t.Errorf("%s is pinned to %s and to %s", action, before, commit)
			}
			commits[action] = commit
		}
	}
	if len(commits) == 0 {
		t.Error("no actions were found")
	}
}

func TestWorkflowsMayLittle(t *testing.T) {
	t.Parallel()
	writes := map[string][]string{"release.yml/image": {"packages"}, "release.yml/publish": {"contents", "packages"}}
	texts, parsed := workflows(t)
	for name, w := range parsed {
		if w.Permissions.Kind != yaml.MappingNode || len(w.Permissions.Content) > 0 {
			t.Errorf("%s: its jobs may do more than they say", name)
		}
		if w.Concurrency.Group == "" {
			t.Errorf("%s: runs get in each other's way", name)
		}
		if strings.Contains(texts[name], "pull_request_target") || strings.Contains(texts[name], "workflow_run") {
			t.Errorf("%s: a stranger's code would run with our rights", name)
		}
		for job, j := range w.Jobs {
			if len(j.Permissions) == 0 || j.Timeout == 0 {
				t.Errorf("%s/%s: permissions %v, %d minutes", name, job, j.Permissions, j.Timeout)
			}
			for what, level := range j.Permissions {
				if level != "read" && !slices.Contains(writes[name+"/"+job], what) {
					t.Errorf("%s/%s: %s: %s", name, job, what, level)
				}
			}
			for _, step := range j.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != "false" {
					t.Errorf("%s/%s leaves its token in the checkout", name, job)
				}
				if name == "release.yml" && strings.HasPrefix(step.Uses, "actions/setup-go@") && step.With["cache"] != "false" {
					t.Errorf("%s/%s builds a release out of what others cached", name, job)
				}
			}
		}
	}
}

// What a workflow runs is a make target, so that it runs anywhere; and nothing that a stranger may write gets into a shell.
func TestWorkflowsRunMakeTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`^make ([a-z0-9-]+)$`)
	_, parsed := workflows(t)
	for name, w := range parsed {
		for job, j := range w.Jobs {
			for _, step := range j.Steps {
				if step.Uses != "" {
					continue
				}
				found := command.FindStringSubmatch(step.Run)
				if found == nil || !strings.Contains(string(makefile), "\n"+found[1]+":") {
					t.Errorf("%s/%s runs %q", name, job, step.Run)
				}
			}
		}
	}
	for _, target := range []string{"verify", "contract", "test-e2e"} {
		if !slices.ContainsFunc(jobsOf(parsed["ci.yml"]), func(run string) bool { return run == "make "+target }) {
			t.Errorf("ci.yml does not run make %s", target)
		}
	}
}

func jobsOf(w workflow) (runs []string) {
	for _, j := range w.Jobs {
		for _, step := range j.Steps {
			runs = append(runs, step.Run)
		}
	}
	return runs
}

// One Go everywhere.
func TestWorkflowsUseOneGo(t *testing.T) {
	t.Parallel()
	_, parsed := workflows(t)
	want := ""
	for name, w := range parsed {
		for job, j := range w.Jobs {
			versions := []string{strings.TrimSuffix(strings.TrimPrefix(j.Container, "golang:"), "-bookworm")}
			for _, step := range j.Steps {
				versions = append(versions, step.With["go-version"])
			}
			for _, version := range versions {
				if want == "" {
					want = version
				}
				if version != "" && version != want {
					t.Errorf("%s/%s uses Go %s, others %s", name, job, version, want)
				}
			}
		}
	}
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(want) {
		t.Errorf("the version of Go is %q", want)
	}
}
