package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	r := c.do("PATCH", path, object{"title": "second"}, "If-Match: "+first).want(200)
	if r.image().Title != "second" || r.Header.Get("ETag") == first || r.Header.Get("ETag") != tag() {
		t.Errorf("%v %s", r.Header, r.body)
	}
	if !r.image().UpdatedAt.After(img.UpdatedAt) || !r.image().CreatedAt.Equal(img.CreatedAt) {
		t.Errorf("times %s", r.body)
	}
	c.do("PATCH", path, object{"title": "third"}, "If-Match: *").want(200)
	c.do("PATCH", path, object{"title": "fourth"}, `If-Match: "x"`, "If-Match: "+tag()).want(200)
	c.do("PATCH", path, object{"description": "two\nlines"}).want(200)
	c.get(path, "If-None-Match: "+first).want(200)
	c.do("PATCH", path, object{"title": "x"}, "If-Match: "+first).problem(412, "precondition_failed")
}

// Of what can be read by itself the contract says how it is tagged; this is the rest, and why.
func TestContractOfConditions(t *testing.T) {
	t.Parallel()
	without := []string{
		"listAccountImages", "listAPIKeys", "listFeed", "listImages", "listSessions", // lists
		"getOEmbed", "getHealth", "getReadiness", "getDocs", // made for whoever asks; of a moment; a page
		"deleteSession", "deleteCurrentSession", "deleteSessions", "deleteAPIKey", "deleteCurrentAPIKey", // nothing of them can be changed
		"appendUpload", // has Upload-Offset
	}
	for _, op := range operations(t) {
		name := map[string]string{"GET": "If-None-Match", "PATCH": "If-Match", "DELETE": "If-Match"}[op.method]
		if name == "" {
			continue
		}
		has := op.Parameters.GetByInAndName("header", name) != nil
		if has == slices.Contains(without, op.OperationID) {
			t.Errorf("%s: takes %s: %t", op.OperationID, name, has)
		}
		if ok := op.Responses.Status(http.StatusOK); has && ok != nil && ok.Value.Headers["ETag"] == nil {
			t.Errorf("%s takes %s and shows no ETag", op.OperationID, name)
		}
		if has && name == "If-Match" && guarded[op.OperationID] == nil {
			t.Errorf("%s takes If-Match, and is not tested", op.OperationID)
		}
	}
}

// Everything that has a tag answers 304 to it, however it is written, and not to another.
func TestNotModified(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	img := c.stored(pngOf("not modified", 9, 9), "")
	up := c.begin(10, "")
	for _, op := range operations(t) {
		if op.method != http.MethodGet || op.Parameters.GetByInAndName("header", "If-None-Match") == nil || op.OperationID == "getFile" {
			continue // a file's are net/http's business, and tested with the links
		}
		path := op.at(img.ID)
		if op.OperationID == "getUpload" {
			path = op.at(up.ID)
		}
		tag := c.get(path).want(200).Header.Get("ETag")
		for _, h := range []string{tag, "*", " " + tag, `"x", ` + tag, tag + ` , "x"`, "W/" + tag} {
			if r := c.get(path, "If-None-Match: "+h).want(304); r.Header.Get("ETag") != tag || len(r.body) != 0 {
				t.Errorf("%s, %s: %v %s", op.OperationID, h, r.Header, r.body)
			}
			if r := c.do("HEAD", path, nil, "If-None-Match: "+h).want(304); r.Header.Get("ETag") != tag {
				t.Errorf("HEAD of %s, %s: %v", op.OperationID, h, r.Header)
			}
		}
		c.get(path, `If-None-Match: "x"`, "If-None-Match: "+tag).want(304)
		for _, h := range []string{`"x"`, strings.Trim(tag, `"`), `"x, ` + tag[1:], `*, "x"`} {
			if r := c.get(path, "If-None-Match: "+h).want(200); r.Header.Get("ETag") != tag {
				t.Errorf("%s has another tag: %s", op.OperationID, r.Header.Get("ETag"))
			}
		}
	}
	// What changes has another tag.
	for path, change := range map[string]func(){
		"/api/v1/account/usage":    func() { c.stored(pngOf("more", 9, 9), "") },
		"/api/v1/account":          func() { c.do("PATCH", "/api/v1/account", object{"keep_metadata": true}).want(200) },
		"/api/v1/uploads/" + up.ID: func() { c.part(up.ID, 0, []byte("12345")).want(200) },
		"/api/v1/images/" + img.ID: func() { c.do("PATCH", "/api/v1/images/"+img.ID, object{"title": "x"}).want(200) },
	} {
		tag := c.get(path).want(200).Header.Get("ETag")
		change()
		c.get(path, "If-None-Match: "+tag).want(200)
	}
}

// guardedChange is a change that If-Match can keep from being done.
type guardedChange struct {
	path   string // to read
	send   func(c *client, headers ...string) *reply
	change func(c *client) // another one
	losers []int           // what else than 412 those may hear who come too late
}

