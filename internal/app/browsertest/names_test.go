package browsertest_test

import (
	"strings"
	"testing"
)

// nasty would be markup wherever it is not escaped.
const nasty = `"><img src=x onerror=alert(1)>[x](y).png`

// longest is as long as an account's name can be.
const longest = "mallory-with-the-longest-of-name"

// testNastyFileName follows such a name to every place that shows it. A dialog would fail the test by itself.
func testNastyFileName(t *testing.T, c *chromium) {
	in := newInstance(t)
	mallory := in.register(t, longest)
	f := ring(t, nasty)
	b := c.newTab(t, in)
	b.signIn(mallory)
	b.open("/")
	b.waitText(".mine .empty", "Nothing here yet")
	b.choose(func() { b.click("$('.drop-zone')") }, f)

	onlyText := func(place string) {
		t.Helper()
		b.waitText(place, nasty)
		if made := eval[[]string](b, "$$('[onerror], [src=x], a[href=y]').map((e) => e.outerHTML)"); len(made) > 0 {
			t.Errorf("in %s the name became elements: %q", place, made)
		}
	}
	onlyText(".upload-file")
	onlyText(".mine .card-name")
	b.wait("the thumbnail", "loaded($('.mine .card img'))")
	if alt := eval[string](b, "$('.mine .card img').alt"); alt != nasty {
		t.Errorf("the picture's alternative text is %q", alt)
	}
	markdown := eval[string](b, "named('.mine .card button', 'Markdown').dataset.copy")
	link := eval[string](b, "named('.mine .card button', 'Copy link').dataset.copy")
	if want := `!["\>\<img src=x onerror=alert\(1\)\>\[x\]\(y\).png](` + link + `)`; markdown != want {
		t.Errorf("the Markdown is\n%s, want\n%s", markdown, want)
	}
	b.look("nasty")

	b.click("$('.mine [data-action=delete]')")
	onlyText("dialog p")
	b.click("named('dialog button', 'Cancel')")
	b.wait("the question to be gone", "!$('dialog')")

	b.click("$('.mine .card a')")
	onlyText("h1")
	b.wait("the picture", "loaded($('.picture img'))")
	if title := eval[string](b, "document.title"); title != nasty+" · Kadr" {
		t.Errorf("the page's title is %q", title)
	}

	// Somebody else sees it in the feed, with the title and the description as bad as the name.
	shown := mallory.upload(t, landscape(t, nasty, 6), "public")
	mallory.describe(t, shown, map[string]string{"title": nasty, "description": nasty})
	mallory.upload(t, landscape(t, strings.Repeat("long", 60)+".jpg", 7), "public")
	b.open("/")
	b.wait("the names", "$$('.mine .card').length === 3")
	b.look("names")
	b = c.newTab(t, in)
	b.open("/")
	onlyText(".feed .card-name")
	b.look("names-feed")
	b.click("$('a', named('.feed .card', 'longlong'))")
	b.waitText("h1", "longlong")
	b.look("long-picture")
	b.open(shown.PageURL)
	onlyText("h1")
	onlyText(".picture-description")
	onlyText(".facts dd")
	b.look("nasty-picture")
}
