package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	kadr "github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/variant"
)

// operation is one operation of the contract.
type operation struct {
	*openapi3.Operation
	method, path string
}

func operations(t *testing.T) []operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(kadr.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	var all []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, operation{op, method, path})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return all
}

func (o operation) takes(scheme string) bool {
	return o.Security != nil && slices.ContainsFunc(*o.Security, func(r openapi3.SecurityRequirement) bool { return r[scheme] != nil })
}

func (o operation) optional() bool {
	return o.Security == nil || slices.ContainsFunc(*o.Security, func(r openapi3.SecurityRequirement) bool { return len(r) == 0 })
}

func (o operation) scopes() []string {
	var scopes []string
	list, _ := o.Extensions["x-scopes"].([]any)
	for _, s := range list {
		scopes = append(scopes, s.(string))
	}
	return scopes
}

// at fills in the path.
func (o operation) at(id string) string {
	return strings.NewReplacer("{id}", id, "{file}", id+".png", "{name}", "nobody").Replace(o.path)
}

// mediaType is the one to send a body with; empty where there is none.
func (o operation) mediaType() string {
	if o.RequestBody == nil {
		return ""
	}
	for _, mediaType := range []string{"application/json", "application/merge-patch+json", "application/octet-stream"} {
		if o.RequestBody.Value.Content[mediaType] != nil {
			return mediaType
		}
	}
	return ""
}

// example is the body that the contract shows.
func (o operation) example(t *testing.T) []byte {
	t.Helper()
	b, err := json.Marshal(o.RequestBody.Value.Content[o.mediaType()].Example)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (o operation) json() bool { return strings.HasSuffix(o.mediaType(), "json") }

// What the code takes for granted of the contract.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, op := range operations(t) {
		id := op.OperationID
		if op.Security != nil && !op.takes("session") {
			t.Errorf("%s takes no session; permit relies on every secured operation doing so", id)
		}
		if op.takes("apiKey") != (len(op.scopes()) > 0) {
			t.Errorf("%s: an operation that takes a key has to say in x-scopes which", id)
		}
		for _, s := range op.scopes() {
			if !slices.Contains(account.Scopes(), account.Scope(s)) {
				t.Errorf("%s: there is no scope %s", id, s)
			}
		}
		if len(op.Tags) != 1 || op.Summary == "" || op.Description == "" {
			t.Errorf("%s needs one tag, a summary and a description", id)
		}
		needed := []int{400, 429, 500} // 429 is the gateway's, where it is not ours
		if op.Security != nil {
			needed = append(needed, 401, 403)
		}
		if op.RequestBody != nil {
			needed = append(needed, 408, 413, 415)
		}
		if strings.HasPrefix(op.path, "/api/") || strings.HasPrefix(op.path, "/i/") { // they need the database
			needed = append(needed, 503)
			if op.method != "GET" {
				needed = append(needed, 507)
			}
		}
		for _, p := range op.Parameters {
			if p.Value.Example == nil {
				t.Errorf("%s: the parameter %s has no example", id, p.Value.Name)
			}
			switch {
			case p.Value.In == "path":
				needed = append(needed, 404)
			case p.Value.Name == "If-Match":
				needed = append(needed, 412)
			case p.Value.Name == "If-None-Match":
				needed = append(needed, 304)
			case p.Value.Name == "Idempotency-Key":
				needed = append(needed, 409, 422)
			}
		}
		for _, status := range needed {
			if op.Responses.Status(status) == nil {
				t.Errorf("%s does not list %d", id, status)
			}
		}
		if op.Responses.Default() == nil {
			t.Errorf("%s has no default reply", id)
		}
		if op.OperationID == "getFile" {
			var ladder []string
			for _, w := range variant.Ladder() {
				ladder = append(ladder, fmt.Sprint(w))
			}
			last := len(ladder) - 1
			want := strings.Join(ladder[:last], ", ") + " or " + ladder[last]
			if !strings.Contains(strings.Join(strings.Fields(op.Description), " "), want) {
				t.Errorf("the contract does not name the ladder: %s", want)
			}
		}
	}
}

// Stricter than the server at its start: examples and defaults keep to their schemas, and every pattern and format is one that
// the validator really checks.
func TestContractIsSound(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(kadr.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.0.3" {
		t.Errorf("OpenAPI %s: the validator is many times slower with 3.1, and enforces less", doc.OpenAPI)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableMultiError(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaDefaultsValidation(),
		openapi3.EnableSchemaPatternValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Error(err)
	}
}
