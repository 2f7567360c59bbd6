package browsertest_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// testFirstVisit is the main job, by the keyboard alone: come, register, put pictures in, copy a link, tidy up, and go.
func testFirstVisit(t *testing.T, c *chromium) {
	in := newInstance(t)
	in.register(t, "early-bird").upload(t, landscape(t, "meadow.jpg", 3), "public")
	b := c.newTab(t, in)
	b.open("/")
	b.waitText("h1", "A good home for your pictures")
	b.wait("the public picture", "loaded($('.feed .tile img'))")
	registerByKeyboard(b, "ada-l")

	jpeg, png := landscape(t, "evening.jpg", 20), ring(t, "ring.png")
	b.tabTo(".zone-choose")
	b.choose(func() { b.press(kb.Enter) }, jpeg, png)
	for _, f := range []file{jpeg, png} {
		b.wait(f.name+" to be done", row(f.name, "done"))
	}
	b.tabTo(".upload [data-action=copy]")
	link := b.copied(func() { b.press(kb.Enter) })
	b.waitText("#toast", "Copied")
	name := eval[string](b, "textOf($('.upload-name', document.activeElement.closest('.upload')))")
	want := map[string][]byte{jpeg.name: jpeg.bytes, png.name: png.bytes}[name]
	if status, body := in.stranger().get(t, link); status != http.StatusOK || !bytes.Equal(body, want) {
		t.Errorf("%s: %d, the same bytes: %v", link, status, bytes.Equal(body, want))
	}

	b.tabTo("nav a[href='/pictures']")
	b.press(kb.Enter)
	b.settle("$$('.tile').length === 2")
	b.wait("the focus to go on in what is new", "document.activeElement === $('main')")
	b.tabTo(".tile a")
	b.press(kb.Enter)
	b.wait("the picture", shownPicture)
	shown := eval[string](b, "$('[data-action=copy]').dataset.copy")
	deletePicture(b)
	b.settle("$$('.tile').length === 1")
	if status, _ := in.stranger().get(t, shown); status != http.StatusGone {
		t.Errorf("%s after its deletion: %d, want 410", shown, status)
	}

	b.tabTo("button.avatar")
	b.press(kb.Enter)
	b.tabTo("[data-action=sign-out]")
	b.press(kb.Enter)
	b.waitText("h1", "A good home for your pictures")
	if status := b.status("DELETE /api/v1/sessions/current"); status != http.StatusNoContent {
		t.Errorf("signing out: %d", status)
	}
	b.open("/")
	b.wait("nobody to be signed in", "$('.hero').checkVisibility() && !$('button.avatar')")
}

// registerByKeyboard never touches the mouse, and makes a mistake first.
func registerByKeyboard(b *tab, name string) {
	b.t.Helper()
	b.tabTo(".hero a[href='/register']")
	b.press(kb.Enter)
	b.wait("the form", field("password"))
	b.tabTo("[name=name]")
	b.press(name)
	b.tabTo("[name=password]")
	b.press("short" + kb.Enter)
	b.wait("the field at fault to have the focus", "document.activeElement.matches('[name=password]') && document.activeElement.ariaInvalid === 'true'")
	b.press(password[len("short"):] + kb.Enter)
	b.wait("the zone to put pictures in", "$('.zone')?.checkVisibility()")
	b.wait("who is signed in", "$('button.avatar').ariaLabel.includes("+quote(name)+")")
}

// deletePicture says no first, by the key that means it, then yes.
func deletePicture(b *tab) {
	b.t.Helper()
	b.tabTo("[data-action=trash]")
	b.press(kb.Enter)
	b.wait("the question, with the focus on the way out", "$('dialog.dialog') && textOf(document.activeElement) === 'Cancel'")
	b.press(kb.Escape)
	b.wait("the question to be gone", "!$('dialog.dialog') && document.activeElement.matches('[data-action=trash]')")
	b.press(kb.Enter)
	b.wait("the question again", "$('dialog.dialog')?.open")
	b.press(kb.Tab + kb.Enter)
	b.waitText("#toast", "Deleted")
}
