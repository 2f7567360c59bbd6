package browsertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// selected are the numbers of the pictures that are selected, as the page shows it and as it says it.
const selected = `$$('.tile.selected').filter((tile) => $('.tile-check', tile).ariaChecked === 'true').map((tile) => Number(tile.ariaPosInSet))`

// library is somebody's pictures, in a tab that shows them.
type library struct {
	*tab
	who *person
}

func (c *chromium) library(t *testing.T, in *instance, n int, d device) *library {
	t.Helper()
	l := &library{c.newTab(t, in), in.somebody(t)}
	l.who.fill(t, n)
	l.hold(d)
	l.signIn(l.who)
	l.open("/pictures")
	l.settle("$('.tile')")
	l.wait("all to be loaded", fmt.Sprintf("(scrollTo(0, document.documentElement.scrollHeight), $('.tile').ariaSetSize === '%d')", n))
	eval[any](l.tab, "(scrollTo(0, 0), 1)")
	l.settle(tileAt(1))
	return l
}

func (l *library) selects(what string, want ...int) {
	l.t.Helper()
	if want == nil {
		want = []int{}
	}
	text, err := json.Marshal(want)
	if err != nil {
		l.t.Fatal(err)
	}
	l.wait(what, fmt.Sprintf("JSON.stringify(%s) === %s", selected, quote(string(text))))
	l.wait("the bar to say it", fmt.Sprintf("($('.selection-bar')?.hidden ?? true) === %t && $('[role=status]:not([id])').textContent.startsWith(%s)",
		len(want) == 0, quote(map[bool]string{true: "", false: fmt.Sprintf("%d selected", len(want))}[len(want) == 0])))
}

func (l *library) idOf(n int) string {
	l.t.Helper()
	return eval[string](l.tab, "$('a', "+tileAt(n)+").pathname.slice(3)")
}

func (l *library) shows(what string, n int) {
	l.t.Helper()
	l.wait(what, fmt.Sprintf("$('.tile')?.ariaSetSize === '%d'", n))
}

// visibilities are what the server says of pictures: empty for one that is gone.
func (l *library) visibilities(ids ...string) (all []string) {
	l.t.Helper()
	for _, id := range ids {
		var i struct {
			Visibility string `json:"visibility"`
		}
		status, body := l.who.do(l.t, http.MethodGet, l.in.base+"/api/v1/images/"+id, "", nil)
		if status == http.StatusOK {
			if err := json.Unmarshal(body, &i); err != nil {
				l.t.Fatal(err)
			}
		}
		all = append(all, i.Visibility)
	}
	return all
}

func (l *library) becomes(what string, ids []string, want ...string) {
	l.t.Helper()
	var got []string
	if !eventually(func() bool { got = l.visibilities(ids...); return slices.Equal(got, want) }) {
		l.t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func check(n int) string { return "$('.tile-check', " + tileAt(n) + ")" }

func testSelection(t *testing.T, c *chromium) {
	in := newInstance(t)
	for name, story := range map[string]func(*testing.T, *chromium, *instance){
		"Mouse": trySelectMouse, "Keyboard": trySelectKeyboard, "Fingers": trySelectFingers, "Delete": tryDelete,
		"DeleteAndLeave": tryDeleteAndLeave, "Visibility": tryVisibility, "Missing": tryMissing, "DeleteFails": tryDeleteFails,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); story(t, c, in) })
	}
}

func trySelectMouse(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 30, desktop)
	l.selects("nothing")
	l.hover(tileAt(2))
	l.click(check(2))
	l.selects("the one whose check was clicked", 2)
	l.clickWith(tileAt(6), chromedp.ModifierShift)
	l.selects("a range", 2, 3, 4, 5, 6)
	l.click(tileAt(4)) // anywhere on it, once there is a selection
	l.selects("all but one", 2, 3, 5, 6)
	l.clickWith(tileAt(6), chromedp.ModifierShift)
	l.selects("a range that is taken out", 2, 3)
	l.click("$('[data-action=all]')")
	l.wait("all of them", "$('[role=status]:not([id])').textContent.startsWith('30 selected, ')")
	l.click("$('[data-action=clear]')")
	l.selects("nothing again")
	if eval[string](l.tab, "location.pathname") != "/pictures" {
		t.Error("selecting opened a picture")
	}
}

func trySelectKeyboard(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 30, desktop)
	l.tabTo(".tile a")
	l.press(" ")
	l.selects("by space", 1)
	l.press(kb.ArrowRight)
	l.press(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift))
	l.press(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift))
	l.selects("on by shift and arrows", 1, 2, 3, 4)
	l.press(kb.Escape)
	l.selects("nothing by Escape")
	l.wait("the focus to stay", focused+" === 4")
	l.press("a", chromedp.KeyModifiers(chromedp.ModifierCtrl))
	l.wait("all by Ctrl+A", "$('[role=status]:not([id])').textContent.startsWith('30 selected')")
	l.press(" ")
	l.wait("all but one", "$('[role=status]:not([id])').textContent.startsWith('29 selected')")
	l.press(kb.Delete)
	l.wait("those to go, and the focus to be on what is left", focused+" === 1 && $('.tile').ariaSetSize === '1'")
	l.press("z", chromedp.KeyModifiers(chromedp.ModifierCtrl))
	l.shows("them again", 30)
	l.wait("the focus to stay on the same", focused+" === 4")
}

