package contracttest_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/internal/httpapi/contracttest"
)

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
	usagePath   = "/api/v1/account/usage"
	usage       = `{"bytes":1,"images":1,"quota_bytes":null}`
	session     = "kadr_session=q5xw7mzt3ak2c7rv5nbe6yuf4d; Path=/; HttpOnly"
	image       = `{"id":"w7c2xq5kt3mza","url":"http://x/i/w7c2xq5kt3mza.jpg","page_url":"http://x/p/w7c2xq5kt3mza",` +
		`"thumbnail_url":"http://x/i/w7c2xq5kt3mza.webp","width":1,"height":1,"size":1,"media_type":"image/jpeg","filename":"a.jpg",` +
		`"title":"","description":"","visibility":"public","placeholder":"1QcS","account_name":"anna",` +
		`"created_at":"2026-11-23T10:00:00Z","updated_at":"2026-11-23T10:00:00Z"%s}`
)

// problem is one that the status has.
func problem(status int, id string) string {
	code := "none"
	all, err := api.Problems()
	if i := slices.IndexFunc(all, func(p api.Problem) bool { return p.Status == status }); err == nil && i >= 0 {
		code = all[i].Code
	}
	return fmt.Sprintf(`{"type":"/problems/%s","title":"X","status":%d,"detail":"X.","request_id":%q}`, code, status, id)
}

// faulty is a problem with a fault.
func faulty(code string) string {
	return strings.TrimSuffix(problem(400, "abc"), "}") + fmt.Sprintf(`,"errors":[{"in":"query","code":%q,"detail":"X."}]}`, code)
}

// exchange is a request and the reply that it gets. Headers are "Name: value", and "-Name" for none.
type exchange struct {
	method, path string // GET, and usagePath with a key, where they are empty
	request      string // its body
	status       int
	mediaType    string
	body         string
	headers      []string // of the reply
	asked        []string // of the request
	want         string   // in the report; empty: nothing is wrong
}

// handler answers as it is told, with the headers that every reply has.
func (x exchange) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		h := w.Header()
		if x.mediaType != "" {
			h.Set("Content-Type", x.mediaType)
		}
		if x.path == "" && x.status == http.StatusOK {
			h.Set("ETag", `"x"`)
		}
		h.Set("X-Request-Id", "abc")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		for _, line := range x.headers {
			if name, value, more := strings.Cut(line, ": "); more {
				h.Add(name, value)
			} else {
				delete(h, strings.TrimPrefix(name, "-"))
			}
		}
		w.WriteHeader(x.status)
		_, _ = io.WriteString(w, x.body)
	})
}

