package httpapi_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// exchange is a request that is made of the contract's examples, and the reply that the contract's example shows.
type exchange struct {
	op     string
	status int

	given    func(*world) // what is there beside Anna
	settings []string
	as       string   // "": Anna's session, where the operation takes one; "key": her key; "nobody"
	media    string   // of the reply; may be left out where it has one
	example  string   // its name, where the reply has several
	omit     []string // parameters that are not sent; of a problem's optional ones only those in set are
	set      []string // "name=value" of those that are not sent as in their example, "?name=value" of one that there is not
	etag     bool     // sends the ETag that GET answers with
	second   bool     // it is the second page, and the first one's cursor is the example
	mediaIn  string   // of the body, where the operation takes several
	body     any      // other than the example: bytes, or whatever becomes JSON
	stall    bool     // the body never comes
	sent     bool     // only that the request's examples are taken; the reply's is not looked at
	method   string   // other than the operation's
}

func (e exchange) String() string {
	return strings.TrimSuffix(strings.Join([]string{e.op, fmt.Sprint(e.status), e.media, e.mediaIn, e.example}, " "), " ")
}

// examples is what the contract has, and which of it the exchanges have shown to be true.
type examples struct {
	operations map[string]operation
	mu         sync.Mutex
	shown      map[string]bool
}

func (ex *examples) show(what ...string) {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	for _, w := range what {
		ex.shown[w] = true
	}
}

// place names a part of the contract that may be shared: by its $ref, or else by the operation that it belongs to.
func place(ref string, own ...any) string {
	if ref != "" {
		return strings.TrimPrefix(ref, "#/components/")
	}
	return strings.TrimSpace(fmt.Sprintln(own...))
}

func headerPlace(e exchange, name string, h *openapi3.HeaderRef) string {
	return place(h.Ref, e.op, e.status, "header", name)
}

// bodyPlace names one example of a reply's body.
func bodyPlace(op string, status int, r *openapi3.ResponseRef, mediaType, example string) string {
	return place(r.Ref, op, status) + " " + mediaType + " " + example
}

// response returns what the contract says of a status; the default where it is not listed.
func response(op operation, status int) *openapi3.ResponseRef {
	if r := op.Responses.Status(status); r != nil {
		return r
	}
	return op.Responses.Default()
}

// TestExamples plays the exchanges of all the contract's examples: the request as the examples of its parameters and of its
// body show it, and the reply held against its example, field by field. What cannot be the same twice is compared as
// comparison says. An example that no exchange shows to be true fails.
func TestExamples(t *testing.T) {
	t.Parallel()
	ex := &examples{operations: map[string]operation{}, shown: map[string]bool{}}
	for _, op := range operations(t) {
		ex.operations[op.OperationID] = op
	}
	t.Cleanup(func() { ex.missing(t) }) // once all have been played
	for _, e := range slices.Concat(exampleReplies(), exampleProblems()) {
		if e.stall { // it takes half a minute, in which the others run
			t.Cleanup(ex.begin(t, e))
			continue
		}
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel()
			ex.begin(t, e)()
		})
	}
}

