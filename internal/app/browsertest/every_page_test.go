package browsertest_test

import (
	"fmt"
	"os"
	"testing"
)

// stage is an instance on which there is something to see.
type stage struct {
	in            *instance
	member, empty *person // one with pictures, one without
	pictures      []image // the member's, newest last
	deleted       image
}

func setStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{in: newInstance(t)}
	s.member, s.empty = s.in.register(t, "ada-lovelace"), s.in.register(t, "newcomer")
	s.pictures = s.member.fill(t, 24)
	for i, title := range []string{"First light", "The far ridge", "Above the valley", "Evening, on the way home"} {
		if i < len(s.pictures) {
			s.member.describe(t, s.pictures[len(s.pictures)-1-i], map[string]string{
				"title": title, "description": "Hills behind hills, with the sun low over the last of them.",
			})
		}
	}
	s.deleted = s.member.upload(t, ring(t, "ring.png"), "public")
	s.member.delete(t, s.deleted)
	return s
}

// newest is the member's picture that is the first to be seen.
func (s *stage) newest() image { return s.pictures[len(s.pictures)-1] }

// place is a page, or a state of one, that people may come to see.
type place struct {
	name  string
	as    func(*testing.T) *person
	path  string
	ready string     // what shows that the page has what it is about
	then  func(*tab) // what brings about the state; nil: the page as it opens
}

// places are all of them: what is listed here is audited, measured against the windows, and photographed.
func (s *stage) places() []place {
	visitor := func(*testing.T) *person { return nil }
	member, empty := func(*testing.T) *person { return s.member }, func(*testing.T) *person { return s.empty }
	uploads := func(b *tab) {
		b.choose(func() { b.click("$('.drop-zone')") }, photograph("harbour.jpg", 31), photograph("lighthouse.jpg", 32), notes("notes.txt"))
	}
	return []place{
		{"home-visitor", visitor, "/", "$('.feed .card')", nil},
		{"home-member", member, "/", "$('.mine .card')", nil},
		{"home-empty", empty, "/", "$('.mine .empty')", nil},
		{"picture-visitor", visitor, "/p/" + s.newest().ID, "loaded($('.stage img'))", nil},
		{"picture-owner", member, "/p/" + s.newest().ID, "loaded($('.stage img')) && $('[name=title]').checkVisibility()", nil},
		{"picture-viewer", visitor, "/p/" + s.newest().ID, "loaded($('.stage img'))", func(b *tab) {
			b.press("f")
			b.wait("the viewer", "$('.viewer').matches(':modal')")
		}},
		{"picture-copy", visitor, "/p/" + s.newest().ID, "loaded($('.stage img'))", func(b *tab) {
			b.click("$('[data-action=more]')")
			b.wait("the kinds", "$('.copy-dialog pre')")
		}},
		{"not-found", visitor, "/p/" + never, "$('.message')", nil},
		{"gone", visitor, "/p/" + s.deleted.ID, "$('.message')", nil},
		{"upload-running", s.in.somebody, "/", "$('.mine .empty')", func(b *tab) {
			b.slow(20_000, 50)
			uploads(b)
			b.wait("the uploads to run", "$$('.upload').length === 3")
		}},
		{"upload-finished", s.in.somebody, "/", "$('.mine .empty')", func(b *tab) {
			uploads(b)
			b.wait("the uploads to end", "$$('.upload.done').length === 2")
			b.settle("$$('.mine .card').length === 2")
		}},
	}
}

// testEveryPage looks at every page by day and by night, on a desktop and on a phone, and in Russian: axe finds nothing,
// and nothing stands out of the window. Where KADR_SCREENSHOTS names a folder, pictures of the pages go there.
func testEveryPage(t *testing.T, c *chromium) {
	s := setStage(t)
	if dir := os.Getenv("KADR_SCREENSHOTS"); dir != "" {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range s.places() {
		for _, from := range []struct {
			language string
			device   device
		}{{"en", desktop}, {"en", phone}, {"ru", phone}} {
			name := fmt.Sprintf("%s-%s-%s", p.name, from.device, from.language)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := c.newTab(t, s.in)
				b.speak(from.language)
				b.hold(from.device)
				if as := p.as(t); as != nil {
					b.signIn(as)
				}
				b.open(p.path)
				b.settle(p.ready)
				if p.then != nil {
					p.then(b)
				}
				b.fits(name)
				for _, scheme := range []string{"light", "dark"} {
					if os.Getenv("KADR_SCREENSHOTS") != "" || artifactsWanted() {
						b.preferring(scheme, func() { b.picture(name + "-" + scheme) })
					}
				}
				b.audit(name)
			})
		}
	}
}

// settle waits until the page has what it is about, and is whole as far as one sees it.
func (b *tab) settle(ready string) {
	b.t.Helper()
	b.wait("the page to be whole", `document.readyState === 'complete' && $('h1') && (`+ready+`) && !$('[aria-busy=true]') &&
		$$('img').filter((img) => {
			const box = img.getBoundingClientRect();
			return img.checkVisibility() && box.bottom > 0 && box.top < innerHeight;
		}).every(loaded)`)
}
