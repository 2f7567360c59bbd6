package httpapi_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestBadRequests(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)
	img := anna.stored(pngOf("bad request", 20, 20), "")

	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		const keys, account = "/api/v1/api-keys", "/api/v1/account"
		picture := "/api/v1/images/" + img.ID
		long := strings.Repeat("x", 5000)
		for name, tc := range map[string]struct {
			method, path, body string
			where, code        string
		}{
			"no JSON":               {"POST", keys, `{`, "", "malformed_json"},
			"half of it":            {"POST", keys, `{"name":"x","scopes":["images:`, "", "malformed_json"},
			"text behind it":        {"POST", keys, `{"name":"x","scopes":["images:read"]} x`, "", "malformed_json"},
			"two values":            {"POST", keys, `{"name":"x","scopes":["images:read"]}{}`, "", "malformed_json"},
			"blank":                 {"POST", keys, "  \n", "", "missing_body"},
			"empty":                 {"POST", keys, "", "", "missing_body"},
			"null":                  {"POST", keys, "null", "", "type"},
			"a list":                {"POST", keys, "[]", "", "type"},
			"a text":                {"POST", keys, `"x"`, "", "type"},
			"invalid UTF-8":         {"POST", keys, "{\"name\":\"\xff\",\"scopes\":[\"images:read\"]}", "", "invalid_utf8"},
			"deep":                  {"POST", keys, strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), "", "malformed_json"},
			"deep in a member":      {"POST", keys, `{"name":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,"scopes":["images:read"]}`, "/name", "type"},
			"unknown member":        {"POST", keys, `{"name":"x","scopes":["images:read"],"admin":true}`, "/admin", "unknown_field"},
			"another case":          {"POST", keys, `{"name":"x","scopes":["images:read"],"Name":"y"}`, "/Name", "unknown_field"},
			"odd member":            {"POST", keys, `{"name":"x","scopes":["images:read"],"a/b~c\u0000":1}`, "/a~1b~0c?", "unknown_field"},
			"missing member":        {"POST", keys, `{"name":"x"}`, "/scopes", "required"},
			"a number for text":     {"POST", keys, `{"name":1,"scopes":["images:read"]}`, "/name", "type"},
			"a text for a list":     {"POST", keys, `{"name":"x","scopes":"images:read"}`, "/scopes", "type"},
			"null for text":         {"POST", keys, `{"name":null,"scopes":["images:read"]}`, "/name", "type"},
			"NUL":                   {"POST", keys, `{"name":"a\u0000b","scopes":["images:read"]}`, "/name", "pattern"},
			"empty text":            {"POST", keys, `{"name":"","scopes":["images:read"]}`, "/name", "min_length"},
			"long text":             {"POST", keys, `{"name":"` + long + `","scopes":["images:read"]}`, "/name", "max_length"},
			"empty list":            {"POST", keys, `{"name":"x","scopes":[]}`, "/scopes", "min_items"},
			"unknown value":         {"POST", keys, `{"name":"x","scopes":["images:read","root"]}`, "/scopes/1", "enum"},
			"twice":                 {"POST", keys, `{"name":"x","scopes":["images:read","images:read"]}`, "/scopes", "unique_items"},
			"no time":               {"POST", keys, `{"name":"x","scopes":["images:read"],"expires_at":"tomorrow"}`, "/expires_at", "format"},
			"an impossible day":     {"POST", keys, `{"name":"x","scopes":["images:read"],"expires_at":"2030-02-30T10:00:00Z"}`, "/expires_at", "format"},
			"an impossible second":  {"POST", keys, `{"name":"x","scopes":["images:read"],"expires_at":"2030-02-20T10:00:60Z"}`, "/expires_at", "format"},
			"an impossible zone":    {"POST", keys, `{"name":"x","scopes":["images:read"],"expires_at":"2030-02-20T10:00:00+99:99"}`, "/expires_at", "format"},
			"the year 0":            {"POST", keys, `{"name":"x","scopes":["images:read"],"expires_at":"0000-01-01T00:00:00Z"}`, "/expires_at", "expires_in_past"},
			"the past":              {"POST", keys, `{"name":"x","scopes":["images:read"],"expires_at":"2001-01-01T00:00:00Z"}`, "/expires_at", "expires_in_past"},
			"nothing to change":     {"PATCH", picture, `{}`, "", "min_properties"},
			"a read-only member":    {"PATCH", picture, `{"id":"aaaaaaaaaaaaa"}`, "/id", "unknown_field"},
			"a title's NUL":         {"PATCH", picture, `{"title":"\u0000"}`, "/title", "pattern"},
			"a name with a folder":  {"PATCH", picture, `{"filename":"a/b"}`, "/filename", "pattern"},
			"an unknown visibility": {"PATCH", picture, `{"visibility":"hidden"}`, "/visibility", "enum"},
			"null in a patch":       {"PATCH", picture, `{"title":null}`, "/title", "type"},
			"no email":              {"PATCH", account, `{"email":"nobody"}`, "/email", "pattern"},
			"an email's domain":     {"PATCH", account, `{"email":"a@b"}`, "/email", "invalid_email"},
			"a short password":      {"PATCH", account, `{"password":"short"}`, "/password", "min_length"},
			"no old password":       {"PATCH", account, `{"password":"long enough for this"}`, "/current_password", "current_password_needed"},
			"a name with capitals":  {"PATCH", account, `{"name":"Anna"}`, "/name", "pattern"},
			"an id":                 {"POST", "/api/v1/images/bulk", `{"action":"delete","ids":["x"]}`, "/ids/0", "min_length"},
			"no ids":                {"POST", "/api/v1/images/bulk", `{"action":"delete","ids":[]}`, "/ids", "min_items"},
			"too many ids":          {"POST", "/api/v1/images/bulk", `{"action":"delete","ids":["aaaaaaaaaaaaa"` + manyIDs(100) + `]}`, "/ids", "max_items"},
			"no visibility":         {"POST", "/api/v1/images/bulk", `{"action":"set_visibility","ids":["aaaaaaaaaaaaa"]}`, "/visibility", "required"},
			"an idle visibility":    {"POST", "/api/v1/images/bulk", `{"action":"delete","visibility":"public","ids":["aaaaaaaaaaaaa"]}`, "/visibility", "unexpected"},
		} {
			r := c.do(tc.method, tc.path, tc.body)
			if r.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: got %d\n%.500s", name, r.StatusCode, r.body)
				continue
			}
			f := r.fault(tc.where, tc.code)
			if !strings.HasSuffix(f.Detail, ".") && !strings.Contains(f.Detail, ": ") {
				t.Errorf("%s: %q is no sentence", name, f.Detail)
			}
		}
		c.do("POST", keys, `{"name":"`+strings.Repeat("x", 1<<20)+`"}`).problem(413, "too_large")
		c.do("POST", keys, struct{ io.Reader }{strings.NewReader(strings.Repeat(" ", 2<<20))}, "Content-Type: application/json").problem(413, "too_large")
		if p := c.do("POST", keys, `{"name":1,"nothing":2}`).problem(400, "invalid_request"); len(*p.Errors) != 3 {
			t.Errorf("every fault should be named: %+v", *p.Errors)
		}
	})
	t.Run("media types", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		const body = `{"name":"x","scopes":["images:read"]}`
		for _, mediaType := range []string{"", "text/plain", "application/merge-patch+json", "multipart/form-data; boundary=x", "nonsense;;", "application/x-www-form-urlencoded"} {
			c.do("POST", "/api/v1/api-keys", body, "Content-Type: "+mediaType).problem(415, "unsupported_media_type")
		}
		c.do("PATCH", "/api/v1/account", `{"keep_metadata":false}`, "Content-Type: application/json-patch+json").problem(415, "unsupported_media_type")
		c.do("POST", "/api/v1/api-keys", body, "Content-Type: application/json; charset=latin1").problem(415, "unsupported_charset")
		c.do("POST", "/api/v1/api-keys", body, "Content-Type: application/json", "Content-Encoding: br").problem(415, "unsupported_content_encoding")
		for _, mediaType := range []string{"Application/JSON", "application/json; charset=UTF-8", "APPLICATION/json;x=y"} {
			c.do("POST", "/api/v1/api-keys", body, "Content-Type: "+mediaType).want(201)
		}
		c.do("PATCH", "/api/v1/account", `{"keep_metadata":false}`, "Content-Type: Application/Merge-Patch+JSON").want(200)
	})
	t.Run("bodies where none belong", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, path := range []string{"/api/v1/account", "/healthz", "/api/v1/feed", img.URL} {
			c.do("GET", path, `{}`).fault("", "unexpected_body")
		}
		c.do("DELETE", "/api/v1/images/"+img.ID, `{}`).fault("", "unexpected_body")
		c.do("DELETE", "/api/v1/images/"+img.ID, struct{ io.Reader }{strings.NewReader("x")}).fault("", "unexpected_body")
	})
	t.Run("queries", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for query, tc := range map[string][2]string{
			"?page=2":                              {"?page", "unknown_parameter"},
			"?LIMIT=2":                             {"?LIMIT", "unknown_parameter"},
			"?%00=2":                               {"??", "unknown_parameter"},
			"?limit=1&limit=2":                     {"?limit", "repeated_parameter"},
			"?limit=":                              {"?limit", "empty_parameter"},
			"?limit":                               {"?limit", "empty_parameter"},
			"?limit=x":                             {"?limit", "type"},
			"?limit=1.5":                           {"?limit", "type"},
			"?limit=0":                             {"?limit", "minimum"},
			"?limit=101":                           {"?limit", "maximum"},
			"?limit=99999999999999999999":          {"?limit", "type"},
			"?limit=-1":                            {"?limit", "minimum"},
			"?sort=color":                          {"?sort", "enum"},
			"?visibility=":                         {"?visibility", "empty_parameter"},
			"?q=":                                  {"?q", "empty_parameter"},
			"?q=a%00b":                             {"?q", "nul_character"},
			"?q=%ff":                               {"?q", "invalid_utf8"},
			"?q=a%0ab":                             {"?q", "pattern"},
			"?q=" + strings.Repeat("x", 101):       {"?q", "max_length"},
			"?cursor=!":                            {"?cursor", "pattern"},
			"?cursor=abc":                          {"?cursor", "invalid_cursor"},
			"?cursor=bnVsbA":                       {"?cursor", "invalid_cursor"},
			"?cursor=" + strings.Repeat("x", 1001): {"?cursor", "max_length"},
			"?%zz":                                 {"", "malformed_query"},
			"?a;b":                                 {"", "malformed_query"},
		} {
			c.get("/api/v1/images"+query).fault(tc[0], tc[1])
		}
		// A cursor is for the list and the order that it came from.
		two := in.person(t)
		two.stored(pngOf("c1", 9, 9), "?visibility=public")
		two.stored(pngOf("c2", 9, 9), "?visibility=public")
		next := two.get("/api/v1/images?limit=1").page().NextCursor.MustGet()
		for _, list := range []string{
			"/api/v1/images?order=asc&", "/api/v1/images?sort=name&", "/api/v1/feed?", "/api/v1/sessions?", "/api/v1/api-keys?",
			"/api/v1/accounts/" + two.name + "/images?",
		} {
			two.get(list+"cursor="+next).fault("?cursor", "invalid_cursor")
		}
		for query, tc := range map[string][2]string{
			"?keep_metadata=1": {"?keep_metadata", "type"}, "?keep_metadata=TRUE": {"?keep_metadata", "type"}, "?format=xml": {"?format", "enum"},
			"?title=a%00": {"?title", "nul_character"}, "?title=%ff": {"?title", "invalid_utf8"}, "?filename=a%2fb": {"?filename", "pattern"},
			"?title=" + strings.Repeat("x", 201): {"?title", "max_length"},
		} {
			c.upload(pngOf("query", 9, 9), query).fault(tc[0], tc[1])
		}
		c.do("DELETE", "/api/v1/account", nil).fault("?confirm", "required")
	})
	t.Run("headers", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		c.get("/api/v1/account", "If-None-Match: ").fault("-If-None-Match", "min_length")
		c.get("/api/v1/account", "If-None-Match: \xff").fault("-If-None-Match", "pattern")
		c.get("/api/v1/account", "If-None-Match: "+strings.Repeat("x", 501)).fault("-If-None-Match", "max_length")
		for condition, code := range map[string]string{"": "min_length", "\xff": "pattern", strings.Repeat("x", 501): "max_length"} {
			c.get(img.URL).want(200) // how it was answered is remembered, and that must not make a difference
			c.get(img.URL, "If-None-Match: "+condition).fault("-If-None-Match", code)
		}
		c.upload(pngOf("header", 9, 9), "", "Idempotency-Key: short").fault("-Idempotency-Key", "min_length")
		c.upload(pngOf("header", 9, 9), "", "Idempotency-Key: twotwotwo", "Idempotency-Key: twotwotwo").fault("-Idempotency-Key", "pattern")
	})
	t.Run("paths", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, path := range []string{
			"/api/v1/images/x", "/api/v1/images/AAAAAAAAAAAAA", "/api/v1/images/" + img.ID + "x", "/api/v1/images/" + img.ID + "/", "/api/v1/images/",
			"/api/v1/images/%00", "/api/v1/images/%ff%fe", "/api/v1/images/..%2f..%2fetc", "/api/v1/images/" + strings.Repeat("a", 5000),
			"/api/v1/accounts/Anna/images", "/api/v1/accounts/%00/images", "/api/v1/accounts//images", "/api/v1/accounts/nobody-here/images",
			"/i/" + img.ID + ".", "/i/" + img.ID + "x", "/i/" + img.ID + ".svg", "/i/" + img.ID + ".PNG", "/i/x.png", "/i/" + img.ID + ".png/x", "/i/", "/i/../../etc/passwd",
			"/api", "/api/", "/api/v1", "/api/v2/images", "/api/v1/nothing", "/nothing", "/index.html/x", "//", "/docs/nothing.js", "/docs/..%2fstatic.go",
			"/static.go", "/images/aaaaaaaaaaaaa", "/api/v1/images/aaaaaaaaaaaaa", "/i/aaaaaaaaaaaaa.png", "/healthz/", "/openapi.yml",
		} {
			c.do("GET", path, nil).problem(404, "")
		}
		for _, path := range []string{"/api/v1/images/x", "/api/v1/sessions/x", "/api/v1/api-keys/x", "/api/v1/sessions/aaaaaaaaaaaaa", "/api/v1/api-keys/aaaaaaaaaaaaa"} {
			c.do("DELETE", path, nil).problem(404, "")
		}
		c.do("POST", "/api/v1/nothing", `{}`).problem(404, "not_found")
		c.do("DELETE", "/nothing", nil).problem(404, "not_found")
	})
	t.Run("methods", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, tc := range [][3]string{
			{"PUT", "/api/v1/images", "GET, HEAD, POST"},
			{"POST", "/api/v1/feed", "GET, HEAD"},
			{"GET", "/api/v1/images/bulk", "POST"},
			{"POST", img.URL, "GET, HEAD"},
			{"HEAD", "/api/v1/accounts", "POST"},
			{"OPTIONS", "/api/v1/account", "GET, HEAD, PATCH, DELETE"},
			{"GET", "/api/v1/sessions/current", "DELETE"},
			{"TRACE", "/healthz", "GET, HEAD"},
			{"PROPFIND", "/api/v1/images/" + img.ID, "GET, HEAD, PATCH, DELETE"},
			{"POST", "/", "GET, HEAD"},
			{"DELETE", "/index.html", "GET, HEAD"},
			{"PUT", "/docs/docs.js", "GET, HEAD"},
			{"POST", "/p/x", "GET, HEAD"},
			{"POST", "/docs", "GET, HEAD"},
			{"BREW", "/", "GET, HEAD"}, // which nobody has heard of
			{"BREW", "/docs/docs.js", "GET, HEAD"},
		} {
			r := c.do(tc[0], tc[1], nil)
			if r.want(405); r.Header.Get("Allow") != tc[2] {
				t.Errorf("%s %s: Allow is %q, want %q", tc[0], tc[1], r.Header.Get("Allow"), tc[2])
			}
			if tc[0] != "HEAD" {
				r.problem(405, "method_not_allowed")
			}
		}
	})
	t.Run("HEAD", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, path := range []string{
			"/api/v1/account", "/api/v1/account/usage", "/api/v1/accounts/" + anna.name + "/images", "/api/v1/sessions", "/api/v1/api-keys",
			"/api/v1/images", "/api/v1/images/" + img.ID, "/api/v1/feed", img.URL, img.URL + "?w=64", "/healthz", "/readyz", "/openapi.yaml", "/openapi.json",
			"/docs", "/docs/docs.js", "/docs/swagger-ui.css", "/", "/p/" + img.ID, "/favicon.svg", "/js/app.js",
			"/api/v1/images/aaaaaaaaaaaaa", "/nothing", "/api/v1/images?x=y",
		} {
			get, head := c.get(path), c.do("HEAD", path, nil)
			if head.StatusCode != get.StatusCode || len(head.body) != 0 {
				t.Errorf("%s: HEAD says %d and %d bytes, GET %d", path, head.StatusCode, len(head.body), get.StatusCode)
			}
			for _, header := range []http.Header{get.Header, head.Header} {
				header.Del("Date")
				header.Del("X-Request-Id")
			}
			for name := range get.Header {
				if path != "/api/v1/sessions" && !slices.Equal(get.Header[name], head.Header[name]) && name != "Content-Length" {
					t.Errorf("%s: HEAD has %s %q, GET %q", path, name, head.Header[name], get.Header[name])
				}
			}
		}
	})
	t.Run("the address behind a gateway", func(t *testing.T) {
		t.Parallel()
		c := in.registered(t)
		var list struct{ Items []struct{ Address string } }
		c.get("/api/v1/sessions").want(200).into(&list)
		if list.Items[0].Address != c.address {
			t.Errorf("address %q, want %q", list.Items[0].Address, c.address)
		}
	})
}

func manyIDs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`,"aaaaaaaaaaa` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `"`)
	}
	return b.String()
}

// What stands in an address is data, however it is written.
func TestEscapedAddresses(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	img := c.stored(pngOf("escaped", 9, 9), "")
	// The same id in another spelling is the same picture, and passes the same checks on its way.
	escaped := "/api/v1/images/%" + strings.ToUpper(hex(img.ID[0])) + img.ID[1:]
	if r := c.get(escaped); r.StatusCode != http.StatusOK && r.StatusCode != http.StatusNotFound {
		t.Errorf("%s: %d %s", escaped, r.StatusCode, r.body)
	}
	in.stranger(t).do("DELETE", escaped, nil).want(401)
	for _, path := range []string{"/api/v1/account%2fusage", "/api%2fv1/account", "/api/v1/./account", "/api/v1/images/../account", "/API/V1/ACCOUNT"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, publicURL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL = &url.URL{Scheme: "http", Host: "pictures.test", Opaque: "//pictures.test" + path}
		if r := in.stranger(t).send(req); r.StatusCode != http.StatusUnauthorized && r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.body)
		}
	}
}

func hex(b byte) string { return string("0123456789abcdef"[b>>4]) + string("0123456789abcdef"[b&15]) }