// check sends the exchange's request to a handler through a transport, and returns what is reported.
func (x exchange) check(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	checker, err := contracttest.New()
	if err != nil {
		t.Fatal(err)
	}
	var reports []string
	client := &http.Client{Transport: contracttest.Transport{
		Base: http.DefaultTransport, Checker: checker, Report: func(err error) { reports = append(reports, err.Error()) },
	}}
	method, path, asked := x.method, x.path, x.asked
	if path == "" {
		method, path, asked = "GET", usagePath, append([]string{"Authorization: Bearer x"}, asked...)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(x.request))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range asked {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	reply, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if b, err := io.ReadAll(reply.Body); err != nil || string(b) != x.body && method != "HEAD" {
		t.Errorf("the body was spoiled: %q, %v", b, err)
	}
	return strings.Join(reports, "\n")
}

// An exchange that strays from the contract is caught, whichever way it strays.
func TestStrayingExchangesAreCaught(t *testing.T) {
	t.Parallel()
	key, bearer := "Authorization: Bearer x", func(more ...string) []string { return append([]string{"Authorization: Bearer x"}, more...) }
	signIn := func(body, want string, headers ...string) exchange {
		return exchange{"POST", "/api/v1/sessions", `{"name":"anna","password":"x"}`, 201, jsonType, body, headers, []string{"Content-Type: " + jsonType}, want}
	}
	const signedIn = `{"id":"w7c2xq5kt3mza","current":true,"user_agent":"","address":"::1","created_at":"2026-11-23T10:00:00Z",` +
		`"last_used_at":"2026-11-23T10:00:00Z","expires_at":"2026-11-23T10:00:00Z"}`
	page := func(more, want string, headers ...string) exchange {
		body := fmt.Sprintf(`{"items":[`+image+`],"next_cursor":null}`, more)
		return exchange{method: "GET", path: "/api/v1/feed", status: 200, mediaType: jsonType, body: body, headers: headers, want: want}
	}
	bulk := func(request, mediaType, want string) exchange {
		return exchange{"POST", "/api/v1/images/bulk", request, 200, jsonType, `{"items":[]}`, nil, bearer("Content-Type: " + mediaType), want}
	}
	for name, tc := range map[string]exchange{
		"as declared":       {status: 200, mediaType: jsonType, body: usage},
		"undeclared status": {status: 418, mediaType: jsonType, body: usage, want: "418"},
		"status of others":  {status: 412, mediaType: problemType, body: `{}`, want: "412"},

		"undeclared member":              {status: 200, mediaType: jsonType, body: `{"bytes":1,"images":1,"quota_bytes":null,"secret":1}`, want: "/secret"},
		"undeclared member of an item":   page(`,"secret":1`, "/items/0/secret"),
		"undeclared member deeper":       page(`,"variants":[{"width":1,"height":1,"media_type":"image/png","url":"http://x/","secret":1}]`, "/items/0/variants/0/secret"),
		"undeclared member of a problem": {status: 401, mediaType: problemType, body: strings.Replace(problem(401, "abc"), `{`, `{"secret":1,`, 1), headers: []string{"WWW-Authenticate: Bearer"}, want: "/secret"},
		"missing member":                 {status: 200, mediaType: jsonType, body: `{"bytes":1,"images":1}`, want: "quota_bytes"},
		"wrong type":                     {status: 200, mediaType: jsonType, body: `{"bytes":"1","images":1,"quota_bytes":null}`, want: "bytes"},
		"out of range":                   {status: 200, mediaType: jsonType, body: `{"bytes":-1,"images":1,"quota_bytes":null}`, want: "bytes"},
		"half a body":                    {status: 200, mediaType: jsonType, body: `{"bytes":`, want: "no JSON"},
		"text behind it":                 {status: 200, mediaType: jsonType, body: usage + "x", want: "no JSON"},
		"another type":                   {status: 200, mediaType: "text/html", body: `<p>hello</p>`, want: "text/html"},
		"empty":                          {status: 200, mediaType: jsonType, want: "empty"},
		"a body where there is none":     {method: "DELETE", path: "/api/v1/images/w7c2xq5kt3mza", status: 410, mediaType: "text/plain", body: "x", asked: bearer(), want: "text/plain"},
		"nothing where there is no body": {method: "DELETE", path: "/api/v1/images/w7c2xq5kt3mza", status: 204, asked: bearer()},
		"HEAD":                           {method: "HEAD", path: "/api/v1/feed", status: 200, mediaType: jsonType},
		"problem":                        {status: 401, mediaType: problemType, body: problem(401, "abc"), headers: []string{"WWW-Authenticate: Bearer"}},
		"problem of another status":      {status: 401, mediaType: problemType, body: problem(403, "abc"), want: "403"},
		"problem of another request":     {status: 401, mediaType: problemType, body: problem(401, "def"), want: "def"},
		"problem with a fault":           {status: 400, mediaType: problemType, body: faulty("maximum")},
		"a fault without a page":         {status: 400, mediaType: problemType, body: faulty("x"), want: `"x"`},
		"a problem without a page":       {status: 400, mediaType: problemType, body: strings.Replace(problem(400, "abc"), "invalid_request", "x", 1), want: "/problems/x"},
		"a problem of a page without":    {method: "GET", path: "/settings", status: 404, mediaType: problemType, body: strings.Replace(problem(404, "abc"), `/problems/`, "/problems/x", 1), want: "/problems/x"},
		"bare error":                     {status: 401, mediaType: jsonType, body: `{"error":"no"}`, want: jsonType},
		"unknown method":                 {method: "PUT", path: "/api/v1/feed", status: 405, mediaType: problemType, body: problem(405, "abc"), headers: []string{"Allow: GET"}},
		"unknown method, taken":          {method: "PUT", path: "/api/v1/feed", status: 200, mediaType: jsonType, body: usage, want: "200"},
		"unknown method, without Allow":  {method: "PUT", path: "/api/v1/feed", status: 405, mediaType: problemType, body: problem(405, "abc"), want: "Allow"},
		"unknown method, a stray header": {method: "PUT", path: "/api/v1/feed", status: 405, mediaType: problemType, body: problem(405, "abc"), headers: []string{"Allow: GET", "X-Stray: 1"}, want: "X-Stray"},
		"a page":                         {method: "GET", path: "/settings", status: 418, mediaType: "text/html", body: "<p>", headers: []string{"X-Stray: 1"}},
		"a preflight":                    {method: "OPTIONS", path: "/api/v1/feed", status: 204, headers: []string{"Access-Control-Allow-Origin: http://x"}},
		"the gateway's fault":            {status: 504, mediaType: problemType, body: problem(504, "abc"), headers: []string{"Server: nginx"}},
		"the gateway's where the server's is no problem": {method: "GET", path: "/readyz", status: 503, mediaType: problemType, body: problem(503, "abc"), headers: []string{"Server: nginx", "Retry-After: 1"}},
		"the gateway's with something else":              {method: "GET", path: "/readyz", status: 503, mediaType: "text/plain", body: "x", headers: []string{"Server: nginx"}, want: "text/plain"},
		"an error as a page":                             {method: "GET", path: "/docs", status: 503, mediaType: "text/html", body: "<p>", headers: []string{"Server: nginx"}, asked: []string{"Accept: text/html"}},
		"an error as a page that nobody asked for":       {method: "GET", path: "/docs", status: 500, mediaType: "text/html", body: "<p>", want: "text/html"},
		"an error as a page in the API":                  {status: 401, mediaType: "text/html", body: "<p>", asked: []string{"Accept: text/html"}, want: "text/html"},
		"the gateway's fault, by somebody":               {status: 504, mediaType: problemType, body: problem(504, "abc"), want: "504"},

		"undeclared header":                    {status: 200, mediaType: jsonType, body: usage, headers: []string{"X-Stray: 1"}, want: "X-Stray"},
		"undeclared header beside declared":    signIn(signedIn, "X-Stray", "Set-Cookie: "+session, "Location: /x", "X-Stray: 1"),
		"header of another status":             {status: 200, mediaType: jsonType, body: usage, headers: []string{"Location: /x"}, want: "Location"},
		"no request's id":                      {status: 200, mediaType: jsonType, body: usage, headers: []string{"-X-Request-Id"}, want: "X-Request-Id is missing"},
		"no nosniff":                           {status: 200, mediaType: jsonType, body: usage, headers: []string{"-X-Content-Type-Options"}, want: "X-Content-Type-Options is missing"},
		"no policy":                            {status: 200, mediaType: jsonType, body: usage, headers: []string{"-Content-Security-Policy"}, want: "Content-Security-Policy is missing"},
		"required header missing":              {status: 401, mediaType: problemType, body: problem(401, "abc"), want: "Www-Authenticate is missing"},
		"header's value":                       {status: 429, mediaType: problemType, body: problem(429, "abc"), headers: []string{"Retry-After: 0"}, want: "Retry-After"},
		"header's type":                        {status: 429, mediaType: problemType, body: problem(429, "abc"), headers: []string{"Retry-After: soon"}, want: "whole number"},
		"empty header":                         {status: 401, mediaType: problemType, body: problem(401, "abc"), headers: []string{"WWW-Authenticate: "}, want: "empty"},
		"header twice":                         {status: 200, mediaType: jsonType, body: usage, headers: []string{"Cache-Control: no-store", "Cache-Control: no-store"}, want: "2 times"},
		"kept where the contract does not say": {status: 200, mediaType: jsonType, body: usage, headers: []string{"Cache-Control: public"}, want: "Cache-Control"},
		"unknown Vary":                         {status: 200, mediaType: jsonType, body: usage, headers: []string{"Vary: User-Agent"}, want: "Vary"},
		"another server's name":                {status: 200, mediaType: jsonType, body: usage, headers: []string{"Server: echo"}, want: "Server"},
		"for every origin":                     {status: 200, mediaType: jsonType, body: usage, headers: []string{"Access-Control-Allow-Origin: *"}, want: "Access-Control-Allow-Origin"},
		"for an origin that did not ask":       {status: 200, mediaType: jsonType, body: usage, headers: []string{"Access-Control-Allow-Origin: http://x"}, want: "Access-Control-Allow-Origin"},
		"for the origin that asked":            {status: 200, mediaType: jsonType, body: usage, headers: []string{"Access-Control-Allow-Origin: http://x"}, asked: []string{"Origin: http://x"}},

		"cookie":               signIn(signedIn, "", "Set-Cookie: "+session, "Location: /x"),
		"no cookie":            signIn(signedIn, "Set-Cookie is missing", "Location: /x"),
		"another cookie":       signIn(signedIn, "Set-Cookie", "Set-Cookie: tracker=1; Path=/", "Location: /x"),
		"a cookie beside":      signIn(signedIn, "tracker", "Set-Cookie: "+session, "Set-Cookie: tracker=1; Path=/", "Location: /x"),
		"a cookie out of turn": page("", "Set-Cookie", "Set-Cookie: "+session),

		"unknown parameter":            {method: "GET", path: usagePath + "?stray=1", status: 200, mediaType: jsonType, body: usage, asked: bearer(), want: `"stray"`},
		"unknown parameter, refused":   {method: "GET", path: usagePath + "?stray=1", status: 400, mediaType: problemType, body: problem(400, "abc")},
		"parameter twice":              {method: "GET", path: "/api/v1/feed?limit=1&limit=1", status: 200, mediaType: jsonType, body: `{"items":[],"next_cursor":null}`, want: "more than once"},
		"parameter's value":            {method: "GET", path: "/api/v1/feed?limit=101", status: 200, mediaType: jsonType, body: `{"items":[],"next_cursor":null}`, want: "limit"},
		"request as declared":          bulk(`{"action":"delete","ids":["w7c2xq5kt3mza"]}`, jsonType, ""),
		"request's undeclared member":  bulk(`{"action":"delete","ids":["w7c2xq5kt3mza"],"stray":1}`, jsonType, "/stray"),
		"request's missing member":     bulk(`{"action":"delete"}`, jsonType, "ids"),
		"request's undeclared type":    bulk(`{"action":"delete","ids":["w7c2xq5kt3mza"]}`, "text/plain", "text/plain"),
		"request's other JSON":         bulk(`{"action":"delete","ids":["w7c2xq5kt3mza"]}`, "application/merge-patch+json", "merge-patch"),
		"request that is no JSON":      bulk(`{`, jsonType, "request"),
		"body of one without":          {"GET", usagePath, "x", 200, jsonType, usage, nil, bearer("Content-Type: text/plain"), "body"},
		"nobody":                       {method: "GET", path: usagePath, status: 200, mediaType: jsonType, body: usage, want: "ecurity"},
		"a key where none is taken":    {method: "GET", path: "/api/v1/sessions", status: 200, mediaType: jsonType, body: `{"items":[],"next_cursor":null}`, asked: []string{key}, want: "ecurity"},
		"a session where one is taken": {method: "GET", path: "/api/v1/sessions", status: 200, mediaType: jsonType, body: `{"items":[],"next_cursor":null}`, asked: []string{"Cookie: kadr_session=x"}},
		"a session under https":        {method: "GET", path: "/api/v1/sessions", status: 200, mediaType: jsonType, body: `{"items":[],"next_cursor":null}`, asked: []string{"Cookie: __Host-kadr_session=x"}},
		"raw upload":                   {"POST", "/api/v1/images", "x", 201, "text/plain", "http://x/", []string{"Location: /x", `ETag: "x"`}, bearer("Content-Type: image/png"), ""},
		"raw upload of another type":   {"POST", "/api/v1/images", "x", 201, "text/plain", "http://x/", []string{"Location: /x", `ETag: "x"`}, bearer("Content-Type: image/bmp"), "image/bmp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tc.check(t, tc.handler()); (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("reported %q, want %q in it", got, tc.want)
			}
		})
	}
}

