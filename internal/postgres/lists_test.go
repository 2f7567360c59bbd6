package postgres

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
)

// filled has 30 pictures of anna's, with every kind of tie, and 5 of bert's.
func filled(t *testing.T) (*gallery, []image.Image) {
	t.Helper()
	g := newGallery(t)
	var all []image.Image
	for i := range 30 {
		img := picture(g.anna, strings.Repeat(string(rune('a'+i)), 1+i%4))
		img.Filename = fmt.Sprintf("%c%d.png", "aAbB"[i%4], i/8)
		img.Visibility = []image.Visibility{image.Public, image.Unlisted, image.Private}[i%3]
		img.Format = []imaging.Format{imaging.PNG, imaging.JPEG}[i%2]
		if i%5 == 0 {
			img.Title = "A Title to find"
		}
		if i%7 == 0 {
			img.Description = "or a TITLE in the text"
		}
		all = append(all, g.add(img))
	}
	for i := range 5 {
		img := picture(g.bert, fmt.Sprint("bert ", i))
		img.Visibility = image.Public
		g.add(img)
	}
	exec(t, g.db, `UPDATE images SET created_at = date_trunc('day', now()) + (ascii(filename) % 2) * interval '1 microsecond'`)
	for i := range all {
		all[i].CreatedAt = all[i].CreatedAt.Truncate(0)
		img, err := g.Image(t.Context(), all[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = img
	}
	return g, all
}

// walk reads a list page by page and returns its ids.
func walk(t *testing.T, limit int, page func(after *image.Position) ([]image.Image, error)) []string {
	t.Helper()
	var ids []string
	var after *image.Position
	for {
		images, err := page(after)
		if err != nil {
			t.Fatal(err)
		}
		for _, img := range images {
			ids = append(ids, img.ID)
			position := image.PositionOf(img)
			after = &position
		}
		if len(images) < limit {
			return ids
		}
		if len(ids) > 1000 {
			t.Fatal("the list has no end")
		}
	}
}

func idsOf(images []image.Image, order func(a, b image.Image) int, keep func(image.Image) bool) []string {
	var ids []string
	for _, img := range slices.SortedFunc(slices.Values(images), order) {
		if keep(img) {
			ids = append(ids, img.ID)
		}
	}
	return ids
}

func TestListsInEveryOrder(t *testing.T) {
	t.Parallel()
	g, all := filled(t)
	orders := map[image.Sort]func(a, b image.Image) int{
		image.ByCreated: func(a, b image.Image) int { return a.CreatedAt.Compare(b.CreatedAt) },
		image.ByName: func(a, b image.Image) int {
			return cmp.Compare(strings.ToLower(a.Filename), strings.ToLower(b.Filename))
		},
		image.BySize: func(a, b image.Image) int { return cmp.Compare(a.Size, b.Size) },
	}
	filters := map[string]struct {
		query image.Query
		keep  func(image.Image) bool
	}{
		"all":     {image.Query{}, func(image.Image) bool { return true }},
		"private": {image.Query{Visibility: image.Private}, func(i image.Image) bool { return i.Visibility == image.Private }},
		"jpeg":    {image.Query{Format: imaging.JPEG}, func(i image.Image) bool { return i.Format == imaging.JPEG }},
		"text": {image.Query{Text: "Title"}, func(i image.Image) bool {
			return strings.Contains(strings.ToLower(i.Title+" "+i.Description), "title")
		}},
		"all at once": {image.Query{Text: "b", Visibility: image.Public, Format: imaging.PNG}, func(i image.Image) bool {
			return strings.Contains(strings.ToLower(i.Filename+i.Title+i.Description), "b") && i.Visibility == image.Public && i.Format == imaging.PNG
		}},
	}
	for sort, less := range orders {
		for name, filter := range filters {
			for _, descending := range []bool{false, true} {
				order := func(a, b image.Image) int {
					n := cmp.Or(less(a, b), cmp.Compare(a.ID, b.ID))
					if descending {
						n = -n
					}
					return n
				}
				want := idsOf(all, order, filter.keep)
				got := walk(t, 4, func(after *image.Position) ([]image.Image, error) {
					q := filter.query
					q.AccountID, q.Sort, q.Descending, q.After, q.Limit = g.anna.ID, sort, descending, after, 4
					return g.Images(t.Context(), q)
				})
				if !slices.Equal(got, want) {
					t.Errorf("%s, by %s, descending %v:\n%v\nwant\n%v", name, sort, descending, got, want)
				}
			}
		}
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	g, all := filled(t)
	newest := func(a, b image.Image) int { return -cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) }
	public := func(i image.Image) bool { return i.Visibility == image.Public }
	feed := func(name string) []string {
		return walk(t, 3, func(after *image.Position) ([]image.Image, error) {
			return g.Feed(t.Context(), image.FeedQuery{AccountName: name, After: after, Limit: 3})
		})
	}
	if got, want := feed("anna"), idsOf(all, newest, public); !slices.Equal(got, want) {
		t.Errorf("anna's:\n%v\nwant\n%v", got, want)
	}
	everybodys := feed("")
	if n := len(everybodys); n != 15 {
		t.Errorf("%d in the feed", n)
	}
	slices.Sort(everybodys)
	if n := len(slices.Compact(everybodys)); n != 15 {
		t.Errorf("%d different ones", n)
	}
	_, err := g.Feed(t.Context(), image.FeedQuery{AccountName: "nobody", Limit: 3})
	if apperr.KindOf(err) != apperr.NotFound {
		t.Errorf("of nobody: %v", err)
	}
}
