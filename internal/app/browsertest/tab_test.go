package browsertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience is how long anything may take that is waited for. It is for slow machines: nothing waits longer than it must.
const patience = 20 * time.Second

// prelude is what expressions may use: elements by selector, by their text, and what a person can see of an element.
const prelude = `
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const textOf = (element) => (element?.innerText ?? '').replace(/\s+/g, ' ').trim();
const named = (selector, text, root = document) => $$(selector, root).find((e) => textOf(e).includes(text));
const loaded = (img) => Boolean(img?.complete && img.naturalWidth > 0);
`

// tab is a page that a person has open.
type tab struct {
	*watch
	*chromium
	t           *testing.T
	ctx         context.Context
	in          *instance
	device      device
	language    string
	preferences map[string]string
	dragged     *input.DragData
	workers     map[target.ID]context.Context
}

// newTab opens an empty tab in a browser context of its own, in English on a desktop, and watches it until the test ends.
// The page may come from further hosts.
func (c *chromium) newTab(t *testing.T, in *instance, further ...string) *tab {
	t.Helper()
	b := &tab{
		watch: newWatch(append(further, strings.TrimPrefix(in.base, "http://"))...), chromium: c, t: t, in: in,
		preferences: map[string]string{}, workers: map[target.ID]context.Context{},
	}
	b.ctx, _ = chromedp.NewContext(c.root, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.see))
	t.Cleanup(b.close)
	b.do("open a tab", chromedp.Func(func(ctx context.Context, s *chromedp.Target) error {
		_, err := cdp.Call(ctx, s, audits.Enable, cdp.Empty{})
		// All tabs are in front at once, each with the focus.
		_, focus := cdp.Call(ctx, s, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		_, chooser := cdp.Call(ctx, s, page.SetInterceptFileChooserDialog, page.SetInterceptFileChooserDialogParams{Enabled: true})
		_, workers := cdp.Call(ctx, s, serviceworker.Enable, cdp.Empty{})
		return errors.Join(err, focus, chooser, workers)
	}))
	b.speak("en")
	b.hold(desktop)
	go func() {
		for {
			select {
			case <-b.dialogs:
				_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{}) // noted already
			case <-b.ctx.Done():
				return
			}
		}
	}()
	return b
}

func (b *tab) close() {
	if b.t.Failed() {
		b.picture("failure-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
	}
	// After an answer to this, nothing that the page did before is still on its way.
	eval[bool](b, "true")
	if err := chromedp.Cancel(b.ctx); err != nil {
		b.t.Errorf("close the tab: %v", err)
	}
	for _, fault := range b.allFaults() {
		b.t.Errorf("the page had %s", fault)
	}
}

// do runs one action within bounds. The first one of a tab binds the tab's life to its context, so it gets none.
func (b *tab) do(what string, action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx := b.ctx
	if chromedp.FromContext(ctx).Target != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if err := chromedp.Do(ctx, action); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// call sends a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	b.do(command.Method, chromedp.Func(func(ctx context.Context, s *chromedp.Target) error {
		_, err := cdp.Call(ctx, s, command, params)
		return err
	}))
}

// eval returns the value of a JavaScript expression, awaited.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := tryEval[T](b, expression)
	if err != nil {
		b.t.Errorf("%s: %v", expression, err) // not fatal, for the clean-up uses it too
	}
	return v
}

func tryEval[T any](b *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T]("(async () => {"+prelude+"return (\n"+expression+"\n);})()", chromedp.EvalAwaitPromise))
}

// quote writes a text as JavaScript does.
func quote(text string) string {
	q, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always can be
	}
	return string(q)
}

// wait asks the page until a condition holds. An exception is a no: the page may just be changing.
func (b *tab) wait(what, condition string) {
	b.t.Helper()
	var last error
	if eventually(func() bool {
		ok, err := tryEval[bool](b, "Boolean("+condition+")")
		last = err
		return ok && err == nil
	}) {
		return
	}
	text := eval[string](b, "document.title + '\\n' + location.href + '\\n' + document.body.innerText")
	b.t.Fatalf("waited %v in vain for: %s\n%s\n%v\nThe page: %s", patience, what, condition, last, text)
}

// waitText waits for a text that can be seen in an element.
func (b *tab) waitText(selector, text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("%q in %s", text, selector), fmt.Sprintf("named(%s, %s)?.checkVisibility()", quote(selector), quote(text)))
}

// open goes to a path of the instance, or to a full address.
func (b *tab) open(address string) {
	b.t.Helper()
	if !strings.HasPrefix(address, "http://") {
		address = b.in.base + address
	}
	b.do("open "+address, chromedp.Navigate(address))
}

// signIn gives the tab the session of a person.
func (b *tab) signIn(p *person) {
	b.t.Helper()
	c := p.session(b.t)
	httpOnly := true
	call(b, network.SetCookie, network.SetCookieParams{
		Name: c.Name, Value: c.Value, URL: b.in.base, HTTPOnly: &httpOnly, SameSite: network.CookieSameSiteLax,
	})
}

