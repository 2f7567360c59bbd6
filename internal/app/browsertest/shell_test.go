package browsertest_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// kept are the addresses of all that the service worker keeps.
const kept = `(await Promise.all((await caches.keys()).map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)))).flat()`

// shellFile is what it may keep: what is the same for everybody.
var shellFile = regexp.MustCompile(`^/(index\.html|favicon\.svg|manifest\.webmanifest|(css|js|locales|icons)/[a-z0-9./-]+)$`)

// testInstall holds that the browser would install the pages as a program of its own, which opens without a network, and
// keeps nothing of anybody's for that.
func testInstall(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	picture := p.upload(t, landscape(t, "diary.jpg", 5), "private")
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/")
	b.settle("$('.zone').checkVisibility()")
	b.wait("the service worker to have what the page is made of", "navigator.serviceWorker.controller && ("+kept+").some((url) => url.endsWith('/locales/en.json'))")

	manifest, err := chromedp.Call(b.ctx, page.GetAppManifest, page.GetAppManifestParams{})
	if err != nil || len(manifest.Errors) > 0 || !strings.HasSuffix(manifest.URL, "/manifest.webmanifest") {
		t.Errorf("the manifest: %v %+v", err, manifest)
	}
	install, err := chromedp.Call(b.ctx, page.GetInstallabilityErrors, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range install.InstallabilityErrors {
		if e.ErrorID != "in-incognito" { // as all tabs of the tests are
			t.Errorf("it cannot be installed: %+v", e)
		}
	}

	for _, visit := range []struct{ path, ready string }{
		{"/pictures", "$('.tile')"},
		{"/p/" + picture.ID, shownPicture + " && $('[name=title]')"},
		{"/u/" + p.name, "$('.message')"},
		{"/settings#keys", "$('[name=scopes]')"},
		{"/", "$('.zone').checkVisibility()"},
	} {
		b.open(visit.path)
		b.settle(visit.ready)
	}
	addresses := eval[[]string](b, kept)
	for _, address := range addresses {
		if path := strings.TrimPrefix(address, in.base); !shellFile.MatchString(path) {
			t.Errorf("the service worker keeps %s", path)
		}
	}
	for _, wanted := range []string{"/index.html", "/js/app.js", "/js/pages/picture.js", "/css/base.css", "/icons/icons.svg", "/favicon.svg"} {
		if !slices.Contains(addresses, in.base+wanted) {
			t.Errorf("the service worker does not keep %s", wanted)
		}
	}
	if said := eval[string](b, "await (await caches.match('/index.html')).text()"); strings.Contains(said, "kadr-data") || strings.Contains(said, p.name) {
		t.Error("the page that it keeps is somebody's")
	}

	b.offline(true)
	for _, path := range []string{"/p/" + picture.ID, "/pictures"} {
		b.open(path)
		b.waitText("#offline", "You are offline")
		b.waitText("main", "The server did not answer")
		b.wait("the frame", "$('.brand') && textOf($('#foot')) && getComputedStyle($('.top')).display !== 'block'")
		b.fits("offline at " + path)
		if text := eval[string](b, "document.documentElement.outerHTML"); strings.Contains(text, "diary") {
			t.Error("without a network the page shows the private picture")
		}
	}
	b.audit("offline")
	b.offline(false)
	b.wait("the bar to go", "!$('#offline').checkVisibility()")
	b.click("named('main button', 'Try again')")
	b.settle("$('.tile')")
	b.wait("who is signed in", "$('button.avatar')")
}

// mostScript is the most script that one page may come with, as it is, comments and all.
const mostScript = 80_000

// testWeight weighs each page, opened by its address and left alone.
func testWeight(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	picture := p.upload(t, landscape(t, "evening.jpg", 5), "public")
	for _, visit := range []struct {
		path, ready string
		as          *person
	}{
		{"/", "$('.tile')", nil},
		{"/", "$('.tile') && $('.zone').checkVisibility()", p},
		{"/pictures", "$('.tile')", p},
		{"/p/" + picture.ID, shownPicture, nil},
		{"/p/" + picture.ID, shownPicture + " && $('[name=title]')", p},
		{"/u/" + p.name, "$('.tile')", nil},
		{"/settings", field("confirm"), p},
		{"/sign-in", field("name"), nil},
		{"/register", field("name"), nil},
		{"/no/such/page", "$('.message')", nil},
	} {
		b := c.newTab(t, in)
		who := "a visitor"
		if visit.as != nil {
			who = "a member"
			b.signIn(visit.as)
		}
		b.open(visit.path)
		b.settle(visit.ready)
		const scripts = "performance.getEntriesByType('resource').filter(({ name }) => new URL(name).pathname.endsWith('.js'))"
		b.wait("nothing to be loaded for half a second", "performance.now() - Math.max(...performance.getEntriesByType('resource').map((e) => e.responseEnd)) > 500")
		bytes := eval[int](b, "Object.values(Object.fromEntries("+scripts+".map((e) => [e.name, e.decodedBodySize]))).reduce((a, b) => a + b, 0)")
		t.Logf("%s, for %s: %d bytes of JavaScript, in %d files", visit.path, who, bytes, eval[int](b, "new Set("+scripts+".map((e) => e.name)).size"))
		if bytes == 0 || bytes >= mostScript {
			t.Errorf("%s, for %s, comes with %s", visit.path, who, eval[string](b,
				fmt.Sprintf("%d + ' bytes of JavaScript: ' + %s.map((e) => e.decodedBodySize + ' ' + new URL(e.name).pathname).join(', ')", bytes, scripts)))
		}
	}
}
