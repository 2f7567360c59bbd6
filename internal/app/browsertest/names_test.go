package browsertest_test

import "testing"

// nasty would be markup wherever it is not escaped.
const nasty = `"><img src=x onerror=alert(1)>[x](y).png`

// longest is as long as an account's name can be.
const longest = "mallory-with-the-longest-of-name"

// testNastyNames follows such names to every place of a picture's page. A dialog would fail the test by itself.
func testNastyNames(t *testing.T, c *chromium) {
	in := newInstance(t)
	mallory := in.register(t, longest)
	picture := mallory.upload(t, ring(t, nasty), "public")
	mallory.describe(t, picture, map[string]string{"title": nasty + "</title><script>alert(2)</script>", "description": "</textarea>" + nasty})
	for _, as := range []*person{nil, mallory} {
		b := c.newTab(t, in)
		if as != nil {
			b.signIn(as)
		}
		b.open(picture.PageURL)
		onlyText := func(place string) {
			t.Helper()
			b.wait(place+" to be a text", "$$("+quote(place)+").some((e) => (e.value ?? e.textContent).includes("+quote(nasty)+"))")
			if made := eval[[]string](b, "$$('[onerror], [src=x], a[href=y], main script').map((e) => e.outerHTML)"); len(made) > 0 {
				t.Errorf("in %s the name became elements: %q", place, made)
			}
		}
		onlyText("h1")
		onlyText("dd")
		if as == nil {
			onlyText(".picture-info > p")
		} else {
			onlyText("[name=title]")
			onlyText("[name=description]")
		}
		if title := eval[string](b, "document.title"); title != nasty+"</title><script>alert(2)</script> · Kadr" {
			t.Errorf("the page's title is %q", title)
		}
		b.wait("the picture", "loaded($('.stage img')) && $('.stage img').alt === "+quote("</textarea>"+nasty))
		b.look("nasty-picture")
		b.click("$('[data-action=more]')")
		onlyText(".copy-dialog pre")
		b.look("nasty-copy")
	}
}
