package browsertest_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// trialPage takes down what reaches it.
const trialPage = `<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width, initial-scale=1"><title>Trial</title>
<style>#pad { width: 250px; height: 300px; background: teal; touch-action: none }</style></head><body>
<main><div id="pad"></div><a href="/file" download="Снимок (1).txt">Save</a> <button>Copy</button>
<input type="file" multiple><input type="file" webkitdirectory></main>
<script>
const seen = [], files = [], down = new Map(), pad = document.querySelector('#pad');
const spread = () => { const [a, b] = [...down.values()]; return Math.round(Math.hypot(a.x - b.x, a.y - b.y)); };
for (const type of ['click', 'dblclick', 'pointerdown', 'wheel', 'pointermove']) {
  pad.addEventListener(type, (e) => seen.push([type, e.pointerType, e.shiftKey && 'shift', e.ctrlKey && 'ctrl'].filter(Boolean).join(' ')));
}
pad.addEventListener('pointerdown', (e) => { down.set(e.pointerId, e); if (down.size === 2) pad.dataset.from = spread(); });
pad.addEventListener('pointermove', (e) => { if (down.has(e.pointerId)) { down.set(e.pointerId, e); if (down.size === 2) pad.dataset.to = spread(); } });
pad.addEventListener('pointerup', (e) => { pad.dataset.held = e.timeStamp - pad.dataset.at; pad.dataset.moved = Math.round(e.clientX - pad.dataset.start); down.clear(); });
pad.addEventListener('pointerdown', (e) => { pad.dataset.start = e.clientX; pad.dataset.at = e.timeStamp; });
const walk = async (entry) => entry.isDirectory
  ? (await Promise.all((await new Promise((done) => entry.createReader().readEntries(done))).map(walk))).flat() : [entry.fullPath];
addEventListener('dragover', (e) => e.preventDefault());
addEventListener('drop', async (e) => { e.preventDefault();
  const entries = [...e.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const f of e.dataTransfer.files) if (f.type) files.push(f.name + ' ' + f.type + ' ' + (await f.arrayBuffer()).byteLength);
  for (const path of (await Promise.all(entries.map(walk))).flat().sort()) files.push(path); });
addEventListener('paste', (e) => { e.preventDefault(); for (const f of e.clipboardData.files) files.push(f.name + ' ' + f.type + (f.size > 100 ? ' whole' : '')); });
for (const input of document.querySelectorAll('input')) input.onchange = () => { for (const f of input.files) files.push(f.webkitRelativePath || f.name); };
document.querySelector('button').onclick = () => navigator.clipboard.writeText('taken along');
</script></body></html>`

// trial serves the page, as if it were an instance.
func trial(t *testing.T) *instance {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, trialPage)
		case "/sw.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = io.WriteString(w, "onmessage = () => { throw new Error('in the worker'); }; onfetch = (e) => e.respondWith(fetch(e.request));")
		case "/echo":
			n, _ := io.Copy(io.Discard, r.Body)
			_, _ = fmt.Fprintf(w, "%d %s", n, r.Header.Get("Accept-Language"))
		case "/favicon.ico":
		default:
			_, _ = io.WriteString(w, "what it holds")
		}
	}))
	t.Cleanup(server.Close)
	return &instance{base: server.URL}
}

// testHarness tries what the stories rely on: that what the harness does reaches a page as if a person had done it.
func testHarness(t *testing.T, c *chromium) {
	t.Run("Everywhere", func(t *testing.T) { t.Parallel(); c.everywhere(t, trial(t), tryDevice) })
	t.Run("Audit", func(t *testing.T) { t.Parallel(); tryAudit(t, c.newTab(t, trial(t))) })
	t.Run("Mouse", func(t *testing.T) { t.Parallel(); tryMouse(c.newTab(t, trial(t))) })
	t.Run("Fingers", func(t *testing.T) { t.Parallel(); tryFingers(c.newTab(t, trial(t))) })
	t.Run("Files", func(t *testing.T) { t.Parallel(); tryFiles(t, c.newTab(t, trial(t))) })
	t.Run("Network", func(t *testing.T) { t.Parallel(); tryNetwork(t, c.newTab(t, trial(t))) })
}

// tryAudit holds that axe runs, and each of its sets of rules with it: the page has many a fault.
func tryAudit(t *testing.T, b *tab) {
	b.open("/")
	eval[any](b, "($('main').style.cssText = 'color: #999; background: #fff', $('main').append('pale'), 1)")
	found := strings.Join(b.violations(), "\n")
	for _, rule := range []string{"label", "color-contrast", "page-has-heading-one"} { // A, AA, good practice
		if !strings.Contains(found, rule+" (") {
			t.Errorf("axe does not find a fault of %s, but\n%s", rule, found)
		}
	}
}

func tryDevice(t *testing.T, b *tab) {
	b.prefer("prefers-color-scheme", "dark")
	b.prefer("prefers-reduced-motion", "reduce")
	b.open("/")
	b.wait("the page", "$('main')")
	got := eval[string](b, `(() => { const is = (query) => matchMedia(query).matches; return [navigator.language, navigator.languages.join(),
		(0.5).toLocaleString(), innerWidth, devicePixelRatio, is('(pointer: coarse)') && navigator.maxTouchPoints > 1 ? 'touch' : 'mouse',
		is('(prefers-color-scheme: dark)') ? 'dark' : 'light', is('(prefers-reduced-motion: reduce)') ? 'still' : 'moving'].join(' '); })()`)
	want := map[string]string{"en": "en-US en-US,en 0.5", "ru": "ru-RU ru-RU,ru 0,5"}[b.language] +
		map[device]string{desktop: " 1280 1 mouse", phone: " 390 2 touch"}[b.device] + " dark still"
	if got != want {
		t.Errorf("the page sees\n%s, want\n%s", got, want)
	}
	asked := eval[string](b, "await fetch('/echo').then((r) => r.text())")
	if !strings.HasPrefix(asked, "0 "+b.language+"-") || !strings.Contains(asked, ","+b.language) {
		t.Errorf("the server is asked for %q", asked)
	}
}