// point is where one can click on the element that an expression gives: once it is there, stands still for being clicked,
// and nothing lies over it.
func (b *tab) point(element string) (at struct{ X, Y float64 }) {
	b.t.Helper()
	if !eventually(func() bool {
		p, _ := tryEval[[]float64](b, `await (async (e) => {
			if (!e || e.disabled) return null;
			e.scrollIntoView({ block: 'center', behavior: 'instant' });
			const before = e.getBoundingClientRect();
			await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
			const box = e.getBoundingClientRect();
			if (box.x !== before.x || box.y !== before.y) return null;
			const point = [box.x + box.width / 2, box.y + box.height / 2];
			const top = document.elementFromPoint(...point);
			return top && (e.contains(top) || top.contains(e)) ? point : null;
		})(`+element+`)`)
		if len(p) == 2 {
			at.X, at.Y = p[0], p[1]
		}
		return len(p) == 2
	}) {
		b.t.Fatalf("nothing to click on at %s", element)
	}
	return at
}

// press presses keys, one after the other.
func (b *tab) press(keys string, options ...chromedp.KeyOption) {
	b.t.Helper()
	b.do(fmt.Sprintf("press %q", keys), chromedp.KeyEvent(keys, options...))
}

// tabTo presses Tab until the element has the focus, which one must be able to see.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 30 {
		if eval[bool](b, "document.activeElement.matches("+quote(selector)+")") {
			if !eval[bool](b, "getComputedStyle(document.activeElement).outlineStyle !== 'none' || "+
				"document.activeElement.matches('.sr-only')") {
				b.t.Errorf("one cannot see that %s has the focus", selector)
			}
			return
		}
		b.press(kb.Tab)
	}
	b.t.Fatalf("Tab does not lead to %s", selector)
}

// look looks at the page as it is now in windows from the narrowest to the widest: nothing may stand out of the window, and
// what can be clicked must not be cut off. With -artifacts it leaves pictures by day and by night.
func (b *tab) look(name string) {
	b.t.Helper()
	before := b.device
	for _, d := range []device{smallest, phone, desktop, wall} {
		b.hold(d)
		b.fits(name + ", " + string(d))
		if artifactsWanted() && d != smallest {
			for _, scheme := range []string{"light", "dark"} {
				b.preferring(scheme, func() { b.picture(fmt.Sprintf("%s-%s-%s", name, d, scheme)) })
			}
		}
	}
	b.hold(before)
}

// fits holds that nothing stands out of the window.
func (b *tab) fits(name string) {
	b.t.Helper()
	if out := eval[[]string](b, overflowing); len(out) > 0 {
		b.t.Errorf("%s: these stand out: %s", name, strings.Join(out, "; "))
	}
}

// overflowing names the elements that make the page scroll sideways, and those that a box cuts off.
const overflowing = `(() => {
	const describe = (e) => e.tagName.toLowerCase() + [...e.classList].map((c) => '.' + c).join('') + ' ' + textOf(e).slice(0, 40);
	const seen = $$('body *').filter((e) => e.checkVisibility() && !e.closest('.sr-only, .off-screen, .skip'));
	const root = document.documentElement;
	const standsOut = (e) => e.getBoundingClientRect().right > root.clientWidth + 0.5
		|| (e.childElementCount === 0 && e.scrollWidth > root.clientWidth);
	const out = root.scrollWidth > root.clientWidth
		? [root.scrollWidth + ' px in ' + root.clientWidth, ...seen.filter(standsOut).map(describe)]
		: [];
	const cut = seen.filter((e) => e.matches('a, button, input, select')).filter((e) => {
		const box = e.getBoundingClientRect();
		for (let p = e.parentElement; p; p = p.parentElement) {
			const frame = p.getBoundingClientRect();
			if (getComputedStyle(p).overflowX !== 'visible' && (box.right > frame.right + 0.5 || box.left < frame.left - 0.5)) return true;
		}
		return false;
	});
	// What is fixed in its size does not make room for what comes too close.
	const head = seen.filter((e) => e.matches('.top a, .top button') && !e.closest('[popover]'));
	const box = (e) => e.getBoundingClientRect();
	const close = head.filter((e, i) => head.some((other, j) => j < i && box(other).right > box(e).left + 0.5));
	return [...out, ...close.map((e) => 'too close: ' + describe(e)), ...cut.map((e) => 'cut off: ' + describe(e))].slice(0, 12);
})()`

// artifactsWanted tells whether the test was started with -artifacts.
func artifactsWanted() bool {
	f := flag.Lookup("test.artifacts")
	return f != nil && f.Value.String() == "true"
}

// picture saves a picture of the whole page.
func (b *tab) picture(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	// What lies over the page is where the window is.
	whole := chromedp.FullScreenshot(100)
	if eval[bool](b, "Boolean($(':modal, :popover-open, .tray:not([hidden]), .selection-bar:not([hidden])'))") {
		whole = chromedp.CaptureScreenshot()
	}
	shot, err := chromedp.Run(ctx, whole)
	dir := os.Getenv("KADR_SCREENSHOTS")
	if dir == "" {
		dir = b.t.ArtifactDir()
	}
	path := filepath.Join(dir, name+".png")
	if err == nil {
		err = os.WriteFile(path, shot, 0o600)
	}
	if err != nil {
		b.t.Logf("no picture %s: %v", name, err)
		return
	}
	if b.t.Failed() {
		b.t.Logf("a picture of the page is %s (with -artifacts it is kept)", path)
	}
}

// quoteInt writes a number as JavaScript does.
func quoteInt(n int) string { return strconv.Itoa(n) }
