package browsertest_test

import (
	"fmt"
	"net/url"
	"testing"
)

// words are those of the pages, by language, that the stories look for.
type words map[string][2]string

func (w words) in(b *tab, key string) string {
	b.t.Helper()
	pair, ok := w[key]
	if !ok {
		b.t.Fatalf("no words for %q", key)
	}
	return map[string]string{"en": pair[0], "ru": pair[1]}[b.language]
}

func testMyPictures(t *testing.T, c *chromium) {
	in := newInstance(t)
	t.Run("Everywhere", func(t *testing.T) { t.Parallel(); c.everywhere(t, in, tryMyPictures) })
	t.Run("Offline", func(t *testing.T) { t.Parallel(); tryPicturesOffline(t, c.newTab(t, in)) })
}

// title is how the first picture that the list shows is called.
const firstName = "$('.tile img')?.alt"

func tryMyPictures(t *testing.T, b *tab) {
	say := words{
		"none": {"No pictures yet", "Снимков пока нет"}, "nothing": {"Nothing found", "Ничего не нашлось"},
		"all": {"Show all pictures", "Показать все снимки"}, "usage": {"3 pictures", "3 снимка"}, "title": {"My pictures", "Мои снимки"},
	}
	who := b.in.somebody(t)
	b.signIn(who)
	b.open("/pictures")
	b.waitText(".message h2", say.in(b, "none"))
	b.wait("the page's title", "document.title === "+quote(say.in(b, "title")+" · Kadr"))
	b.fits("no pictures")
	b.audit("no pictures")

	who.upload(t, photograph("zebra.jpg", 1), "public")
	who.upload(t, ring(t, "<b>ring & Кольцо.png"), "private")
	who.upload(t, photograph("apple.jpg", 2), "unlisted")
	b.open("/pictures")
	b.settle(firstName + " === 'apple.jpg' && $$('.tile').length === 3")
	b.waitText(".page-head p", say.in(b, "usage"))
	b.fits("my pictures")
	b.audit("my pictures")

	choose := func(name, value string) {
		b.t.Helper()
		eval[any](b, fmt.Sprintf(`(() => { const s = $('select[name=%s]'); s.value = %s; s.dispatchEvent(new Event('input', { bubbles: true })); return s.value; })()`, name, quote(value)))
	}
	shows := func(what, search string, names ...string) {
		b.t.Helper()
		b.wait(what, fmt.Sprintf("location.search === %s && $$('.tile img').map((img) => img.alt).join('|') === %s", quote(search), quote(join(names))))
	}
	choose("sort", "created_at asc")
	shows("the oldest first", "?sort=created_at&order=asc", "zebra.jpg", "<b>ring & Кольцо.png", "apple.jpg")
	choose("visibility", "private")
	shows("the private one", "?sort=created_at&order=asc&visibility=private", "<b>ring & Кольцо.png")
	b.open("/pictures?sort=created_at&order=asc&visibility=private")
	shows("the same after a reload", "?sort=created_at&order=asc&visibility=private", "<b>ring & Кольцо.png")
	if got := eval[string](b, "[...$('form').elements].map((e) => e.value).join('|')"); got != "|created_at asc|private|" {
		t.Errorf("the form says %q", got)
	}
	choose("visibility", "")
	choose("sort", "")
	shows("all", "", "apple.jpg", "<b>ring & Кольцо.png", "zebra.jpg")
	eval[any](b, "(history.back(), 1)")
	shows("what was there before, without a filter", "?sort=created_at&order=asc", "zebra.jpg", "<b>ring & Кольцо.png", "apple.jpg")
	b.wait("the form to say so", "$('select[name=sort]').value === 'created_at asc'")

	search := func(text string) {
		b.t.Helper()
		b.click("$('input[type=search]')")
		eval[any](b, "($('input[type=search]').select(), 1)")
		b.press(text)
	}
	b.open("/pictures")
	b.settle("$$('.tile').length === 3")
	search("КОЛЬЦО")
	shows("what was searched for", "?q="+url.QueryEscape("КОЛЬЦО"), "<b>ring & Кольцо.png")
	search(`"><img src=x onerror=alert(1)>`)
	b.waitText(".message h2", say.in(b, "nothing"))
	b.fits("nothing found")
	b.audit("nothing found")
	b.click("named('.message button', " + quote(say.in(b, "all")) + ")")
	shows("all again", "", "apple.jpg", "<b>ring & Кольцо.png", "zebra.jpg")
	if eval[string](b, "$('input[type=search]').value") != "" || !eval[bool](b, "document.activeElement.matches('input[type=search]')") {
		t.Error("the field is not empty, with the focus in it")
	}
	choose("media_type", "image/png")
	shows("the PNG", "?media_type=image%2Fpng", "<b>ring & Кольцо.png")
}

func join(names []string) (all string) {
	for i, name := range names {
		if i > 0 {
			all += "|"
		}
		all += name
	}
	return all
}

// tryPicturesOffline loses the network: the page says so, and goes on by itself when it is back.
func tryPicturesOffline(t *testing.T, b *tab) {
	who := b.in.somebody(t)
	who.upload(t, photograph("harbour.jpg", 3), "public")
	b.signIn(who)
	b.open("/pictures")
	b.settle(firstName + " === 'harbour.jpg'")
	b.offline(true)
	eval[any](b, `($('select[name=sort]').value = 'name asc', $('select[name=sort]').dispatchEvent(new Event('input', { bubbles: true })))`)
	b.waitText(".grid-foot .notice", "The server did not answer")
	b.fits("offline")
	b.audit("offline")
	b.click("named('.notice button', 'Try again')")
	b.waitText(".grid-foot .notice", "The server did not answer")
	b.offline(false)
	b.settle(firstName + " === 'harbour.jpg'")
	b.forgive()
}

func testPersonPage(t *testing.T, c *chromium) {
	in := newInstance(t)
	boris, anna := in.register(t, "boris"), in.register(t, "anna")
	boris.upload(t, photograph("public.jpg", 4), "public")
	boris.upload(t, photograph("secret.jpg", 5), "private")
	t.Run("Everywhere", func(t *testing.T) {
		t.Parallel()
		c.everywhere(t, in, func(t *testing.T, b *tab) {
			say := words{
				"mine": {"This is how others see you", "Такой вашу страницу видят другие"},
				"none": {"No public pictures yet", "Открытых снимков пока нет"}, "missing": {"There is nothing here", "Здесь ничего нет"},
			}
			b.open("/u/boris")
			b.settle(firstName + " === 'public.jpg' && $$('.tile').length === 1 && textOf($('h1')) === 'boris' && !$('.tile-check')")
			b.fits("a person")
			b.audit("a person")
			b.signIn(boris)
			b.open("/u/boris")
			b.waitText(".page-head", say.in(b, "mine"))
			b.settle("$$('.tile').length === 1")
			b.open("/u/" + anna.name)
			b.waitText(".message h2", say.in(b, "none"))
			b.audit("a person without pictures")
			b.open("/u/nobody-here")
			b.waitText(".message h1", say.in(b, "missing"))
			b.forgive() // the page itself answers 404, as it should
		})
	})
}
