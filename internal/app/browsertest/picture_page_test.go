package browsertest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"
)

// testPicturePage is a picture's own page, for whoever has the link.
func testPicturePage(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	picture := owner.upload(t, photograph("harbour.jpg", 12), "unlisted")
	owner.describe(t, picture, map[string]string{"title": "The harbour", "description": "At noon,\nwith no ship in sight."})
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		b.open(picture.PageURL)
		b.waitText("h1", "The harbour")
		b.wait("the picture", "loaded($('.stage img'))")
		b.waitText(".picture-info > p", "At noon,")
		b.waitText("dd a", "vivian-m")
		b.wait("the facts", "$$('dd').some((e) => /^1.?600 × 700$/.test(textOf(e))) && named('dd', 'harbour.jpg') && named('dd', 'JPEG')")
		if alt := eval[string](b, "$('.stage img').alt"); alt != "At noon,\nwith no ship in sight." {
			t.Errorf("the alternative text is %q", alt)
		}
		if eval[bool](b, "$$('form, [data-action=trash], .viewer-next').some((e) => e.checkVisibility())") {
			t.Error("a visitor is offered what there is not")
		}
		if status := b.status("GET /api/v1/images/" + picture.ID); status != 0 {
			t.Errorf("the page asked for what it had already: %d", status)
		}
		if saved := b.download(func() { b.click("$('a[download]')") }); saved.name != "harbour.jpg" {
			t.Errorf("saved as %q", saved.name)
		}
		b.look("picture-" + b.language + "-" + string(b.device))
	})
}

// testPictureShapes shows what is no plain photograph, the largest at its natural size at most.
func testPictureShapes(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	heic, err := os.ReadFile(filepath.Join("..", "..", "imaging", "testdata", "gradient.heic"))
	if err != nil {
		t.Fatal(err)
	}
	b := c.newTab(t, in)
	for _, shape := range []struct {
		file
		shown string
	}{
		{file{"phone.heic", "image/heic", heic}, `/\.(webp|jpg)/.test(img.currentSrc)`},
		{blinking(t, "blink.gif"), `/\.gif/.test(img.currentSrc) && box.width === 160`},
		{ring(t, "ring.png"), `box.width === 400 && !$('.stage canvas')`},
		{photograph("tall.jpg", 7), `box.width * 2 === box.height && box.height < innerHeight`},
		{photograph("wide.jpg", 4), `Math.abs(box.width / box.height - 16 / 7) < 0.01 && box.right < innerWidth`},
	} {
		b.open(owner.upload(t, shape.file, "public").PageURL)
		b.wait(shape.name, `((img) => { const box = img.getBoundingClientRect(); return loaded(img) && `+shape.shown+`; })($('.stage img'))`)
		b.look("shape-" + shape.name)
	}
}

