package contracttest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
)

// A handler that strays from the contract is caught, whichever way it strays.
func TestStrayingRepliesAreCaught(t *testing.T) {
	t.Parallel()
	problem := func(status int, id string) string {
		return fmt.Sprintf(`{"type":"/problems/unauthenticated","title":"X","status":%d,"detail":"X.","request_id":%q}`, status, id)
	}
	const faulty = `{"type":"/problems/invalid_request","title":"X","status":400,"detail":"X.","request_id":"abc","errors":[{"in":"query","code":%q,"detail":"X."}]}`
	const usage = `{"bytes":1,"images":1,"quota_bytes":null}`
	for name, tc := range map[string]struct {
		status    int
		mediaType string
		body      string
		want      string // in the report; empty: nothing is wrong
	}{
		"as declared":       {200, "application/json", usage, ""},
		"undeclared status": {418, "application/json", usage, "418"},
		"status of others":  {412, "application/problem+json", `{}`, "412"},
		"undeclared field":  {200, "application/json", `{"bytes":1,"images":1,"quota_bytes":null,"secret":1}`, "secret"},
		"missing field":     {200, "application/json", `{"bytes":1,"images":1}`, "quota_bytes"},
		"wrong type":        {200, "application/json", `{"bytes":"1","images":1,"quota_bytes":null}`, "bytes"},
		"out of range":      {200, "application/json", `{"bytes":-1,"images":1,"quota_bytes":null}`, "bytes"},
		"another type":      {200, "text/html", `<p>hello</p>`, "text/html"},
		"empty":             {200, "application/json", ``, "empty"},
		"problem":           {401, "application/problem+json", problem(401, "abc"), ""},
		"another status":    {401, "application/problem+json", problem(403, "abc"), "403"},
		"another request":   {401, "application/problem+json", problem(401, "def"), "def"},
		"known fault":       {400, "application/problem+json", fmt.Sprintf(faulty, "maximum"), ""},
		"fault of no page":  {400, "application/problem+json", fmt.Sprintf(faulty, "x"), `"x"`},
		"type of no page":   {401, "application/problem+json", strings.Replace(problem(401, "abc"), "unauthenticated", "x", 1), "/problems/x"},
		"type of another":   {403, "application/problem+json", problem(403, "abc"), "/problems/unauthenticated"},
		"bare error":        {401, "application/json", `{"error":"no"}`, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.mediaType)
				w.Header().Set("X-Request-Id", "abc")
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			checker, err := contracttest.New()
			if err != nil {
				t.Fatal(err)
			}
			var reports []string
			client := &http.Client{Transport: contracttest.Transport{
				Base: http.DefaultTransport, Checker: checker, Report: func(err error) { reports = append(reports, err.Error()) },
			}}
			reply, err := client.Get(server.URL + "/api/v1/account/usage")
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			if b, err := io.ReadAll(reply.Body); err != nil || string(b) != tc.body {
				t.Errorf("the body was spoiled: %q, %v", b, err)
			}
			if got := strings.Join(reports, "\n"); (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("reported %q, want %q in it", got, tc.want)
			}
		})
	}
}