func tryMouse(b *tab) {
	b.open("/")
	sees := func(what string) {
		b.t.Helper()
		b.wait(what, "seen.includes("+quote(what)+")")
		eval[int](b, "seen.length = 0")
	}
	b.click("pad")
	sees("click mouse")
	b.clickWith("pad", chromedp.ModifierShift)
	sees("click mouse shift")
	b.doubleClick("pad")
	sees("dblclick")
	b.hover("pad")
	sees("pointermove mouse")
	b.wheel("pad", -120, chromedp.ModifierCtrl)
	sees("wheel ctrl")
	b.drag("pad", 80, 0)
	b.wait("the pad to be pulled", "pad.dataset.moved === '80'")
}

func tryFingers(b *tab) {
	b.hold(phone)
	b.open("/")
	b.click("pad")
	b.wait("a tap", "seen.includes('click touch') && !seen.includes('click mouse')")
	b.swipe("pad", -90, 0)
	b.wait("the finger's way", "pad.dataset.moved === '-90'")
	b.pinch("pad", 1.5)
	b.wait("the fingers to go apart", "pad.dataset.from === '120' && pad.dataset.to === '180'")
	b.pinch("pad", 0.5)
	b.wait("the fingers to come together", "pad.dataset.from === '240' && pad.dataset.to === '120'")
	b.longPress("pad")
	b.wait("a long press", "pad.dataset.held > 700")
}

func tryFiles(t *testing.T, b *tab) {
	b.open("/")
	picture, other := ring(t, "ring.png"), landscape(t, "evening.jpg", 3)
	gets := func(what string, want ...string) {
		t.Helper()
		b.wait(what, "files.length >= "+quoteInt(len(want)))
		if got := eval[[]string](b, "files.splice(0)"); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: the page sees %q, want %q", what, got, want)
		}
	}
	b.drop(picture, other)
	gets("dropped files", fmt.Sprintf("ring.png image/png %d", len(picture.bytes)), fmt.Sprintf("evening.jpg image/jpeg %d", len(other.bytes)),
		"/evening.jpg", "/ring.png")
	holiday := folder(t, "holiday", picture, file{name: "sea/second.jpg", bytes: other.bytes})
	b.dragIn(holiday)
	b.letGo()
	gets("a dropped folder", "/holiday/ring.png", "/holiday/sea/second.jpg")
	b.choose(func() { b.click("$('input')") }, picture, other)
	gets("chosen files", "ring.png", "evening.jpg")
	b.choosePaths(func() { b.click("$('[webkitdirectory]')") }, holiday)
	b.wait("a chosen folder", "files.length === 2")
	if got := eval[[]string](b, "files.splice(0).sort()"); strings.Join(got, "|") != "holiday/ring.png|holiday/sea/second.jpg" {
		t.Errorf("of a chosen folder the page sees %q", got)
	}
	b.pasteImage(picture)
	gets("a pasted image", "image.png image/png whole")
	b.pasteFiles(picture, other)
	gets("pasted files", "ring.png image/png whole", "evening.jpg image/jpeg whole")

	if text := b.copied(func() { b.click("$('button')") }); text != "taken along" {
		t.Errorf("copied: %q", text)
	}
	if f := b.download(func() { b.click("$('a')") }); f.name != "Снимок (1).txt" || !bytes.Equal(f.bytes, []byte("what it holds")) {
		t.Errorf("downloaded: %q %q", f.name, f.bytes)
	}
}

func tryNetwork(t *testing.T, b *tab) {
	b.open("/")
	ask := func() string {
		return eval[string](b, "await fetch('/echo').then((r) => r.text(), (e) => e.name)")
	}
	b.offline(true)
	if got := ask(); got != "TypeError" || eval[bool](b, "navigator.onLine") {
		t.Errorf("without a network: %q", got)
	}
	b.offline(false)
	if got := ask(); !strings.HasPrefix(got, "0 ") || !eval[bool](b, "navigator.onLine") {
		t.Errorf("with the network back: %q", got)
	}
	b.slow(200_000, 100)
	took := eval[float64](b, `await (async () => { const began = performance.now();
		await fetch('/echo', { method: 'POST', body: new Uint8Array(100_000) }).then((r) => r.text()); return performance.now() - began; })()`)
	if took < 500 {
		t.Errorf("100 KB at 200 KB/s took %v ms", took)
	}
	b.slow(0, 0)

	eval[any](b, "await navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => 1)")
	b.open("/")
	b.wait("the service worker", "navigator.serviceWorker.controller")
	b.offline(true)
	if got := ask(); got != "TypeError" {
		t.Errorf("the service worker has a network: %q", got)
	}
	b.offline(false)
	b.forgive()
	eval[any](b, "(navigator.serviceWorker.controller.postMessage(1), 1)")
	if !eventually(func() bool {
		return strings.Contains(strings.Join(b.allFaults(), "\n"), "an error of the service worker's: ")
	}) {
		t.Errorf("the watch does not see an error in the service worker, but %q", b.allFaults())
	}
	b.forgive()
}