// missing reports the examples that nothing has shown, unless something failed: then it is that which is missing.
func (ex *examples) missing(t *testing.T) {
	if t.Failed() {
		return
	}
	missing := map[string]bool{}
	for _, op := range ex.operations {
		for _, want := range op.wanted() {
			if !ex.shown[want] {
				missing[want] = true
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("no exchange shows %s", what)
	}
}

// wanted names all examples that the contract needs, and every status below 400, for an operation.
func (o operation) wanted() []string {
	var all []string
	for _, p := range o.Parameters {
		all = append(all, o.OperationID+" parameter "+p.Value.Name)
	}
	if o.RequestBody != nil {
		for mediaType, media := range o.RequestBody.Value.Content {
			if !isBytes(media) {
				all = append(all, o.OperationID+" body "+mediaType)
			}
		}
	}
	for key, r := range o.Responses.Map() {
		status := 405 // the default's
		if key != "default" {
			_, _ = fmt.Sscan(key, &status)
		}
		if status < 400 {
			all = append(all, fmt.Sprint(o.OperationID, " ", status))
		}
		for name, h := range r.Value.Headers {
			all = append(all, headerPlace(exchange{op: o.OperationID, status: status}, name, h))
		}
		for mediaType, media := range r.Value.Content {
			if isBytes(media) && media.Example == nil {
				continue
			}
			for name := range examplesOf(media) {
				all = append(all, bodyPlace(o.OperationID, status, r, mediaType, name))
			}
		}
	}
	return all
}

// isBytes tells whether a body is a file, of which JSON and YAML have no example.
func isBytes(media *openapi3.MediaType) bool { return media.Schema.Value.Format == "binary" }

// examplesOf are a body's examples by their names; a single one has none. One is always wanted.
func examplesOf(media *openapi3.MediaType) map[string]any {
	if len(media.Examples) == 0 {
		return map[string]any{"": media.Example}
	}
	all := map[string]any{}
	for name, e := range media.Examples {
		all[name] = e.Value.Value
	}
	return all
}

// begin sends the request of an exchange, and returns what awaits the reply and holds it against the example.
func (ex *examples) begin(t *testing.T, e exchange) (finish func()) {
	t.Helper()
	op, ok := ex.operations[e.op]
	if !ok {
		t.Fatal("there is no such operation")
	}
	w := newWorld(t, e.settings...)
	if e.given != nil {
		e.given(w)
	}
	req, used := w.requestOf(op, e)
	if e.second {
		first := e
		first.omit, first.set = []string{"cursor"}, []string{"limit=1"}
		before, _ := w.requestOf(op, first)
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		if w.send(before).want(200).into(&page); page.NextCursor != req.URL.Query().Get("cursor") {
			t.Errorf("the example's cursor is not the page's before: %s", page.NextCursor)
		}
	}
	if e.etag {
		tag := w.do("GET", req.URL.RequestURI(), "", nil).want(200).Header.Get("ETag")
		if op.method == "GET" {
			req.Header.Set("If-None-Match", tag)
		} else { // it is made of what is not the same twice
			req.Header.Set("If-Match", tag)
			used = append(used, e.op+" parameter If-Match")
		}
	}
	replies := make(chan *reply, 1)
	send := func() {
		defer close(replies) // also where there is no reply
		replies <- w.send(req)
	}
	if e.stall {
		go send()
	} else {
		send()
	}
	return func() {
		t.Helper()
		if r := <-replies; r != nil {
			ex.hold(w, e, r, used)
		}
	}
}

// hold holds a reply against its example.
func (ex *examples) hold(w *world, e exchange, r *reply, used []string) {
	t := w.t
	t.Helper()
	r.want(e.status)
	op := ex.operations[e.op]
	declared := response(op, e.status)
	shown := append(used, fmt.Sprint(e.op, " ", e.status))

	c := w.comparison(e, r)
	for name, h := range declared.Value.Headers {
		// A header that several replies share has the example of one of them.
		if got := r.Header.Get(name); got != "" && c.sameHeader(name, h.Value.Example, got) {
			shown = append(shown, headerPlace(e, name, h))
		} else if got != "" && h.Ref == "" {
			t.Errorf("%s: %s, the example says %v", name, got, h.Value.Example)
		}
	}
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if e.media != "" && mediaType != e.media {
		t.Errorf("the reply is %s", mediaType)
	}
	if media := declared.Value.Content[mediaType]; media != nil && (!isBytes(media) || media.Example != nil) {
		example, ok := examplesOf(media)[e.example]
		if !ok {
			t.Fatalf("the reply has no example %q", e.example)
		}
		if !e.sent {
			c.body(example, r.body, mediaType)
		}
		shown = append(shown, bodyPlace(e.op, e.status, declared, mediaType, e.example))
	}
	if !t.Failed() {
		ex.show(shown...)
	}
}

// requestOf makes the request that the contract's examples make, and says which of them are in it. An example counts as
// shown where the request succeeded.
func (w *world) requestOf(op operation, e exchange) (req *http.Request, used []string) {
	w.t.Helper()
	path, query, header := op.path, url.Values{}, http.Header{}
	set := map[string]string{}
	for _, s := range e.set {
		name, value, _ := strings.Cut(s, "=")
		set[name] = value
	}
	for _, ref := range op.Parameters {
		p := ref.Value
		value, given := set[p.Name]
		delete(set, p.Name)
		if !given {
			if slices.Contains(e.omit, p.Name) || e.status >= 400 && !p.Required {
				continue
			}
			value = fmt.Sprint(p.Example)
			if n, ok := p.Example.(float64); ok {
				value = fmt.Sprintf("%.10g", n)
			}
			if e.status < 400 {
				used = append(used, op.OperationID+" parameter "+p.Name)
			}
		}
		switch p.In {
		case openapi3.ParameterInPath:
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case openapi3.ParameterInQuery:
			query.Set(p.Name, value)
		case openapi3.ParameterInHeader:
			header.Set(p.Name, value)
		}
	}
	for name, value := range set { // what the contract does not have
		if name, ok := strings.CutPrefix(name, "?"); ok {
			query.Set(name, value)
		} else {
			header.Set(name, value)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	body, mediaType := w.bodyOf(op, e)
	if e.status < 400 && e.body == nil && mediaType != "" {
		name, _, _ := strings.Cut(mediaType, ";")
		used = append(used, op.OperationID+" body "+name)
	}
	req = w.request(cmp.Or(e.method, op.method), path, mediaType, body)
	if e.stall {
		nothing, _ := io.Pipe()
		req = req.WithContext(context.WithoutCancel(req.Context())) // the test may be at its end before the reply comes
		req.Body, req.GetBody = nothing, nil
	}
	maps.Copy(req.Header, header)
	switch {
	case e.as == "" && op.Security != nil:
		signExample(req)
	case e.as == "key":
		req.Header.Set("Authorization", "Bearer kadr_"+exampleSecret)
	}
	return req, used
}

// bodyOf writes the body of the example, in which a file is the picture.
func (w *world) bodyOf(op operation, e exchange) (body []byte, mediaType string) {
	w.t.Helper()
	if op.RequestBody == nil {
		return nil, ""
	}
	mediaType = e.mediaIn
	if mediaType == "" {
		mediaType = op.mediaType()
	}
	media := op.RequestBody.Value.Content[mediaType]
	value := e.body
	if value == nil {
		value = media.Example
	}
	if b, ok := value.([]byte); ok {
		return b, mediaType
	}
	if isBytes(media) {
		return examplePicture(), mediaType
	}
	if mediaType == "multipart/form-data" {
		var fields []field
		for name, v := range value.(map[string]any) {
			if name == "file" {
				fields = append(fields, field{name, "sunset.jpg", string(examplePicture())})
			} else {
				fields = append(fields, field{name, "", fmt.Sprint(v)})
			}
		}
		body, header := form(w.t, fields...)
		return body, strings.TrimPrefix(header, "Content-Type: ")
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		w.t.Fatal(err)
	}
	return bytes.TrimSpace(encoded), mediaType
}
