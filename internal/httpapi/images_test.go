package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	api "github.com/kadr-app/kadr/gen/client"
)

// walk pages through a list to its end.
func (c *client) walk(path string, limit int) []api.Image {
	c.t.Helper()
	var all []api.Image
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	for cursor := ""; ; {
		page := c.get(fmt.Sprintf("%s%slimit=%d%s", path, separator, limit, cursor)).page()
		all = append(all, page.Items...)
		if len(page.Items) > limit || len(all) > 1000 {
			c.t.Fatalf("%s: %d items", path, len(page.Items))
		}
		if page.NextCursor.IsNull() {
			return all
		}
		if len(page.Items) < limit {
			c.t.Errorf("%s: a short page that is not the last", path)
		}
		cursor = "&cursor=" + page.NextCursor.MustGet()
	}
}

func ids(images []api.Image) []string {
	list := make([]string, len(images))
	for i, img := range images {
		list[i] = img.ID
	}
	return list
}

func TestLists(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	var all []api.Image
	// Ties in all three: two names, two sizes, three times.
	for i := range 7 {
		query := fmt.Sprintf("?allow_duplicate=true&filename=%s&visibility=public", []string{"Б.png", "а.png"}[i%2])
		all = append(all, c.stored(pngOf(fmt.Sprint("list ", i/4), 20+i/4, 20), query))
	}
	if _, err := in.db.Pool.Exec(t.Context(), `UPDATE images SET created_at = date_trunc('hour', now()) + (size % 3) * interval '1 microsecond'`); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] = c.get("/api/v1/images/" + all[i].ID).want(200).image()
	}
	for sort, before := range map[string]func(a, b api.Image) int{
		"created_at": func(a, b api.Image) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"name": func(a, b api.Image) int {
			return strings.Compare(strings.ToLower(a.Filename), strings.ToLower(b.Filename))
		},
		"size": func(a, b api.Image) int { return int(a.Size - b.Size) },
	} {
		want := slices.Clone(all)
		slices.SortFunc(want, func(a, b api.Image) int {
			if n := before(a, b); n != 0 {
				return n
			}
			return strings.Compare(a.ID, b.ID)
		})
		for _, order := range []string{"asc", "desc"} {
			for _, limit := range []int{1, 2, 3, 7, 100} {
				got := c.walk("/api/v1/images?sort="+sort+"&order="+order, limit)
				if !slices.Equal(ids(got), ids(want)) {
					t.Errorf("%s %s by %d:\n%v, want\n%v", sort, order, limit, ids(got), ids(want))
				}
			}
			slices.Reverse(want)
		}
	}
	byTime := c.walk("/api/v1/images", 100)
	for _, path := range []string{"/api/v1/feed", "/api/v1/accounts/" + c.name + "/images"} {
		for _, limit := range []int{1, 2, 100} {
			if got := in.stranger(t).walk(path, limit); !slices.Equal(ids(got), ids(byTime)) {
				t.Errorf("%s by %d: %v, want %v", path, limit, ids(got), ids(byTime))
			}
		}
	}
	// What changes between two pages neither repeats nor hides the rest.
	first := c.get("/api/v1/images?limit=3").page()
	c.do("DELETE", "/api/v1/images/"+first.Items[2].ID, nil).want(204)
	c.stored(pngOf("a new one", 30, 30), "")
	rest := c.get("/api/v1/images?limit=100&cursor=" + first.NextCursor.MustGet()).page().Items
	if !slices.Equal(ids(rest), ids(byTime[3:])) {
		t.Errorf("after a deletion and an upload: %v, want %v", ids(rest), ids(byTime[3:]))
	}
	if n := len(in.person(t).get("/api/v1/images").page().Items); n != 0 {
		t.Errorf("a new account has %d pictures", n)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c := in.person(t)
	names := map[string]string{}
	for query, picture := range map[string][]byte{
		"?filename=100%25.png&title=Half_way&visibility=public":           pngOf("f1", 9, 9),
		"?filename=100x.png&title=Halfxway&visibility=private":            pngOf("f2", 9, 9),
		"?filename=back%5Cslash&visibility=private":                       pngOf("f3", 9, 9),
		"?filename=%D0%97%D0%90%D0%9A%D0%90%D0%A2.jpg&description=Море":   jpegOf("f4", 9, 9),
		"?filename=plain.gif&description=The+SUN+sets%0Abehind+the+boats": gifOf("f5", 9, 9, 1),
	} {
		if strings.Contains(query, "%5C") {
			query = strings.ReplaceAll(query, "%5C", "-") // a file name has no backslash, but a title may
			query += "&title=back%5Cslash"
		}
		img := c.stored(picture, query)
		names[img.ID] = img.Filename
	}
	for query, want := range map[string]string{
		"q=100%25": "100%.png", "q=half_": "100%.png", "q=HALF": "100%.png 100x.png", "q=%5C": "back-slash", "q=%5C%25": "", "q=_": "100%.png",
		"q=закат": "ЗАКАТ.jpg", "q=МОРЕ": "ЗАКАТ.jpg", "q=sun+sets": "plain.gif", "q=nothing": "", "q='": "", "q=%25%25": "",
		"visibility=public": "100%.png", "visibility=private": "100x.png back-slash", "media_type=image/jpeg": "ЗАКАТ.jpg",
		"media_type=image/webp": "", "media_type=image/png&visibility=private&q=x": "100x.png", "media_type=image/png&q=plain": "",
	} {
		for _, sort := range []string{"created_at", "name", "size"} {
			var got []string
			for _, img := range c.walk("/api/v1/images?sort="+sort+"&"+query, 1) {
				got = append(got, names[img.ID])
			}
			slices.Sort(got)
			if strings.Join(got, " ") != want {
				unescaped, _ := url.QueryUnescape(query)
				t.Errorf("%s by %s: %q, want %q", unescaped, sort, got, want)
			}
		}
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c, other := in.person(t), in.person(t)
	theirs := other.stored(pngOf("theirs", 9, 9), "?visibility=public")
	var own []api.Image
	for i := range 4 {
		own = append(own, c.stored(pngOf(fmt.Sprint("bulk ", i), 9, 9), ""))
	}
	gone := own[3].ID
	c.do("DELETE", "/api/v1/images/"+gone, nil).want(204)
	bulk := func(c *client, body object) string {
		t.Helper()
		var result api.BulkResult
		c.do("POST", "/api/v1/images/bulk", body).want(200).into(&result)
		var text []string
		for _, o := range result.Items {
			text = append(text, o.ID+" "+string(o.Outcome))
		}
		return strings.Join(text, ", ")
	}
	asked := []string{own[1].ID, theirs.ID, absentID, own[0].ID, gone}
	want := fmt.Sprintf("%s updated, %s not_found, %s not_found, %s updated, %s not_found", own[1].ID, theirs.ID, absentID, own[0].ID, gone)
	if got := bulk(c, object{"action": "set_visibility", "visibility": "private", "ids": asked}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, img := range own[:2] {
		r := c.get("/api/v1/images/" + img.ID).want(200)
		if r.image().Visibility != "private" || strings.HasSuffix(r.Header.Get("ETag"), `-1"`) {
			t.Errorf("%s %s", r.Header.Get("ETag"), r.body)
		}
	}
	if got := other.get("/api/v1/images/" + theirs.ID).want(200).image().Visibility; got != "public" {
		t.Errorf("somebody else's picture became %s", got)
	}
	if got := bulk(c.program("images:delete"), object{"action": "delete", "ids": asked}); got != strings.ReplaceAll(want, "updated", "deleted") {
		t.Errorf("got %s", got)
	}
	c.get(own[0].URL).want(410)
	other.get(theirs.URL).want(200)
	if got := bulk(c, object{"action": "delete", "ids": asked}); strings.Contains(got, " deleted") {
		t.Errorf("deleted twice: %s", got)
	}
	var usage api.Usage
	if c.get("/api/v1/account/usage").want(200).into(&usage); usage.Images != 1 || usage.Bytes != own[2].Size {
		t.Errorf("usage %+v", usage)
	}
	in.wantBlobs(t, 2)
}

// Bytes that two accounts share stay until the last of them lets go.
func TestSharedBytes(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	a, b := in.person(t), in.person(t)
	picture := pngOf("shared bytes", 700, 500)
	first, second := a.stored(picture, ""), b.stored(picture, "")
	a.get(first.URL + "?w=480").want(200)
	in.wantBlobs(t, 1)
	a.do("DELETE", "/api/v1/images/"+first.ID, nil).want(204)
	b.get(second.URL).want(200)
	b.get(second.URL + "?w=480").want(200)
	b.get(second.ThumbnailURL).want(200)
	in.wantBlobs(t, 1)
	b.do("DELETE", "/api/v1/images/"+second.ID, nil).want(204)
	in.wantBlobs(t, 0)
	if left := in.files(t, "variants"); len(left) != 0 {
		t.Errorf("variants are left: %v", left)
	}
}