// What is composed of several schemas is closed too, though the contract has none of that yet.
func TestComposedSchemasAreClosed(t *testing.T) {
	t.Parallel()
	const contract = `{"openapi":"3.0.3","info":{"title":"x","version":"1"},"paths":{"/x":{"get":{"responses":{"200":{"description":"x",
		"content":{"application/json":{"schema":{"type":"object","properties":{
			"both":{"allOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]},
			"one":{"oneOf":[{"type":"object","required":["a"],"properties":{"a":{}}},{"type":"object","required":["b"],"properties":{"b":{}}}]},
			"any":{"type":"object","additionalProperties":true},
			"each":{"type":"object","additionalProperties":{"type":"object","properties":{"a":{}}}},
			"inline":{"type":"array","items":{"type":"object","properties":{"a":{"type":"object"}}}}}}}}}}}}}}`
	checker, err := contracttest.NewOf([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{"both":{"a":1,"b":1}}`:        "",
		`{"both":{"a":1,"c":1}}`:        "/both/c",
		`{"one":{"a":1}}`:               "",
		`{"one":{"a":1,"c":1}}`:         "/one/c",
		`{"one":{"b":1,"x":1}}`:         "/one/x",
		`{"any":{"x":{"y":1}}}`:         "",
		`{"each":{"x":{"a":1}}}`:        "",
		`{"each":{"x":{"b":1}}}`:        "/each/x/b",
		`{"inline":[{},{"a":{}}]}`:      "",
		`{"inline":[{},{"b":1}]}`:       "/inline/1/b",
		`{"inline":[{"a":{"deep":1}}]}`: "/inline/0/a/deep",
	} {
		reply := httptest.NewRecorder()
		exchange{status: 200, mediaType: jsonType, body: body}.handler().ServeHTTP(reply, httptest.NewRequest(http.MethodGet, "/x", nil))
		result := reply.Result()
		for _, name := range []string{"X-Request-Id", "ETag"} {
			result.Header.Del(name) // which this contract does not have
		}
		result.Header.Set("Date", "Mon, 23 Nov 2026 10:00:00 GMT")
		err := checker.Check(httptest.NewRequest(http.MethodGet, "/x", nil), nil, result)
		if got := fmt.Sprint(err); (want == "") != (err == nil) || want != "" && !strings.Contains(got, "the member "+want+"\n") {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

// What passes by a Front is as it was, and is checked.
func TestFront(t *testing.T) {
	t.Parallel()
	var seen http.Header
	stray := exchange{status: 200, mediaType: jsonType, body: usage, headers: []string{"X-Stray: 1"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if body, err := io.ReadAll(req.Body); err != nil || string(body) != "{}" || req.Host == "" {
			t.Errorf("%s came with %q, %v", req.Host, body, err)
		}
		seen = req.Header.Clone()
		stray.handler().ServeHTTP(w, req)
	}))
	defer server.Close()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	watch := &watched{TB: t}
	contracttest.Front(watch, address, server.Listener.Addr().String())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+usagePath, io.MultiReader(strings.NewReader("{}")))
	if err != nil {
		t.Fatal(err)
	}
	req.Method = http.MethodGet
	req.Header.Set("Content-Type", jsonType)
	req.Header.Set("X-Forwarded-For", "10.0.0.1")
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || !bytes.Equal(body, []byte(usage)) || reply.Header.Get("X-Stray") != "1" {
		t.Errorf("%v %s %v", reply.Header, body, err)
	}
	if seen.Get("X-Forwarded-For") != "10.0.0.1" {
		t.Errorf("the server sees %v", seen)
	}
	if said := strings.Join(watch.said, "\n"); !strings.Contains(said, "X-Stray") || !strings.Contains(said, "ecurity") {
		t.Errorf("reported: %q", watch.said)
	}
}

// watched is a test that hears of failures instead of failing.
type watched struct {
	testing.TB
	said []string
}

func (w *watched) Error(args ...any) { w.said = append(w.said, fmt.Sprint(args...)) }

// BenchmarkCheck measures what the check adds to an exchange: a page without pictures, and one of 25.
func BenchmarkCheck(b *testing.B) {
	checker, err := contracttest.New()
	if err != nil {
		b.Fatal(err)
	}
	for name, n := range map[string]int{"empty": 0, "25 pictures": 25} {
		body := `{"items":[` + strings.TrimSuffix(strings.Repeat(fmt.Sprintf(image, "")+",", n), ",") + `],"next_cursor":null}`
		b.Run(name, func(b *testing.B) {
			req := httptest.NewRequest(http.MethodGet, "/api/v1/feed", nil)
			for b.Loop() {
				reply := httptest.NewRecorder()
				exchange{status: 200, mediaType: jsonType, body: body}.handler().ServeHTTP(reply, req)
				result := reply.Result()
				result.Header.Set("Date", "Mon, 23 Nov 2026 10:00:00 GMT")
				if err := checker.Check(req, nil, result); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
