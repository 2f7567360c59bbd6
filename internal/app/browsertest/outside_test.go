package browsertest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// offline takes the network away, from the page and from its service worker, or gives it back.
func (b *tab) offline(yes bool) {
	b.t.Helper()
	if yes {
		b.goAway(true)
	}
	b.network(network.Conditions{Offline: yes, DownloadThroughput: -1, UploadThroughput: -1})
	if !yes {
		b.goAway(false)
	}
}

// slow makes the network slow: bytes in a second both ways, and milliseconds to the first of an answer. 0 lifts a limit.
func (b *tab) slow(bytesPerSecond, latency float64) {
	b.t.Helper()
	if bytesPerSecond == 0 {
		bytesPerSecond = -1
	}
	b.network(network.Conditions{Latency: latency, DownloadThroughput: bytesPerSecond, UploadThroughput: bytesPerSecond})
}

func (b *tab) network(c network.Conditions) {
	b.t.Helper()
	for _, ctx := range append(b.serviceWorkers(), b.ctx) {
		_, rule := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{&c},
		})
		_, state := chromedp.Call(ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{
			Offline: c.Offline, Latency: c.Latency, DownloadThroughput: c.DownloadThroughput, UploadThroughput: c.UploadThroughput,
		})
		if err := errors.Join(rule, state); err != nil {
			b.t.Fatal(err)
		}
	}
}

// serviceWorkers attaches to those that the page has, which are targets of their own. They then live as long as the tab,
// and are watched like it.
func (b *tab) serviceWorkers() (all []context.Context) {
	b.t.Helper()
	targets, err := chromedp.Targets(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, info := range targets {
		if info.Type != "service_worker" || info.BrowserContextID != chromedp.FromContext(b.ctx).BrowserContextID {
			continue
		}
		all = append(all, b.attached(info.TargetID))
	}
	return all
}

func (b *tab) attached(worker target.ID) context.Context {
	b.t.Helper()
	if ctx := b.workers[worker]; ctx != nil {
		return ctx
	}
	ctx, _ := chromedp.NewContext(b.ctx, chromedp.WithTargetID(worker), chromedp.WithDetachOnCancel(), chromedp.WithListener(b.see))
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	b.workers[worker] = ctx //nolint:fatcontext // conditions are lifted by whoever set them
	return ctx
}

// download returns the file that an action saves, under the name that it gets on the disk.
func (b *tab) download(acts func()) file {
	b.t.Helper()
	dir := b.t.TempDir()
	if _, err := chromedp.CallBrowser(b.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: dir,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	}); err != nil {
		b.t.Fatal(err)
	}
	acts()
	var f file
	if !eventually(func() bool {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries { // a file has another name until it is whole
			if f.name = e.Name(); !strings.HasPrefix(f.name, ".") && !strings.HasSuffix(f.name, ".crdownload") {
				return true
			}
		}
		return false
	}) {
		b.t.Fatal("nothing was downloaded")
	}
	var err error
	if f.bytes, err = os.ReadFile(filepath.Join(dir, f.name)); err != nil {
		b.t.Fatal(err)
	}
	return f
}

// copied returns the text that an action puts into the clipboard. The clipboard is the whole browser's, so only one test
// at a time acts on it.
func (b *tab) copied(acts func()) (text string) {
	b.t.Helper()
	b.clipboard.Lock()
	defer b.clipboard.Unlock()
	b.allowClipboard()
	eval[any](b, "await navigator.clipboard.writeText('')")
	acts()
	if !eventually(func() bool {
		var err error
		text, err = tryEval[string](b, "await navigator.clipboard.readText()")
		return err == nil && text != ""
	}) {
		b.t.Fatal("nothing was copied")
	}
	return text
}

// pasteImage pastes a PNG, as after taking a picture of the screen: by the keys, with what the browser's clipboard makes of it.
func (b *tab) pasteImage(png file) {
	b.t.Helper()
	b.clipboard.Lock()
	defer b.clipboard.Unlock()
	b.allowClipboard()
	eval[any](b, "await navigator.clipboard.write([new ClipboardItem({ 'image/png': "+png.js()+" })])")
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Modifiers: 2, Key: "v", Code: "KeyV", WindowsVirtualKeyCode: 'V'}
		if kind == input.DispatchKeyEventTypeRawKeyDown {
			p.Commands = []string{"paste"}
		}
		call(b, input.DispatchKeyEvent, p)
	}
}

// allowClipboard lets the test read and write the clipboard.
func (b *tab) allowClipboard() {
	b.t.Helper()
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(b.ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingGranted,
			Origin: b.in.base, BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}
