package browsertest_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// testFirstVisit is the main job: come, register, put pictures in, copy a link, and go.
func testFirstVisit(t *testing.T, c *chromium) {
	in := newInstance(t)
	in.register(t, "early-bird").upload(t, landscape(t, "meadow.jpg", 3), "public")
	b := c.newTab(t, in)
	b.open("/")

	b.waitText("h1", "Your pictures, with links that last.")
	b.wait("the public picture", "loaded($('.feed .card img'))")
	b.waitText(".feed .card", "early-bird")
	b.look("visitor")

	registerByKeyboard(b, "ada-l")
	b.waitText(".mine .empty", "Nothing here yet")
	b.look("empty")

	jpeg, png, gif, text := landscape(t, "evening.jpg", 20), ring(t, "ring.png"), blinking(t, "blink.gif"), notes("notes.txt")
	b.tabTo("input[type=file]")
	b.choose(func() { b.press(" ") }, jpeg, png, gif, text)
	b.waitText(".uploads-summary", "3 uploaded, 1 not")
	b.waitText(".upload.failed", "notes.txt")
	b.waitText(".upload.failed", "Not a JPEG, PNG, GIF, WebP, AVIF, HEIC or TIFF picture.")
	for _, f := range []file{jpeg, png, gif} {
		b.wait(f.name+" with its thumbnail", "loaded($('img', named('.mine .card', "+quote(f.name)+")))")
	}
	b.click("named('.upload.failed button', 'Send anyway')")
	b.waitText(".upload.failed", "Request") // the server's own refusal has its number
	b.waitText(".upload.failed .upload-state", "JPEG, PNG, GIF")
	if status := b.status("POST /api/v1/images"); status != http.StatusUnsupportedMediaType {
		t.Errorf("the text was refused with %d", status)
	}
	b.look("uploaded")

	card := "named('.mine .card', " + quote(jpeg.name) + ")"
	link := b.copied(func() { b.click("named('button', 'Copy link', " + card + ")") })
	b.waitText("#toast", "Copied")
	status, body := in.stranger().get(t, link)
	if status != http.StatusOK || !bytes.Equal(body, jpeg.bytes) {
		t.Errorf("%s: %d, the same bytes: %v", link, status, bytes.Equal(body, jpeg.bytes))
	}

	b.choose(func() { b.click("$('.drop-zone')") }, jpeg)
	b.waitText(".upload.duplicate", "Already in your pictures")
	if n := eval[int](b, "$$('.mine .card').length"); n != 3 {
		t.Errorf("there are %d pictures, want 3", n)
	}

	deletePicture(b, card)
	if status, _ := in.stranger().get(t, link); status != http.StatusGone {
		t.Errorf("%s after its deletion: %d, want 410", link, status)
	}

	b.click("named('#account button', 'Sign out')")
	b.waitText("h1", "Your pictures, with links that last.")
	b.wait("the account's pictures to be gone", "!$('.mine') && !named('*', 'ring.png')")
	if status := b.status("DELETE /api/v1/sessions/current"); status != http.StatusNoContent {
		t.Errorf("signing out: %d", status)
	}
	b.open("/")
	b.waitText("h1", "Your pictures, with links that last.")
}

// registerByKeyboard never touches the mouse, and makes a mistake first.
func registerByKeyboard(b *tab, name string) {
	b.t.Helper()
	b.tabTo("[role=tab]")
	b.press(kb.ArrowRight)
	b.wait("the tab for registering", "document.activeElement.matches('[role=tab][aria-selected=true][data-tab=register]')")
	b.tabTo("#input-name")
	b.press(name)
	b.tabTo("#input-password")
	b.press("short" + kb.Enter)
	b.waitText("#error-password", "At least 10 characters.")
	b.wait("the field at fault to have the focus", "document.activeElement.matches('#input-password[aria-invalid=true]')")
	b.look("register-mistake")
	b.press(password[len("short"):] + kb.Enter)
	b.waitText(".account-name", name)
	b.wait("the focus to go on in what is new", "document.activeElement === $('main')")
}

// deletePicture says no first, by the key that means it, then yes.
func deletePicture(b *tab, card string) {
	b.t.Helper()
	before := eval[int](b, "$$('.mine .card').length")
	b.click("$('[data-action=delete]', " + card + ")")
	b.wait("the question, with the focus on the way out", "textOf(document.activeElement) === 'Cancel'")
	b.look("question")
	b.press(kb.Escape)
	b.wait("the question to be gone", "!$('dialog')")
	b.click("$('[data-action=delete]', " + card + ")")
	b.click("named('dialog button', 'Delete')")
	b.waitText("#toast", "Deleted")
	b.wait("one picture less", "$$('.mine .card').length === "+quoteInt(before-1))
	b.wait("the focus to stay among the pictures", "document.activeElement.closest('.mine, #mine-title')")
	if slices.Contains(eval[[]string](b, "$$('.mine .card-name').map(textOf)"), "evening.jpg") {
		b.t.Error("another picture was taken out")
	}
}
