package browsertest_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromium is the browser of all tests. Each tab has a browser context of its own in it, which is like a private window:
// cookies, cache and permissions are not shared.
type chromium struct {
	root      context.Context // chromedp's
	clipboard sync.Mutex      // there is one for all
}

// startChromium starts the browser for the test and its subtests.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	profile := t.TempDir()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)),
		chromedp.UserDataDir(profile),
		chromedp.Headless,
		chromedp.NoSandbox, // containers and continuous integration run as root
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		// What the page's watch would miss, such as a service of the browser's own, does not get far either.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.WindowSize(1280, 900),
	)
	// The test's own context ends before its clean-up, which still needs the browser.
	allocator, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	browser, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(browser, patience)
		defer cancel()
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("the browser did not close by itself: %v", err)
		}
		stop()
		// Its helper processes may write to the profile for another moment, at which the folder's own removal would fail.
		if !eventually(func() bool { return os.RemoveAll(profile) == nil }) {
			t.Error("the browser keeps writing to its profile after its end")
		}
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("the browser does not start: %v", err)
	}
	return &chromium{root: browser}
}

func findChromium(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("KADR_CHROMIUM"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			t.Fatalf("KADR_CHROMIUM: %v", err)
		}
		return path
	}
	// Those that .ci/setup is content with. Ubuntu's chromium-browser may only ask for the snap, so it is asked late.
	for _, name := range []string{
		"chromium", "google-chrome", "google-chrome-stable", "headless-shell", "chrome", "chromium-browser",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium",
	} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium: install one, or let KADR_CHROMIUM name it")
	return ""
}

// eventually asks until the answer is yes, and returns false when it never was.
func eventually(ok func() bool) bool {
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-deadline:
			return false
		}
	}
	return true
}
