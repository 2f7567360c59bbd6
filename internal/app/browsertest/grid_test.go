package browsertest_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// many is how many pictures a grid has to be smooth with, and nodes how many the page may then have.
const many, nodes = 25_000, 2000

// noteShifts lets the pages that come note how much their layout shifts, and by what.
const noteShifts = `var shifts = []; new PerformanceObserver((list) => {
	for (const e of list.getEntries()) shifts.push(e.value.toFixed(3) + ' ' + e.sources.map((s) => (s.node?.className || s.node?.nodeName) + ' ' +
		JSON.stringify([s.previousRect, s.currentRect].map((r) => [r.x, r.y, r.width, r.height]))));
}).observe({ type: 'layout-shift', buffered: true });`

// tileAt is the tile of the nth picture of a grid, from 1 on.
func tileAt(n int) string { return fmt.Sprintf(`$('.tile[aria-posinset="%d"]')`, n) }

// focused is the number of the picture that has the focus.
const focused = "Number(document.activeElement.closest('.tile')?.ariaPosInSet)"

func testGrid(t *testing.T, c *chromium) {
	in := newInstance(t)
	anna := in.register(t, "anna")
	anna.fill(t, many)
	t.Run("Far", func(t *testing.T) { t.Parallel(); tryFar(t, c.newTab(t, in), anna) })
	t.Run("Keys", func(t *testing.T) { t.Parallel(); tryKeys(t, c.newTab(t, in), anna) })
	t.Run("Back", func(t *testing.T) { t.Parallel(); tryBack(t, c.newTab(t, in), anna) })
	t.Run("Turn", func(t *testing.T) { t.Parallel(); tryTurn(t, c.newTab(t, in), anna) })
}

// scrollTo scrolls down in a grid, which has to load what is there first.
func (b *tab) scrollTo(y int) {
	b.t.Helper()
	b.wait("the pictures so far down", fmt.Sprintf(`(scrollTo(0, %d), scrollY === %[1]d && $$('.tile').some((tile) => tile.getBoundingClientRect().bottom > innerHeight))`, y))
}

// tryFar scrolls to the end of all pictures.
func tryFar(t *testing.T, b *tab, who *person) {
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: noteShifts})
	b.signIn(who)
	b.open("/pictures")
	b.settle(tileAt(1))
	most := 0
	for range 20 * many / 100 {
		now := eval[struct {
			Nodes int
			End   bool
			Error string
		}](b, `await (async () => {
			let nodes = 0;
			for (let i = 0; i < 4; i++) {
				scrollTo(0, document.documentElement.scrollHeight);
				await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)));
				nodes = Math.max(nodes, $$('*').length);
			}
			return { nodes, end: $('.tile')?.ariaSetSize === '25000', error: textOf($('main .notice')) };
		})()`)
		if now.Error != "" {
			t.Fatalf("a page of the list did not come: %s", now.Error)
		}
		if most = max(most, now.Nodes); now.End {
			break
		}
	}
	b.wait("the last picture", "(scrollTo(0, document.documentElement.scrollHeight), "+tileAt(many)+"?.ariaSetSize === '25000')")
	b.wait("what is seen at the end to be loaded", `$$('.tile img').filter((img) => img.getBoundingClientRect().top < innerHeight).slice(-5).every(loaded)`)
	frames := eval[[]float64](b, `await new Promise((done) => {
		const times = [];
		let last = performance.now();
		const step = (now) => {
			times.push(now - last);
			last = now;
			scrollBy(0, -90);
			if (times.length < 200) requestAnimationFrame(step);
			else done(times.slice(1).sort((a, b) => a - b));
		};
		requestAnimationFrame(step);
	})`)
	t.Logf("at most %d elements; frames while scrolling: median %.1f ms, 95th percentile %.1f ms",
		most, frames[len(frames)/2], frames[len(frames)*95/100])
	if shifts := eval[[]string](b, "shifts"); len(shifts) > 0 {
		t.Errorf("the layout shifted: %s", shifts)
	}
	b.hold(wall) // where the most is seen at once
	b.wait("what a wall shows", "innerWidth === 3840 && $$('.tile').length > 60")
	if most = max(most, eval[int](b, "$$('*').length")); most >= nodes {
		t.Errorf("the page had %d elements, must stay below %d", most, nodes)
	}
}

