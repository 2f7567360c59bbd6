package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// comparison holds a reply against its example. All has to be equal, but for this:
//   - the id of what the request made is new, so it is taken for the example's, wherever it stands;
//   - a time that is now, or as far from now as in the example, is the example's; so is one in a link;
//   - secrets and request ids are random, and so is the signature of a link that ends, for its end is signed;
//   - a number of seconds that is counted down is any;
//   - the version is the build's, and a placeholder depends on the library that decodes.
type comparison struct {
	t        *testing.T
	now      time.Time
	made, as string // the id that was made, and the one that the example has for it
	differs  bool
}

func (w *world) comparison(e exchange, r *reply) *comparison {
	c := &comparison{t: w.t, now: w.now}
	ids := map[string]string{
		"createAccount": exampleAccount, "createSession": exampleSession, "createAPIKey": exampleKey, "uploadImage": exampleImage,
		"createUpload": exampleUpload, "completeUpload": exampleImage,
	}
	if r.StatusCode == http.StatusCreated {
		c.as = ids[e.op]
		c.made = path.Base(r.Header.Get("Location"))
		var body struct{ ID string }
		if json.Unmarshal(r.body, &body) == nil {
			c.made = body.ID
		}
	}
	return c
}

var (
	secrets    = regexp.MustCompile(`[a-z2-7]{26}\b`)
	prefixes   = regexp.MustCompile(`\bkadr_[a-z2-7]{4}\b`)
	countdowns = regexp.MustCompile(`\b\d+ seconds\b|;t=\d+`)
	ends       = regexp.MustCompile(`\bexpires=(\d+)&sig=[A-Za-z0-9_-]{43}`)
)

// steady takes out of a text what is random.
func (c *comparison) steady(text string) string {
	if c.made != "" {
		text = strings.ReplaceAll(text, c.made, c.as)
	}
	text = secrets.ReplaceAllString(text, "SECRET")
	text = prefixes.ReplaceAllString(text, "kadr_PREFIX")
	return countdowns.ReplaceAllString(text, ";t=N")
}

func (c *comparison) sameText(example, got string) bool {
	if c.sameTime(time.RFC3339, example, got) || c.sameTime(http.TimeFormat, example, got) {
		return true
	}
	e, g := ends.FindStringSubmatch(example), ends.FindStringSubmatch(got)
	if e != nil && g != nil {
		es, _ := strconv.ParseInt(e[1], 10, 64)
		gs, _ := strconv.ParseInt(g[1], 10, 64)
		if c.near(time.Unix(es, 0), time.Unix(gs, 0)) {
			got = strings.ReplaceAll(got, g[0], e[0])
		}
	}
	return c.steady(example) == c.steady(got)
}

func (c *comparison) sameTime(layout, example, got string) bool {
	e, err := time.Parse(layout, example)
	if err != nil {
		return false
	}
	g, err := time.Parse(layout, got)
	return err == nil && c.near(e, g)
}

// near tells whether a time is as far from now as the example's is from when the examples happen.
func (c *comparison) near(example, got time.Time) bool {
	return math.Abs((got.Sub(c.now) - example.Sub(exampleNow())).Seconds()) < 60
}

func (c *comparison) sameHeader(name string, example any, got string) bool {
	switch name {
	case "Retry-After":
		_, err := strconv.Atoi(got)
		return err == nil
	case "X-Request-Id": // each has its own
		return len(got) == len(fmt.Sprint(example))
	}
	return c.sameText(fmt.Sprint(example), got)
}

// body reports where a reply's body differs from its example.
func (c *comparison) body(example any, got []byte, mediaType string) {
	c.t.Helper()
	if !strings.HasSuffix(mediaType, "json") {
		if text, ok := example.(string); !ok || !c.sameText(strings.TrimSpace(text), strings.TrimSpace(string(got))) {
			c.t.Errorf("the reply is\n%s\nthe example says\n%s", got, text)
		}
		return
	}
	var value any
	if err := json.Unmarshal(got, &value); err != nil {
		c.t.Fatal(err)
	}
	b, err := json.Marshal(example) // so that numbers are of one type
	if err == nil {
		err = json.Unmarshal(b, &example)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if c.same("", example, value); c.differs {
		c.t.Logf("the whole reply, as the example may have it:\n%s", got)
	}
}

func (c *comparison) same(where string, example, got any) {
	c.t.Helper()
	switch e := example.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(e)), slices.Sorted(maps.Keys(g))) {
			c.differ(where, example, got)
			return
		}
		for name := range e {
			if name != "request_id" && name != "version" && name != "placeholder" || reflect.TypeOf(e[name]) != reflect.TypeOf(g[name]) {
				c.same(where+"/"+name, e[name], g[name])
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(e) != len(g) {
			c.differ(where, example, got)
			return
		}
		for i := range e {
			c.same(fmt.Sprint(where, "/", i), e[i], g[i])
		}
	case string:
		if g, ok := got.(string); !ok || !c.sameText(e, g) {
			c.differ(where, example, got)
		}
	default:
		if example != got {
			c.differ(where, example, got)
		}
	}
}

func (c *comparison) differ(where string, example, got any) {
	c.t.Helper()
	c.differs = true
	e, _ := json.Marshal(example)
	g, _ := json.Marshal(got)
	c.t.Errorf("%s\nexample %s\nreply   %s", where, e, g)
}
