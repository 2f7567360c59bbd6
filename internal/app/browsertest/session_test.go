package browsertest_test

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// testSessionEnded ends the session behind the page's back: the next thing that one does says so, and after signing in
// one goes on where one was.
func testSessionEnded(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.register(t, "rip-van-w")
	p.upload(t, landscape(t, "before.jpg", 4), "unlisted")
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/")
	b.wait("the picture", "loaded($('.mine .card img'))")

	p.signOutEverywhere(t)
	b.choose(func() { b.click("$('.drop-zone')") }, ring(t, "after.png"))
	b.waitText(".auth .notice", "Your session has ended. Sign in to go on.")
	b.wait("the name to be gone", "!$('.account-name')")
	b.look("session-ended")

	signInAgain(b, p)
	b.waitText(".account-name", p.name)
	b.waitText(".upload.failed", "after.png")
	b.click("named('.upload.failed button', 'Retry')")
	b.waitText(".upload.done", "after.png")
	b.wait("both pictures", "$$('.mine .card').length === 2 && $$('.mine .card img').every(loaded)")
}

// testSessionEndedThere is the same on a picture's page, which has no form to sign in.
func testSessionEndedThere(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.register(t, "rip-van-w")
	picture := p.upload(t, landscape(t, "before.jpg", 5), "unlisted")
	b := c.newTab(t, in)
	b.signIn(p)
	b.open(picture.PageURL)
	b.wait("the owner's part", "$('.owner').checkVisibility()")

	p.signOutEverywhere(t)
	b.click("named('.owner button', 'Delete')")
	b.click("named('dialog button', 'Delete')")
	b.waitText("#toast", "Your session has ended.")
	b.wait("the owner's part to be gone", "!$('.owner').checkVisibility()")
	b.look("session-ended-there")
	b.click("named('#account a', 'Sign in')")
	b.waitText(".auth .notice", "Your session has ended. Sign in to go on.")

	signInAgain(b, p)
	b.waitText(".account-name", p.name)
	b.wait("the picture still to be there", "loaded($('.mine .card img'))")
}

func signInAgain(b *tab, p *person) {
	b.t.Helper()
	b.click("$('#input-name')")
	b.press(p.name)
	b.tabTo("#input-password")
	b.press("not my password" + kb.Enter)
	b.waitText(".form-message", "password")
	b.click("$('#input-password')")
	b.wait("the password to be selected or empty", "(document.activeElement.select(), true)")
	b.press(password + kb.Enter)
}
