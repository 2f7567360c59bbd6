package api

import (
	"bytes"
	_ "embed" // for the texts
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed problems.yaml
var problemsYAML []byte

// Problem is what is to be said of a code that problem documents carry, as the end of their type or in their errors. The
// texts set names and values apart by backticks.
type Problem struct {
	Code   string
	Status int
	Title  string
	What   string  // happened
	Todo   string  // about it
	Detail string  // an example's
	At     *string // where the example's error is: /member, ?parameter, -Header or, of the body, empty; nil where there is none
	Fault  bool    // it is mostly the code of an error, in a document of another type
}

// Problems reads problems.yaml, in its order.
func Problems() ([]Problem, error) {
	var all []Problem
	d := yaml.NewDecoder(bytes.NewReader(problemsYAML))
	d.KnownFields(true)
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("read problems.yaml: %w", err)
	}
	seen := map[string]bool{}
	for _, p := range all {
		if p.Code == "" || seen[p.Code] || p.Status < 400 || p.Status > 599 || p.Title == "" || p.What == "" || p.Todo == "" || p.Detail == "" {
			return nil, fmt.Errorf("problems.yaml lacks something of %q, or has it twice", p.Code)
		}
		seen[p.Code] = true
	}
	return all, nil
}
