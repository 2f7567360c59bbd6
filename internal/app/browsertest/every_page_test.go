package browsertest_test

import (
	"os"
	"testing"
)

// testEveryPage looks at every page on a phone and on a desktop, by day and by night: axe finds nothing, and nothing stands
// out of the narrowest window, nor of the widest. Where KADR_SCREENSHOTS names a folder, pictures of the pages go there.
// Each page is opened once for each language, and then taken from one device to the other.
func testEveryPage(t *testing.T, c *chromium) {
	s := setStage(t)
	if dir := os.Getenv("KADR_SCREENSHOTS"); dir != "" {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range s.places() {
		for _, language := range []string{"en", "ru"} {
			if language == "ru" && !p.russian {
				continue
			}
			t.Run(p.name+"-"+language, func(t *testing.T) {
				t.Parallel()
				b := s.at(t, c, p, language)
				for _, d := range []device{phone, smallest, desktop, wall} {
					b.hold(d)
					b.fits(string(d))
					// What axe judges does not depend on the language.
					if language == "en" && (d == phone || d == desktop) {
						b.audit(string(d))
					}
					if os.Getenv("KADR_SCREENSHOTS") == "" && !artifactsWanted() {
						continue
					}
					for _, scheme := range []string{"light", "dark"} {
						if d == phone || d == desktop || (language == "en" && scheme == "light") {
							b.preferring(scheme, func() { b.picture(p.name + "-" + string(d) + "-" + language + "-" + scheme) })
						}
					}
				}
			})
		}
	}
}

// at opens a place on a phone.
func (s *stage) at(t *testing.T, c *chromium, p place, language string) *tab {
	t.Helper()
	in := s.in
	if p.bare {
		in = s.bare
	}
	b := c.newTab(t, in)
	b.speak(language)
	b.hold(phone)
	if p.as != nil {
		b.signIn(p.as)
	}
	b.open(p.path)
	b.settle(p.ready)
	if p.then != nil {
		p.then(b)
	}
	return b
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
