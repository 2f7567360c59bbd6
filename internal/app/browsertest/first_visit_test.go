package browsertest_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// testFirstVisit is the main job, without a mouse: come, register, put pictures in, say what one shows, copy its link, and go.
func testFirstVisit(t *testing.T, c *chromium) {
	in := newInstance(t)
	in.register(t, "early-bird").upload(t, landscape(t, "meadow.jpg", 3), "public")
	b := c.newTab(t, in)
	b.open("/")
	b.waitText("h1", "A good home for your pictures")
	b.wait("the public picture", "loaded($('.feed img'))")
	b.look("visitor")

	registerByKeyboard(b, "ada-l")
	jpeg, png, gif := landscape(t, "evening.jpg", 20), ring(t, "ring.png"), blinking(t, "blink.gif")
	b.tabTo(".zone-choose")
	b.choose(func() { b.press(" ") }, jpeg, png, gif)
	b.waitText("#tray summary", "3 pictures ready")
	b.look("uploaded")

	b.tabTo(".upload summary")
	b.press(" ")
	b.tabTo(".upload input")
	b.press("The last one" + kb.Enter)
	b.waitText("#toast", "Saved")

	b.wait("the picture's row", row(jpeg.name, "done"))
	eval[any](b, "($('[data-action=copy]', "+row(jpeg.name, "done")+").focus(), 1)")
	link := b.copied(func() { b.press(kb.Enter) })
	status, body := in.stranger().get(t, link)
	if status != http.StatusOK || !bytes.Equal(body, jpeg.bytes) {
		t.Errorf("%s: %d, the same bytes: %v", link, status, bytes.Equal(body, jpeg.bytes))
	}

	b.tabTo("#tray [data-action=clear]")
	b.press(kb.Enter)
	b.wait("the tray to be gone", "!$('#tray').checkVisibility()")
	b.click("$('.avatar')")
	b.click("$('[data-action=sign-out]')")
	b.waitText("h1", "A good home for your pictures")
	if status := b.status("DELETE /api/v1/sessions/current"); status != http.StatusNoContent {
		t.Errorf("signing out: %d", status)
	}
	b.open("/")
	b.wait("nobody to be signed in", "$('.hero').checkVisibility() && !$('.avatar')")
}

// registerByKeyboard comes from the first page, and ends there.
func registerByKeyboard(b *tab, name string) {
	b.t.Helper()
	b.tabTo(".hero a[href='/register']")
	b.press(kb.Enter)
	b.wait("the form", field("name"))
	b.tabTo("[name=name]")
	b.press(name)
	b.tabTo("[name=password]")
	b.press(password + kb.Enter)
	b.wait("the place for pictures", "location.pathname === '/' && $('.zone').checkVisibility()")
}
