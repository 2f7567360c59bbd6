package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// insides are words that only come from a parser, a validator, a database or a decoder.
var insides = regexp.MustCompile(`(?i:sql|pgx|openapi|strconv|vips|unmarshal|kin-|runtime error|goroutine|\.go:|regexp|schema|postgres|oapi|relation )|json:|EOF|mime:|multipart:|invalid character|parsing |/blobs/|/tmp`)

// garbage is what no parameter and no member wants.
func garbage() []string {
	return []string{
		"", " ", "0", "-1", "99999999999999999999999999", "1e400", "NaN", "true", "null", "[]", "{}", "a\x00b", "\xff\xfe", "\r\n", "%00", "'; DROP TABLE images; --",
		"../../etc/passwd", "${jndi:ldap://x}", "<script>", "\u202e", "😀", "a,b", `"`, `\`, "*", strings.Repeat("x", 6000),
	}
}

// jsonGarbage are members' values of every type.
func jsonGarbage() []any {
	deep := any("x")
	for range 500 {
		deep = []any{deep}
	}
	values := []any{nil, true, 0, -1, 1.5, 1e300, json.Number("123456789012345678901234567890"), []any{}, []any{nil}, []any{[]any{}}, object{}, object{"a": 1}, deep}
	for _, text := range garbage() {
		values = append(values, text, []any{text})
	}
	return values
}

// TestGarbage sends nonsense in every place that the contract knows. The transport holds every reply against the contract,
// and the log fails the test when the server finds itself at fault.
func TestGarbage(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	owner := in.person(t)
	img := owner.stored(pngOf("garbage", 20, 20), "?visibility=public")
	requests := make(chan struct{}, 4) // the database is small
	for _, op := range operations(t) {
		t.Run(op.OperationID, func(t *testing.T) {
			t.Parallel()
			c := in.person(t)
			send := func(what, method, path string, body any, headers ...string) {
				requests <- struct{}{}
				defer func() { <-requests }()
				c.address = fmt.Sprintf("10.2.%d.%d", in.people.Add(1)/250, in.people.Load()%250)
				r := c.do(method, path, body, headers...)
				if r.StatusCode < 400 {
					return
				}
				p := r.problem(r.StatusCode, "")
				if r.StatusCode >= 500 || r.StatusCode == http.StatusUnauthorized && op.Security != nil || p.RequestID == "" || p.Detail == "" {
					t.Errorf("%s: %d %.500s", what, r.StatusCode, r.body)
				}
				if word := insides.Find(bytes.ReplaceAll(r.body, []byte(p.RequestID), nil)); word != nil && !strings.Contains(what, string(word)) {
					t.Errorf("%s: the reply says %q: %.500s", what, word, r.body)
				}
			}
			fine := func() (path string, headers []string, body any) {
				path = op.at(img.ID)
				if op.RequestBody == nil {
					return path, nil, nil
				}
				headers = []string{"Content-Type: " + op.mediaType()}
				if !op.json() {
					return path, headers, pngOf("garbage", 20, 20)
				}
				return path, headers, op.RequestBody.Value.Content[op.mediaType()].Example
			}
			for _, p := range op.Parameters {
				for _, value := range garbage() {
					path, headers, body := fine()
					what := fmt.Sprintf("%s %s=%.60q", p.Value.In, p.Value.Name, value)
					switch p.Value.In {
					case openapi3.ParameterInPath:
						path = strings.ReplaceAll(op.path, "{"+p.Value.Name+"}", url.PathEscape(value))
					case openapi3.ParameterInQuery:
						path += "?" + p.Value.Name + "=" + url.QueryEscape(value)
					case openapi3.ParameterInHeader:
						if strings.ContainsAny(value, "\x00\r\n") {
							continue // no client can send it
						}
						headers = append(headers, p.Value.Name+": "+value)
					}
					send(what, op.method, path, body, headers...)
				}
			}
			for _, value := range garbage()[1:] { // but the empty one, which leaves the request as it should be
				path, headers, body := fine()
				send(fmt.Sprintf("query %.60q", value), op.method, path+"?"+url.QueryEscape(value), body, headers...)
				send(fmt.Sprintf("body %.60q", value), op.method, path, []byte(value), headers...)
				if op.RequestBody != nil {
					send(fmt.Sprintf("Content-Type %.60q", value), op.method, path, body, "Content-Type: "+strings.Map(printableOnly, value))
				}
			}
			if !op.json() {
				return
			}
			example, ok := op.RequestBody.Value.Content[op.mediaType()].Example.(map[string]any)
			if !ok {
				t.Fatal("the body has no example")
			}
			for _, name := range slices.Sorted(maps.Keys(op.RequestBody.Value.Content[op.mediaType()].Schema.Value.Properties)) {
				for _, value := range jsonGarbage() {
					path, headers, _ := fine()
					body := maps.Clone(example)
					body[name] = value
					encoded, err := json.Marshal(body)
					if err != nil {
						t.Fatal(err)
					}
					send(fmt.Sprintf("member %s=%.60v", name, value), op.method, path, encoded, headers...)
				}
			}
		})
	}
}

func printableOnly(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}
