package browsertest_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// zoomed is how much larger the picture is than it fits.
const zoomed = "Number(getComputedStyle($('.stage')).getPropertyValue('--zoom'))"

// testViewerNeighbours goes through a list of pictures, in the page and on the whole screen, and comes back.
func testViewerNeighbours(t *testing.T, c *chromium) {
	in := newInstance(t)
	owner := in.register(t, "vivian-m")
	var pictures []image // as the list has them, newest first
	for i := range 4 {
		pictures = append([]image{owner.upload(t, photograph(fmt.Sprintf("%d.jpg", i), i), "public")}, pictures...)
	}
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		b.open("/u/vivian-m")
		b.click("$$('.tile a[href]')[1]")
		at := func(i int) {
			t.Helper()
			b.wait(fmt.Sprintf("picture %d", i), fmt.Sprintf("location.pathname === '/p/%s' && loaded($('.stage img')) && $('.stage img').currentSrc.includes('%[1]s') && "+
				"$('h1').textContent === '%d.jpg' && $('.stage').ariaBusy !== 'true'", pictures[i].ID, 3-i))
		}
		at(1)
		preloaded := func(i int) {
			t.Helper()
			link := "GET /i/" + pictures[i].ID + ".webp"
			b.wait("the neighbour to be loaded beforehand", "performance.getEntriesByType('resource').some((e) => e.name.includes('/i/"+pictures[i].ID+"') && e.initiatorType === 'img')")
			if status := b.status(link); status != 200 {
				t.Errorf("%s: %d", link, status)
			}
		}
		preloaded(2)
		b.press(kb.ArrowRight)
		at(2)
		b.click("$('.viewer-previous')")
		at(1)

		b.click("$('.stage')")
		b.wait("the viewer", "$('.viewer').matches(':modal')")
		b.press(kb.ArrowRight)
		at(2)
		if b.device.touched() {
			b.swipe("$('.viewer-pane')", -160, 5)
		} else {
			b.drag("$('.viewer-pane')", -160, 5)
		}
		at(3)
		b.wait("no further", "!$('.viewer-next').checkVisibility()")
		b.press(kb.ArrowRight)
		b.click("$('.viewer-previous')")
		at(2)
		b.press(kb.Escape)
		b.wait("the page", "!$('.viewer').matches(':modal') && document.activeElement.closest('.viewer')")
		at(2)

		// Pulled down, or clicked beside, it closes as well.
		b.press("f")
		b.wait("the viewer", "$('.viewer').matches(':modal')")
		if b.device.touched() {
			b.swipe("$('.viewer-pane')", 5, 160)
		} else {
			b.do("click beside the picture", chromedp.MouseClickXY(10, 400))
		}
		b.wait("the page", "!$('.viewer').matches(':modal')")

		// However many were looked at, one step leads back.
		eval[any](b, "history.back()")
		b.wait("the list", "location.pathname === '/u/vivian-m' && $$('.tile').length === 4")
	})
}

// testViewerZoom looks closer.
func testViewerZoom(t *testing.T, c *chromium) {
	in := newInstance(t)
	picture := in.register(t, "vivian-m").upload(t, photograph("wide.jpg", 4), "public")
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		b.open(picture.PageURL)
		b.wait("the picture", "loaded($('.stage img'))")
		before := eval[string](b, "$('.stage img').currentSrc")
		b.press("f")
		b.wait("the viewer", "$('.viewer').matches(':modal')")
		b.press("+")
		b.wait("larger", zoomed+" === 1.5")
		b.press("-")
		b.wait("as it was", zoomed+" === 1")

		if b.device.touched() {
			b.pinch("$('.viewer-pane')", 3)
			b.wait("larger between the fingers", zoomed+" > 2")
		} else {
			for range 4 {
				b.wheel("$('.viewer-pane')", -300)
			}
			b.wait("larger by the wheel", zoomed+" > 2")
		}
		b.wait("the original", "$('.stage img').currentSrc.endsWith('.jpg') && loaded($('.stage img'))")
		if before == eval[string](b, "$('.stage img').currentSrc") {
			t.Errorf("a small window loads %s at once", before)
		}
		left := "$('.viewer-pane').scrollLeft"
		was := eval[float64](b, left)
		if b.device.touched() {
			b.swipe("$('.viewer-pane')", -80, 0)
		} else {
			b.drag("$('.viewer-pane')", -80, 0)
		}
		b.wait("it to be moved", fmt.Sprintf("%s > %v", left, was+40))
		was = eval[float64](b, left)
		b.press(kb.ArrowLeft)
		b.wait("it to be moved back", fmt.Sprintf("%s < %v", left, was))
		b.press("0")
		b.wait("all of it", zoomed+" === 1")
		b.doubleClick("$('.viewer-pane')")
		b.wait("closer", zoomed+" >= 2")
		if b.device.touched() { // at once it would be the third and fourth tap
			b.press("0")
		} else {
			b.doubleClick("$('.viewer-pane')")
		}
		b.wait("all of it again", zoomed+" === 1")
		b.click("$('.viewer-plus')")
		b.wait("larger by the button", zoomed+" === 1.5")
		b.click("$('.viewer-close')")
		b.wait("the page as it was", "!$('.viewer').matches(':modal') && "+zoomed+" === 1")
		b.look("viewer-closed-" + b.language)
	})
}