func trySelectFingers(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 30, phone)
	l.longPress(tileAt(3))
	l.selects("by a finger that stays", 3)
	l.click(tileAt(5))
	l.selects("by a tap", 3, 5)
	l.click(tileAt(3))
	l.selects("and not", 5)
	if eval[string](l.tab, "location.pathname") != "/pictures" {
		t.Error("selecting opened a picture")
	}
	l.fits("selection")
	l.audit("selection")
}

func tryDelete(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 30, desktop)
	ids := []string{l.idOf(2), l.idOf(3)}
	was := l.visibilities(ids...)
	remove := func() {
		l.t.Helper()
		l.hover(tileAt(2))
		l.click(check(2))
		l.clickWith(tileAt(3), chromedp.ModifierShift)
		l.click("$('[data-action=delete]')")
		l.shows("fewer", 28)
		l.waitText(".toast", "2 pictures deleted.")
	}
	remove()
	l.selects("nothing")
	l.click("named('.toast button', 'Undo')")
	l.shows("all again", 30)
	if l.idOf(2) != ids[0] || l.idOf(3) != ids[1] {
		t.Error("they are not back in their places")
	}
	// Nothing was sent, and nothing is sent later.
	remove()
	at := time.Now()
	if got := l.visibilities(ids...); !slices.Equal(got, was) {
		t.Errorf("deleted before it was too late to undo: %q", got)
	}
	l.becomes("ten seconds later", ids, "", "")
	if took := time.Since(at); took < 5*time.Second {
		t.Errorf("there were %v to undo it", took)
	}
	l.wait("the undo to go", "!$('.toast')")
	l.shows("fewer", 28)
	l.open("/pictures")
	l.shows("fewer, said by the server", 28)
}

func tryDeleteAndLeave(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 230, desktop)
	first := l.idOf(1)
	l.hover(tileAt(1))
	l.click(check(1))
	l.click("$('[data-action=all]')")
	l.wait("all of them", "$('[role=status]:not([id])').textContent.startsWith('230 selected')")
	l.click("$('[data-action=delete]')")
	l.wait("the state without any", "$('[data-action=upload]') && !$('.tile')")
	l.open("/docs")
	l.becomes("at once, as the page was left", []string{first}, "")
	if !eventually(func() bool {
		_, body := l.who.do(t, http.MethodGet, in.base+"/api/v1/account/usage", "", nil)
		var u struct {
			Images int `json:"images"`
		}
		return json.Unmarshal(body, &u) == nil && u.Images == 0
	}) {
		t.Error("some are left")
	}
}

func tryVisibility(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 24, desktop)
	ids := []string{l.idOf(9), l.idOf(13), l.idOf(14), l.idOf(15)} // the first uploaded is public, those made of it vary
	was := l.visibilities(ids...)
	for _, n := range []int{9, 13, 14, 15} {
		l.hover(tileAt(n))
		l.click(check(n))
	}
	l.click("$('[popovertarget=selection-menu]')")
	l.click("named('#selection-menu button', 'Private')")
	l.waitText(".toast", "4 pictures are private now.")
	l.becomes("at once", ids, "private", "private", "private", "private")
	l.wait("the badges", "$('.tile-badges [aria-label=Private]', "+tileAt(9)+")")
	l.click("named('.toast button', 'Undo')")
	l.becomes("as before", ids, was...)
	if slices.Equal(was, []string{"public", "public", "public", "public"}) {
		t.Errorf("they were %q all along", was)
	}
}

func tryMissing(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 12, desktop)
	l.who.delete(t, image{ID: l.idOf(2)})
	l.hover(tileAt(1))
	l.click(check(1))
	l.clickWith(tileAt(3), chromedp.ModifierShift)
	l.click("$('[popovertarget=selection-menu]')")
	l.click("named('#selection-menu button', 'Private')")
	l.waitText(".toast", "1 picture was not there any more.")
	l.shows("one less", 11)
}

// tryDeleteFails has no network when the time comes: what was hidden comes back, and can be deleted again.
func tryDeleteFails(t *testing.T, c *chromium, in *instance) {
	l := c.library(t, in, 12, desktop)
	id := l.idOf(1)
	l.hover(tileAt(1))
	l.click(check(1))
	l.click("$('[data-action=delete]')")
	l.shows("one less", 11)
	l.offline(true)
	l.waitText(".toast", "The server did not answer")
	l.shows("it again", 12)
	l.offline(false)
	l.click("named('.toast button', 'Try again')")
	l.becomes("deleted", []string{id}, "")
	l.shows("one less for good", 11)
	l.forgive()
}