// tryKeys goes through the grid by the keyboard.
func tryKeys(t *testing.T, b *tab, who *person) {
	b.signIn(who)
	b.open("/pictures")
	b.settle(tileAt(20))
	b.tabTo(".tile a")
	at := func(what string, n int) {
		t.Helper()
		b.wait(what, fmt.Sprintf("%s === %d && document.activeElement.getBoundingClientRect().top >= 50", focused, n))
	}
	at("the first to have the focus", 1)
	b.press(kb.ArrowRight)
	b.press(kb.ArrowRight)
	b.press(kb.ArrowLeft)
	at("two to the right, one to the left", 2)
	b.press(kb.ArrowDown)
	below := eval[int](b, focused)
	if !eval[bool](b, fmt.Sprintf(`(() => { const a = %s.getBoundingClientRect(), b = %s.getBoundingClientRect();
		return b.top > a.bottom && b.left < a.right && b.right > a.left; })()`, tileAt(2), tileAt(below))) {
		t.Errorf("from the second picture, the key down leads to the %dth, which is not below it", below)
	}
	b.press(kb.ArrowUp)
	at("up again", 2)
	b.press(kb.End)
	b.wait("the end of what is loaded", focused+" >= 90")
	b.press(kb.PageUp)
	b.press(kb.Home)
	at("the first again", 1)
	b.press(kb.PageDown)
	b.press(kb.ArrowRight)
	here := eval[int](b, focused)
	// What has the focus stays in the page however far one scrolls, and all else that is not seen goes.
	b.scrollTo(15_000)
	b.wait("the others to go", tileAt(here+30)+" === null")
	b.wait("the focus to stay", fmt.Sprintf("%s === %d", focused, here))
	b.press(kb.ArrowRight)
	b.wait("the next", fmt.Sprintf("%s === %d && document.activeElement.getBoundingClientRect().top > 0", focused, here+1))
	opened := eval[string](b, "document.activeElement.pathname")
	b.press(kb.Enter)
	b.wait("the picture's page", "location.pathname === "+quote(opened))
}

// tryBack comes back from a picture to where one was.
func tryBack(t *testing.T, b *tab, who *person) {
	b.signIn(who)
	b.open("/pictures?sort=name&order=asc")
	b.settle(tileAt(1))
	b.scrollTo(9000)
	b.settle("$('.tile')")
	was := eval[float64](b, "scrollY")
	seen := eval[int](b, `Number($$('.tile').find((tile) => tile.getBoundingClientRect().top > 200).ariaPosInSet)`)
	point := eval[[]float64](b, `(() => { const box = `+tileAt(seen)+`.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()`)
	b.do("click on a picture", chromedp.MouseClickXY(point[0], point[1]))
	b.wait("the picture's page", "location.pathname.startsWith('/p/') && !$('ul.grid')")
	eval[any](b, "(history.back(), 1)")
	b.wait("the same place", fmt.Sprintf("location.pathname === '/pictures' && Math.abs(scrollY - %v) < 2 && loaded($('img', %s))", was, tileAt(seen)))
	b.wait("the focus on what was opened", fmt.Sprintf("%s === %d", focused, seen))
}

// tryTurn turns the screen: what was on top stays there.
func tryTurn(t *testing.T, b *tab, who *person) {
	b.signIn(who)
	b.open("/pictures")
	b.settle(tileAt(1))
	b.scrollTo(7000)
	first := `Number($$('.tile').find((tile) => tile.getBoundingClientRect().bottom > 0).ariaPosInSet)`
	was := eval[int](b, first)
	b.hold(phone)
	b.wait("a phone's rows", "$('.grid').clientWidth < 390 && $$('.tile').every((tile) => tile.getBoundingClientRect().right < 390)")
	if now := eval[int](b, first); now < was-12 || now > was+12 {
		t.Errorf("on top was the %dth picture, is the %dth", was, now)
	}
	if n := eval[int](b, "$$('*').length"); n >= nodes {
		t.Errorf("%d elements", n)
	}
}
