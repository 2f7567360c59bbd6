package browsertest_test

import (
	"strings"
	"testing"
)

// testCopyAs copies a picture in every way, with and without the Clipboard API.
func testCopyAs(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	picture := owner.upload(t, photograph("[a] *b*.jpg", 12), "public")
	b := c.newTab(t, in)
	b.open(picture.PageURL)
	b.wait("the button", "$('[data-action=copy]')")
	if got := b.copied(func() { b.click("$('[data-action=copy]')") }); got != picture.URL {
		t.Errorf("copied %q, want %q", got, picture.URL)
	}
	thumbnail := in.base + "/i/" + picture.ID + ".webp?v="
	b.click("$('[data-action=more]')")
	for _, kind := range []struct{ button, starts, ends string }{
		{"Direct link", picture.URL, picture.URL},
		{"Link to the page", picture.PageURL, picture.PageURL},
		{"Markdown", `![\[a\] \*b\*.jpg](` + picture.URL, ")"},
		{"Markdown, linked thumbnail", `[![\[a\] \*b\*.jpg](` + thumbnail, "](" + picture.PageURL + ")"},
		{"HTML", `<img src="` + picture.URL + `" alt="[a] *b*.jpg" width="1600" height="700">`, ""},
		{"HTML, every size", "<picture>\n  <source type=\"image/avif\" srcset=\"" + in.base, "</picture>"},
		{"BBCode", "[img]" + picture.URL + "[/img]", ""},
		{"BBCode, linked thumbnail", "[url=" + picture.PageURL + "][img]" + thumbnail, "[/img][/url]"},
		{"reStructuredText", ".. image:: " + picture.URL + "\n   :alt: [a] *b*.jpg\n   :target: " + picture.PageURL, ""},
	} {
		row := "$$('.copy-dialog li').find((li) => textOf($('button', li)) === " + quote("Copy "+kind.button) + ")"
		text := b.copied(func() { b.click("$('button', " + row + ")") })
		if !strings.HasPrefix(text, kind.starts) || !strings.HasSuffix(strings.TrimSpace(text), kind.ends) {
			t.Errorf("%s: %q", kind.button, text)
		}
		if shown := eval[string](b, "$('pre', "+row+").textContent"); shown != text {
			t.Errorf("%s: shown is %q, copied %q", kind.button, shown, text)
		}
	}
	b.look("copy-as")
	b.click("named('.copy-dialog button', 'Close')")
	b.waitText("[data-action=copy]", "reStructuredText")

	// The choice is remembered. A page by http from another machine has no Clipboard API.
	b.open(picture.PageURL)
	b.waitText("[data-action=copy]", "reStructuredText")
	eval[any](b, "Object.defineProperty(navigator, 'clipboard', { value: undefined })")
	eval[any](b, "(window.taken = [], document.addEventListener('copy', (e) => taken.push(getSelection().toString() || e.target.value)), 1)")
	b.click("$('[data-action=copy]')")
	b.waitText("#toast", "Copied")
	if got := eval[[]string](b, "taken"); len(got) != 1 || !strings.HasPrefix(got[0], ".. image:: "+picture.URL) {
		t.Errorf("taken by selection: %q", got)
	}
	if !eval[bool](b, "document.activeElement.matches('[data-action=copy]') && !$('.off-screen')") {
		t.Error("the focus is elsewhere than before")
	}

	// Where nothing is allowed the text is there to be copied by hand.
	eval[any](b, "(document.execCommand = () => false, 1)")
	b.click("$('[data-action=copy]')")
	b.waitText("dialog pre", ".. image:: "+picture.URL)
	b.click("$('dialog pre')")
	b.wait("it to be selected as a whole", "getSelection().toString().trim() === $('dialog pre').textContent.trim()")
	b.look("copy-by-hand")
}