// testPictureEdit changes what a picture is called, where it stands.
func testPictureEdit(t *testing.T, c *chromium) {
	in := newInstance(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		owner := in.somebody(t)
		picture := owner.upload(t, photograph("harbour.jpg", 2), "public")
		saved := map[string]string{"en": "Saved", "ru": "Сохранено"}[b.language]
		b.signIn(owner)
		b.open(picture.PageURL)

		// By Enter, and by leaving the field.
		b.typeInto("$('[name=title]')", "The harbour", kb.Enter)
		b.waitText(".picture-info [role=status]", saved)
		b.wait("the title", "document.title === 'The harbour · Kadr' && $('h1').textContent === 'The harbour'")
		b.typeInto("$('textarea')", "No ship in sight.", "")
		b.click("$$('dd')[2]")
		b.wait("the description to be saved", "(await (await fetch('/api/v1/images/"+picture.ID+"')).json()).description === 'No ship in sight.'")

		// Escape leaves it as it was.
		b.typeInto("$('[name=title]')", " at night", kb.Escape)
		b.wait("the old title", "$('[name=title]').value === 'The harbour'")

		// Somebody else was faster.
		owner.describe(t, picture, map[string]string{"title": "Elsewhere"})
		b.typeInto("$('[name=title]')", "!", kb.Enter)
		b.wait("the conflict", "$('.picture-info .notice.error') && $('[name=title]').value.includes('!')")
		b.look("picture-conflict-" + b.language)
		b.click("$('[data-action=reload]')")
		b.wait("what it is now", "$('[name=title]').value === 'Elsewhere' && !$('.picture-info .notice.error')")

		// What a list said is old, and what one has begun to write meanwhile stays.
		b.open("/pictures")
		b.settle("$('.tile')")
		owner.describe(t, picture, map[string]string{"description": "A ship in sight!"})
		b.slow(0, 1500)
		b.click("$('.tile a')")
		b.typeInto("$('[name=title]')", " and back", "")
		b.slow(0, 0)
		b.wait("the new description beside the title begun", "$('textarea').value === 'A ship in sight!' && $('[name=title]').value === 'Elsewhere and back'")

		// The session ended: after signing in, what was begun is saved.
		owner.signOutEverywhere(t)
		b.typeInto("$('[name=title]')", "!", kb.Enter)
		b.typeInto("$('dialog.dialog [name=password]')", password, kb.Enter)
		b.wait("the title to be saved after all", "(await (await fetch('/api/v1/images/"+picture.ID+"')).json()).title.includes('!')")
		owner.signIn(t)

		b.wait("the dialog to be gone", "!$('dialog.dialog')")
		eval[bool](b, "(() => { const s = $('[name=visibility]'); s.value = 'private'; return s.dispatchEvent(new Event('change', { bubbles: true })); })()")
		b.waitText(".picture-info [role=status]", saved)
		if status, _ := in.stranger().get(t, picture.URL); status != http.StatusNotFound {
			t.Errorf("a stranger gets the private picture with %d", status)
		}
		b.look("picture-own-" + b.language)
	})
}

// typeInto writes into a field, at the end of what is there, and then presses keys. A phone's keyboard inserts texts.
func (b *tab) typeInto(field, text, keys string) {
	b.t.Helper()
	b.click(field)
	b.wait("the focus", "document.activeElement === "+field)
	if b.device.touched() {
		call(b, input.InsertText, input.InsertTextParams{Text: text})
	} else {
		b.press(text)
	}
	b.press(keys)
}

// testPictureDelete deletes a picture out of a list, to which one comes back.
func testPictureDelete(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	for i, name := range []string{"one.jpg", "two.jpg", "three.jpg"} {
		owner.upload(t, photograph(name, i), "public")
	}
	b := c.newTab(t, in)
	b.signIn(owner)
	b.open("/pictures")
	b.click("$('.tile a[href]')")
	b.wait("the picture", "loaded($('.stage img'))")
	b.click("$('[data-action=trash]')")
	b.click("$('dialog .danger')")
	b.wait("the others", "location.pathname === '/pictures' && $$('.tile').length === 2")
	eval[any](b, "history.forward()")
	b.waitText("h1", "This picture was deleted")
}

// testMissingPictures tells the ways in which there is no picture apart, as far as one may know.
func testMissingPictures(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	deleted := owner.upload(t, photograph("regret.jpg", 1), "public")
	owner.delete(t, deleted)
	private := owner.upload(t, photograph("diary.jpg", 2), "private")
	b := c.newTab(t, in)
	b.signIn(in.register(t, "nosy"))

	b.open(deleted.PageURL)
	b.waitText("h1", "This picture was deleted")
	b.look("deleted")
	b.open("/p/" + never)
	b.waitText("h1", "There is nothing here")
	text := eval[string](b, "textOf($('main'))")
	b.open(private.PageURL)
	b.waitText("h1", "There is nothing here")
	if got := eval[string](b, "textOf($('main'))"); got != text {
		t.Errorf("of a private picture the page says %q, of none %q", got, text)
	}
	b.open("/p/not%20an%20id")
	b.waitText("h1", "There is nothing here")

	b = c.newTab(t, in)
	b.signIn(owner)
	b.open(private.PageURL)
	b.wait("one's own", "loaded($('.stage img')) && $('[name=visibility]').value === 'private'")
}

// never has the form of an id, and nobody's luck.
const never = "AAAAAAAAAAAAAAAA"
