package browsertest_test

import (
	"net/http"
	"testing"
)

// testPicturePage is a picture's own page, for its owner and for others.
func testPicturePage(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	picture := owner.upload(t, landscape(t, "harbour.jpg", 12), "unlisted")
	owner.describe(t, picture, map[string]string{"title": "The harbour", "description": "At noon, with no ship in sight."})

	visitor := c.newTab(t, in)
	visitor.open(picture.PageURL)
	visitor.waitText("h1", "The harbour")
	visitor.wait("the picture", "loaded($('.picture img'))")
	visitor.waitText(".picture-description", "At noon")
	visitor.waitText(".facts", "vivian-m")
	visitor.waitText(".facts", "800 × 600")
	if eval[bool](visitor, "$('.owner').checkVisibility() || Boolean($('[data-action=delete]'))") {
		t.Error("a visitor is offered what only the owner can do")
	}
	visitor.look("picture")

	b := c.newTab(t, in)
	b.signIn(owner)
	b.open("/")
	b.click("$('.mine .card a')")
	b.waitText("h1", "The harbour")
	b.wait("the owner's part", "$('.owner').checkVisibility()")
	b.look("picture-own")
	eval[bool](b, "(() => { const s = $('.owner select'); s.value = 'private'; return s.dispatchEvent(new Event('change')); })()")
	b.waitText("#toast", "Saved")
	if status, _ := in.stranger().get(t, picture.URL); status != http.StatusNotFound {
		t.Errorf("a stranger gets the private picture with %d", status)
	}
	back(b)
	b.waitText(".mine .card-facts", "Private")

	b.click("$('.mine .card a')")
	b.click("named('.owner button', 'Delete')")
	b.click("named('dialog button', 'Delete')")
	b.waitText(".mine .empty", "Nothing here yet")
	back(b)
	b.waitText("h1", "This picture was deleted")
}

// back goes back in the tab's history, within the page.
func back(b *tab) {
	b.t.Helper()
	address := eval[string](b, "location.href")
	eval[bool](b, "(history.back(), true)")
	b.wait("the page before", "location.href !== "+quote(address))
}

// testMissingPictures tells the ways in which there is no picture apart, as far as one may know.
func testMissingPictures(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	deleted := owner.upload(t, landscape(t, "regret.jpg", 1), "public")
	owner.delete(t, deleted)
	private := owner.upload(t, landscape(t, "diary.jpg", 2), "private")
	b := c.newTab(t, in)
	b.signIn(in.register(t, "nosy"))

	b.open(deleted.PageURL)
	b.waitText("h1", "This picture was deleted")
	b.waitText(".message", "Its owner took it away.")
	wantStatus(b, deleted.ID, http.StatusGone)
	b.look("deleted")

	b.open("/p/" + never)
	b.waitText("h1", "No picture here")
	wantStatus(b, never, http.StatusNotFound)
	b.look("never")
	text := eval[string](b, "textOf($('.message h1')) + textOf($('.message p'))")

	b.open(private.PageURL)
	b.waitText("h1", "No picture here")
	wantStatus(b, private.ID, http.StatusNotFound)
	if got := eval[string](b, "textOf($('.message h1')) + textOf($('.message p'))"); got != text {
		t.Errorf("of a private picture the page says %q, of none %q", got, text)
	}

	b.click("named('.message a', 'To the first page')")
	b.waitText(".account-name", "nosy")
	b.waitText(".mine .empty", "Nothing here yet")

	b.open("/p/not%20an%20id")
	b.waitText("h1", "No picture here")
}

// never has the form of an id, and nobody's luck.
const never = "AAAAAAAAAAAAAAAA"

func wantStatus(b *tab, id string, want int64) {
	b.t.Helper()
	if got := b.status("GET /api/v1/images/" + id); got != want {
		b.t.Errorf("GET /api/v1/images/%s: %d, want %d", id, got, want)
	}
	if got := b.status("GET /p/" + id); got != want {
		b.t.Errorf("GET /p/%s: %d, want %d", id, got, want)
	}
}
