package httpapi_test

import (
	"strings"
	"testing"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	img := c.stored(pngOf("conditions", 9, 9), "")
	path := "/api/v1/images/" + img.ID
	tag := func() string { return c.get(path).want(200).Header.Get("ETag") }
	first := tag()
	if !strings.HasPrefix(first, `"`+img.ID) {
		t.Errorf("ETag %s", first)
	}
	for _, h := range []string{first, "*", `"x", ` + first, "W/" + first, " " + first} {
		if r := c.get(path, "If-None-Match: "+h).want(304); r.Header.Get("ETag") != first || len(r.body) != 0 {
			t.Errorf("%s: %v %s", h, r.Header, r.body)
		}
	}
	c.get(path, "If-None-Match: \"x\"", "If-None-Match: "+first).want(304)
	c.get(path, `If-None-Match: "x"`).want(200)
	for _, h := range []string{"W/" + first, `"x"`, strings.Trim(first, `"`), `"x", "y"`} {
		c.do("PATCH", path, object{"title": "x"}, "If-Match: "+h).problem(412, "precondition_failed")
		c.do("DELETE", path, nil, "If-Match: "+h).problem(412, "precondition_failed")
	}
	r := c.do("PATCH", path, object{"title": "second"}, "If-Match: "+first).want(200)
	if r.image().Title != "second" || r.Header.Get("ETag") == first || r.Header.Get("ETag") != tag() {
		t.Errorf("%v %s", r.Header, r.body)
	}
	if !r.image().UpdatedAt.After(img.UpdatedAt) || !r.image().CreatedAt.Equal(img.CreatedAt) {
		t.Errorf("times %s", r.body)
	}
	c.do("PATCH", path, object{"title": "third"}, "If-Match: "+first).problem(412, "precondition_failed")
	c.do("PATCH", path, object{"title": "third"}, "If-Match: *").want(200)
	c.do("PATCH", path, object{"title": "fourth"}, `If-Match: "x"`, "If-Match: "+tag()).want(200)
	c.do("PATCH", path, object{"description": "two\nlines"}).want(200)
	c.get(path, "If-None-Match: "+first).want(200)
	c.do("DELETE", path, nil, "If-Match: "+first).problem(412, "precondition_failed")
	c.do("DELETE", path, nil, "If-Match: "+tag()).want(204)
}

// A merge patch is one by either name: generated clients of some languages call all that they send as JSON application/json.
func TestPatchMediaTypes(t *testing.T) {
	t.Parallel()
	c := newInstance(t).person(t)
	path := "/api/v1/images/" + c.stored(pngOf(t.Name(), 4, 4), "?title=first").ID
	for _, mediaType := range []string{"application/merge-patch+json", "application/json", "Application/JSON; charset=utf-8"} {
		header := "Content-Type: " + mediaType
		if img := c.do("PATCH", path, object{"description": mediaType}, header).want(200).image(); img.Description != mediaType || img.Title != "first" {
			t.Errorf("%s: %+v", mediaType, img)
		}
		c.do("PATCH", "/api/v1/account", object{"email": "me@example.org"}, header).want(200)
		if r := c.do("PATCH", "/api/v1/account", object{"email": nil}, header).want(200); !strings.Contains(string(r.body), `"email":null`) {
			t.Errorf("%s: %s", mediaType, r.body)
		}
		c.do("PATCH", path, object{}, header).problem(400, "invalid_request")
		c.do("PATCH", path, object{"nothing": 1}, header).problem(400, "invalid_request")
	}
}
