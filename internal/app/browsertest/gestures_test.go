package browsertest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// click clicks on the element that an expression gives, or taps on it, as the device has it.
func (b *tab) click(element string) {
	b.t.Helper()
	at := b.point(element)
	if b.device.touched() {
		b.do("tap on "+element, chromedp.TapXY(at.X, at.Y))
		return
	}
	b.do("click on "+element, chromedp.MouseClickXY(at.X, at.Y))
}

// clickWith clicks while keys are held, such as chromedp.ModifierShift.
func (b *tab) clickWith(element string, held ...chromedp.Modifier) {
	b.t.Helper()
	at := b.point(element)
	b.do("click on "+element, chromedp.MouseClickXY(at.X, at.Y, chromedp.ButtonModifiers(held...)))
}

// doubleClick clicks twice, or taps twice.
func (b *tab) doubleClick(element string) {
	b.t.Helper()
	at := b.point(element)
	if b.device.touched() {
		b.do("tap on "+element, chromedp.TapXY(at.X, at.Y))
		b.do("tap again on "+element, chromedp.TapXY(at.X, at.Y))
		return
	}
	b.do("double-click on "+element, chromedp.MouseClickXY(at.X, at.Y, chromedp.ClickCount(2)))
}

// hover moves the mouse over an element.
func (b *tab) hover(element string) {
	b.t.Helper()
	at := b.point(element)
	b.do("hover over "+element, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at.X, at.Y))
}

// drag pulls an element by the mouse.
func (b *tab) drag(element string, dx, dy float64) {
	b.t.Helper()
	at := b.point(element)
	b.do("drag "+element, chromedp.DragAndDropXY(at.X, at.Y, at.X+dx, at.Y+dy))
}

// wheel turns the mouse's wheel over an element, away from the person where dy is negative.
func (b *tab) wheel(element string, dy float64, held ...chromedp.Modifier) {
	b.t.Helper()
	at := b.point(element)
	b.do("turn the wheel over "+element, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseWheel, at.X, at.Y,
		chromedp.ButtonModifiers(held...), func(p *input.DispatchMouseEventParams) {
			p.DeltaX, p.DeltaY = 1e-9, dy // 0 would be left out, which the browser refuses
		}))
}

// finger is a finger's way, in pixels of the window.
type finger struct{ fromX, fromY, toX, toY float64 }

// swipe moves a finger from an element's middle, over some 150 ms, as a flick does.
func (b *tab) swipe(element string, dx, dy float64) {
	b.t.Helper()
	at := b.point(element)
	b.touch(0, finger{at.X, at.Y, at.X + dx, at.Y + dy})
}

// pinch moves two fingers on an element apart, so that their distance grows by a factor; below 1 they come together.
func (b *tab) pinch(element string, factor float64) {
	b.t.Helper()
	at := b.point(element)
	from, to := 60.0, 60*factor
	if factor < 1 {
		from, to = 60/factor, 60
	}
	b.touch(0, finger{at.X - from, at.Y, at.X - to, at.Y}, finger{at.X + from, at.Y, at.X + to, at.Y})
}

// longPress leaves a finger on an element.
func (b *tab) longPress(element string) {
	b.t.Helper()
	at := b.point(element)
	b.touch(800*time.Millisecond, finger{at.X, at.Y, at.X, at.Y})
}

// touch puts fingers down, leaves them for a while, moves those that move, and lifts them.
func (b *tab) touch(rest time.Duration, fingers ...finger) {
	b.t.Helper()
	const steps, step = 9, 16 * time.Millisecond
	b.do("touch", chromedp.Func(func(ctx context.Context, s *chromedp.Target) error {
		send := func(kind input.DispatchTouchEventType, part float64) error {
			points := []*input.TouchPoint{}
			for i, f := range fingers {
				id := float64(i)
				points = append(points, &input.TouchPoint{X: f.fromX + (f.toX-f.fromX)*part, Y: f.fromY + (f.toY-f.fromY)*part, ID: &id})
			}
			if kind == input.DispatchTouchEventTypeTouchEnd {
				points = []*input.TouchPoint{}
			}
			_, err := cdp.Call(ctx, s, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
			return err
		}
		if err := send(input.DispatchTouchEventTypeTouchStart, 0); err != nil {
			return err
		}
		time.Sleep(rest)
		if f := fingers[0]; f.fromX != f.toX || f.fromY != f.toY {
			for i := range steps {
				time.Sleep(step)
				if err := send(input.DispatchTouchEventTypeTouchMove, float64(i+1)/steps); err != nil {
					return err
				}
			}
		}
		return send(input.DispatchTouchEventTypeTouchEnd, 0)
	}))
}

// drop drops files from the desktop into the middle of the window.
func (b *tab) drop(files ...file) {
	b.t.Helper()
	b.dragIn(save(b.t, files)...)
	b.letGo()
}

// dragIn drags files or folders from the desktop over the middle of the window, where they stay.
func (b *tab) dragIn(paths ...string) {
	b.t.Helper()
	b.dragged = &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1}
	b.dispatchDrag(input.DispatchDragEventTypeDragEnter)
	b.dispatchDrag(input.DispatchDragEventTypeDragOver)
}

// letGo drops what was dragged in.
func (b *tab) letGo() { b.dispatchDrag(input.DispatchDragEventTypeDrop) }

func (b *tab) dispatchDrag(kind input.DispatchDragEventType) {
	b.t.Helper()
	screen := b.device.screen()
	call(b, input.DispatchDragEvent, input.DispatchDragEventParams{
		Type: kind, X: float64(screen.Width) / 2, Y: float64(screen.Height) / 2, Data: b.dragged,
	})
}

// choose answers the file chooser that an action opens.
func (b *tab) choose(opens func(), files ...file) {
	b.t.Helper()
	b.choosePaths(opens, save(b.t, files)...)
}

// choosePaths answers it with paths: a folder's where folders are asked for.
func (b *tab) choosePaths(opens func(), paths ...string) {
	b.t.Helper()
	opens()
	select {
	case e := <-b.choosers:
		call(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: paths, BackendNodeID: e.BackendNodeID})
	case <-time.After(patience):
		b.t.Fatal("no file chooser opened")
	}
}

// pasteFiles lets the paste of files happen, which the page has to take over from the browser. The browser's own clipboard
// takes no files from a test: see pasteImage for the whole way.
func (b *tab) pasteFiles(files ...file) {
	b.t.Helper()
	dispatch(b, "new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })", files...)
}

// dispatch lets an event with files happen where the focus is, which the page has to take over from the browser.
func dispatch(b *tab, event string, files ...file) {
	b.t.Helper()
	var made []string
	for _, f := range files {
		made = append(made, f.js())
	}
	taken := eval[bool](b, `(() => { const data = new DataTransfer();
		for (const file of [`+strings.Join(made, ", ")+`]) data.items.add(file);
		return !document.activeElement.dispatchEvent(`+event+`); })()`)
	if !taken {
		b.t.Errorf("the page leaves the browser to do what it likes: %s", event)
	}
}

// save puts files on the disk, and returns their paths.
func save(t *testing.T, files []file) (paths []string) {
	t.Helper()
	for _, f := range files {
		paths = append(paths, f.save(t))
	}
	return paths
}

// folder puts files into a folder on the disk, and returns its path. A file's name may have folders in it.
func folder(t *testing.T, name string, files ...file) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
