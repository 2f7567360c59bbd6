package browsertest_test

import (
	"path/filepath"
	"testing"
)

// testDropAndPaste brings pictures in without the file chooser.
func testDropAndPaste(t *testing.T, c *chromium) {
	in := newInstance(t)
	b := c.newTab(t, in)
	b.signIn(in.register(t, "grace-h"))
	b.open("/")
	b.waitText(".mine .empty", "Nothing here yet")

	// As from the desktop: a file, and a folder, far from the zone.
	dropped := landscape(t, "dropped.jpg", 9).save(t)
	b.dragIn(dropped, filepath.Dir(dropped))
	b.wait("the page to light up", "document.documentElement.matches('.dragging')")
	b.look("dragging")
	b.letGo()
	b.waitText("#toast", "Folders cannot be dropped here.")
	b.wait("the dropped picture", "loaded($('img', named('.mine .card', 'dropped.jpg')))")
	b.wait("the page not to be lit any more", "!document.documentElement.matches('.dragging')")

	// As from another page or program, several at once.
	first, second := ring(t, "first.png"), blinking(t, "second.gif")
	dispatch(b, "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })", first, second)
	b.wait("both dropped pictures", "loaded($('img', named('.mine .card', 'first.png'))) && loaded($('img', named('.mine .card', 'second.gif')))")

	// Browsers call every pasted picture image.png.
	b.pasteImage(ring(t, "screen.png"))
	b.wait("the pasted picture under a name of its own", "loaded($('img', named('.mine .card', 'pasted-')))")

	// A pasted text is none of the page's business.
	if eval[bool](b, `(() => { const data = new DataTransfer(); data.setData('text/plain', 'hello');
		return !document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })); })()`) {
		t.Error("the page swallows a pasted text")
	}
	if n := eval[int](b, "$$('.upload').length"); n != 4 {
		t.Errorf("%d uploads, want 4", n)
	}
}
