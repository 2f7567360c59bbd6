package browsertest_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
)

// testDocumentation opens the API's documentation, which is somebody else's program under a policy of ours.
func testDocumentation(t *testing.T, c *chromium) {
	in := newInstance(t)
	var contract struct {
		Paths map[string]map[string]json.RawMessage
	}
	if _, body := in.stranger().get(t, in.base+"/openapi.json"); json.Unmarshal(body, &contract) != nil {
		t.Fatal("/openapi.json is no JSON")
	}
	var want []string
	for path, item := range contract.Paths {
		for key, operation := range item {
			var o struct{ OperationID string }
			if json.Unmarshal(operation, &o) == nil && o.OperationID != "" {
				want = append(want, key+" "+path)
			}
		}
	}
	if len(want) < 20 {
		t.Fatalf("the contract has only %d operations", len(want))
	}

	b := c.newTab(t, in)
	b.open("/docs")
	b.wait("all operations", "$$('.opblock').length >= "+quoteInt(len(want)))
	got := eval[[]string](b, `$$('.opblock').map((e) => $('.opblock-summary-method', e).textContent.toLowerCase() + ' ' +
		$('.opblock-summary-path', e).dataset.path)`)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the page shows\n%q, want\n%q", got, want)
	}
	if problems := eval[string](b, "$$('.errors-wrapper').map(textOf).join()"); problems != "" {
		t.Errorf("Swagger UI complains: %s", problems)
	}

	b.look("docs")

	// It can try an operation out.
	b.click("$('.opblock-summary-control', named('.opblock', '/healthz'))")
	b.click("named('.opblock.is-open button', 'Try it out')")
	b.click("named('.opblock.is-open button', 'Execute')")
	b.waitText(".opblock.is-open .live-responses-table", "200")
	if status := b.status("GET /healthz"); status != http.StatusOK {
		t.Errorf("trying it out: %d", status)
	}
}