// guarded are the operations that take If-Match.
var guarded = map[string]func(c *client) guardedChange{
	"updateAccount": func(c *client) guardedChange {
		return guardedChange{path: "/api/v1/account", send: func(c *client, headers ...string) *reply {
			return c.do("PATCH", "/api/v1/account", object{"keep_metadata": true}, headers...)
		}, change: func(c *client) { c.do("PATCH", "/api/v1/account", object{"keep_metadata": false}).want(200) }}
	},
	"deleteAccount": func(c *client) guardedChange {
		return guardedChange{path: "/api/v1/account", send: func(c *client, headers ...string) *reply {
			return c.do("DELETE", "/api/v1/account?confirm="+c.name, nil, headers...)
		}, change: func(c *client) { c.do("PATCH", "/api/v1/account", object{"keep_metadata": false}).want(200) }, losers: []int{401}}
	},
	"updateImage": func(c *client) guardedChange {
		path := "/api/v1/images/" + c.stored(pngOf("guarded", 9, 9), "").ID
		return guardedChange{path: path, send: func(c *client, headers ...string) *reply {
			return c.do("PATCH", path, object{"title": "changed"}, headers...)
		}, change: func(c *client) { c.do("PATCH", path, object{"title": "other"}).want(200) }}
	},
	"deleteImage": func(c *client) guardedChange {
		path := "/api/v1/images/" + c.stored(pngOf("guarded", 9, 9), "").ID
		return guardedChange{path: path, send: func(c *client, headers ...string) *reply {
			return c.do("DELETE", path, nil, headers...)
		}, change: func(c *client) { c.do("PATCH", path, object{"title": "other"}).want(200) }, losers: []int{410}}
	},
	"deleteUpload": func(c *client) guardedChange {
		id := c.begin(10, "").ID
		return guardedChange{path: "/api/v1/uploads/" + id, send: func(c *client, headers ...string) *reply {
			return c.do("DELETE", "/api/v1/uploads/"+id, nil, headers...)
		}, change: func(c *client) { c.part(id, 0, []byte("12345")).want(200) }, losers: []int{404}}
	},
}

// Of any number of changes of the same thing, by two servers, one is done, and the others hear that they came too late.
func TestConditionRace(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	servers := []*instance{in, in.replica(t)}
	for op, prepare := range guarded {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			c := in.person(t)
			g := prepare(c)
			old := c.get(g.path).want(200).Header.Get("ETag")
			g.change(c)
			tag := c.get(g.path).want(200).Header.Get("ETag")
			for _, h := range []string{old, "W/" + tag, `"x"`, strings.Trim(tag, `"`), `"x", "y"`, `*, "x"`} {
				g.send(c, "If-Match: "+h).problem(412, "precondition_failed")
			}
			if got := c.get(g.path).want(200).Header.Get("ETag"); got != tag {
				t.Fatalf("something was changed all the same: %s, then %s", tag, got)
			}
			headers := []string{"If-Match: " + tag, `If-Match: "x", ` + tag, "If-Match:  " + tag + ` , W/"x"`}
			var mu sync.Mutex
			heard := map[int]int{}
			var wg sync.WaitGroup
			for i := range 32 {
				c := c.at(servers[i%2])
				wg.Go(func() {
					r := g.send(c, headers[i%len(headers)])
					mu.Lock()
					defer mu.Unlock()
					heard[r.StatusCode]++
				})
			}
			wg.Wait()
			done := heard[200] + heard[204]
			late := heard[412]
			for _, status := range g.losers {
				late += heard[status]
			}
			if done != 1 || done+late != 32 {
				t.Errorf("they heard %v", heard)
			}
		})
	}
}

// Many who read, change and write with If-Match, and begin anew when they are told to: nobody's change is lost.
func TestNoLostUpdate(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	servers := []*instance{in, in.replica(t)}
	c := in.person(t)
	path := "/api/v1/images/" + c.stored(pngOf("lost update", 9, 9), "?title=-").ID
	var late atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		c := c.at(servers[i%2])
		wg.Go(func() {
			for {
				r := c.get(path).want(200)
				r = c.do("PATCH", path, object{"title": fmt.Sprint(r.image().Title, i)}, "If-Match: "+r.Header.Get("ETag"))
				if r.StatusCode == http.StatusOK {
					return
				}
				r.problem(412, "precondition_failed")
				late.Add(1)
			}
		})
	}
	wg.Wait()
	title := c.get(path).want(200).image().Title
	letters := map[rune]bool{}
	for _, l := range title {
		letters[l] = true
	}
	if len(title) != 9 || len(letters) != 9 {
		t.Errorf("of %v there is %q left", slices.Sorted(maps.Keys(letters)), title)
	}
	t.Logf("%d began anew", late.Load())
}

// A change and a deletion from the same state: only one of them is done.
func TestChangeAgainstDeletion(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	there := in.replica(t)
	c := in.person(t)
	for i := range 10 {
		path := "/api/v1/images/" + c.stored(pngOf(fmt.Sprint("against ", i), 9, 9), "").ID
		tag := "If-Match: " + c.get(path).want(200).Header.Get("ETag")
		var changed, deleted *reply
		var wg sync.WaitGroup
		wg.Go(func() { changed = c.do("PATCH", path, object{"title": "x"}, tag) })
		wg.Go(func() { deleted = c.at(there).do("DELETE", path, nil, tag) })
		wg.Wait()
		wantChanged, wantDeleted := 410, 204
		if changed.StatusCode == http.StatusOK {
			wantChanged, wantDeleted = 200, 412
		}
		if changed.StatusCode != wantChanged || deleted.StatusCode != wantDeleted {
			t.Errorf("the change heard %d, the deletion %d", changed.StatusCode, deleted.StatusCode)
		}
		c.get(path).want(map[bool]int{true: 200, false: 410}[wantChanged == 200])
	}
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
