package httpapi_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	kadr "github.com/kadr-app/kadr/api"
	api "github.com/kadr-app/kadr/gen/client"
)

// texts returns what the elements of a page say, by their names, and where its links lead.
func texts(t *testing.T, page []byte) (said map[string][]string, links []string) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	said = map[string][]string{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		text := ""
		for d := range n.Descendants() {
			if d.Type == html.TextNode {
				text += d.Data
			}
		}
		said[n.Data] = append(said[n.Data], strings.Join(strings.Fields(text), " "))
		for _, a := range n.Attr {
			if a.Key == "href" && n.Data == "a" {
				links = append(links, a.Val)
			}
		}
	}
	return said, links
}

// TestProblemPages opens every one: it says what happened and what to do, without a script, and shows a document as the server
// writes it.
func TestProblemPages(t *testing.T) {
	t.Parallel()
	c := newInstance(t).stranger(t)
	problems, err := kadr.Problems()
	if err != nil {
		t.Fatal(err)
	}
	index := c.get("/problems")
	if d := index.document(200); d.title != "Problems · Kadr" || d.canonical() != publicURL+"/problems" || len(d.scripts) != 0 {
		t.Errorf("the index: %+v", d)
	}
	_, listed := texts(t, index.body)
	for _, p := range problems {
		path := "/problems/" + p.Code
		if !slices.Contains(listed, path) {
			t.Errorf("the index does not lead to %s", path)
		}
		page := c.get(path)
		d := page.document(200)
		said, links := texts(t, page.body)
		if d.title != p.Title+" · Kadr" || d.canonical() != publicURL+path || len(d.scripts) != 0 || d.meta("robots") != "" || !slices.Contains(links, "/problems") {
			t.Errorf("%s: %+v %v", path, d, links)
		}
		plain := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "`", "") }
		if !slices.Contains(said["p"], plain(p.What)) || !slices.Contains(said["p"], plain(p.Todo)) || !slices.Contains(said["h1"], p.Title) {
			t.Errorf("%s says %q", path, said["p"])
		}
		var example api.Problem
		decoder := json.NewDecoder(strings.NewReader(said["pre"][0]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&example); err != nil {
			t.Errorf("%s: the example is no problem: %v", path, err)
		}
		inErrors := example.Errors != nil && (*example.Errors)[0].Code == p.Code && (*example.Errors)[0].Detail == p.Detail
		if int(example.Status) != p.Status || p.Fault && (!inErrors || example.Type != "/problems/invalid_request") ||
			!p.Fault && (example.Type != path || example.Detail != p.Detail) {
			t.Errorf("%s: the example is %s", path, said["pre"][0])
		}
	}
}

func TestProblemPageIsAPage(t *testing.T) {
	t.Parallel()
	c := newInstance(t).stranger(t)
	for _, path := range []string{"/problems", "/problems/image_not_found", "/problems/enum"} {
		r := c.get(path)
		tag := r.Header.Get("ETag")
		if same := c.get(path, "If-None-Match: "+tag).want(304); tag == "" || same.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s unchanged: %v", path, same.Header)
		}
		if packed := c.get(path, "Accept-Encoding: gzip").want(200); packed.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %v", path, packed.Header)
		}
		if head := c.do("HEAD", path, nil).want(200); len(head.body) != 0 || head.Header.Get("ETag") != tag {
			t.Errorf("%s by HEAD: %v", path, head.Header)
		}
		if no := c.do("POST", path, nil); no.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s by POST: %v", path, no.Header)
		} else {
			no.problem(405, "method_not_allowed")
		}
	}
	// What there is not is a page too, whoever asks, and says nothing of what was asked for.
	for _, path := range []string{"/problems/none", "/problems/IMAGE_NOT_FOUND", "/problems/%3Cb%3E", "/problems/image_not_found.json"} {
		for _, accept := range []string{"*/*", "application/json", "text/html"} {
			r := c.get(path, "Accept: "+accept)
			d := r.document(404)
			_, links := texts(t, r.body)
			if d.title != "There is no such problem · Kadr" || d.meta("robots") != "noindex" || r.Header.Get("ETag") != "" || r.Header.Get("Cache-Control") != "no-store" ||
				!slices.Contains(links, "/problems") || bytes.Contains(r.body, []byte("<b>")) {
				t.Errorf("%s: %+v %v", path, d, r.Header)
			}
		}
	}
}

// TestContractKnowsItsProblems looks at the examples of the contract, which name types too.
func TestContractKnowsItsProblems(t *testing.T) {
	t.Parallel()
	problems, err := kadr.Problems()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`/problems/([a-z_]+)`).FindAllStringSubmatch(string(kadr.OpenAPI), -1)
	if len(named) < 10 {
		t.Fatalf("the contract names %d types", len(named))
	}
	for _, m := range named {
		if !slices.ContainsFunc(problems, func(p kadr.Problem) bool { return p.Code == m[1] && !p.Fault }) {
			t.Errorf("the contract has an example of the type %s", m[0])
		}
	}
}

// TestTypeLeadsToItsPage takes a problem as a program gets it, and opens its type as a reference relative to the request.
func TestTypeLeadsToItsPage(t *testing.T) {
	t.Parallel()
	c := newInstance(t).stranger(t)
	r := c.get("/api/v1/feed?limit=1000")
	p := r.problem(400, "invalid_request")
	for _, reference := range []string{p.Type, "/problems/" + (*p.Errors)[0].Code} {
		address, err := r.Request.URL.Parse(reference)
		if err != nil {
			t.Fatal(err)
		}
		if said, _ := texts(t, c.get(address.String()).want(200).body); len(said["h2"]) != 3 {
			t.Errorf("%s says %q", address, said)
		}
	}
}
