package browsertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"
)

// watch is what a tab is told by the browser: its listener runs between the browser's messages, so it only takes notes.
type watch struct {
	hosts    []string // the instance's, and that of the pages where that is another
	choosers chan *page.EventFileChooserOpened
	dialogs  chan struct{} // one for each dialog, which holds the page until it is closed

	mu       sync.Mutex
	away     bool // the network, which a test took
	faults   []string
	answers  map[string]int64 // the last status by method and path
	requests map[network.RequestID]string
}

func newWatch(hosts ...string) *watch {
	return &watch{
		hosts: hosts, choosers: make(chan *page.EventFileChooserOpened, 8), dialogs: make(chan struct{}, 8),
		answers: map[string]int64{}, requests: map[network.RequestID]string{},
	}
}

func (w *watch) see(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.fault("an exception: %v", &chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails})
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var texts []string
			for _, arg := range e.Args {
				texts = append(texts, string(arg.Value)+arg.Description)
			}
			w.fault("an error on the console: %s", strings.Join(texts, " "))
		}
	case *log.EventEntryAdded:
		// The network's own entries only repeat what the answers say.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			w.fault("an error of the browser's: %s", e.Entry.Text)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			w.fault("a violation of the content policy: %s by %s %s", d.ViolatedDirective, d.BlockedURL, where(d.SourceCodeLocation))
		}
	case *serviceworker.EventWorkerErrorReported:
		w.fault("an error of the service worker's: %s", e.ErrorMessage.ErrorMessage)
	case *page.EventJavascriptDialogOpening:
		w.fault("a dialog: %s %q", e.Type, e.Message)
		w.dialogs <- struct{}{}
	case *page.EventFileChooserOpened:
		w.choosers <- e
	case *network.EventRequestWillBeSent:
		w.request(e)
	case *network.EventResponseReceived:
		w.answer(e)
	case *network.EventLoadingFailed:
		// A picture or a call that the page no longer wants is given up when one goes elsewhere.
		w.mu.Lock()
		away := w.away
		w.mu.Unlock()
		if !e.Canceled && !away {
			w.fault("a request that failed: %s: %s %s", w.requestOf(e.RequestID), e.ErrorText, e.BlockedReason)
		}
	}
}

func (w *watch) request(e *network.EventRequestWillBeSent) {
	u, err := url.Parse(e.Request.URL)
	if err != nil || (!slices.Contains(w.hosts, u.Host) && !slices.Contains([]string{"data", "blob", "about"}, u.Scheme)) {
		w.fault("a request to elsewhere: %s", e.Request.URL)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests[e.RequestID] = e.Request.Method + " " + u.Path
}

// answer notes a status. That the API refuses something may belong to a story, and so may a page that is not there or no
// longer; that a file is missing never does.
func (w *watch) answer(e *network.EventResponseReceived) {
	request, status := w.requestOf(e.RequestID), e.Response.Status
	w.mu.Lock()
	w.answers[request] = status
	w.mu.Unlock()
	_, path, _ := strings.Cut(request, " ")
	gone := e.Type == network.ResourceTypeDocument && (status == http.StatusNotFound || status == http.StatusGone)
	if status >= 500 || (status >= 400 && !strings.HasPrefix(path, "/api/") && !gone) {
		w.fault("an answer that should not be: %s: %d", request, status)
	}
}

func (w *watch) requestOf(id network.RequestID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests[id]
}

// status returns the last answer to such as "GET /api/v1/account"; 0 when there was none.
func (w *watch) status(request string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers[request]
}

func (w *watch) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

func (w *watch) allFaults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.faults)
}

// goAway says that there is no network, so that what fails without one is no fault.
func (w *watch) goAway(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

// forgive forgets the faults that a test provoked.
func (w *watch) forgive() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = nil
}

func where(l *audits.SourceCodeLocation) string {
	if l == nil {
		return ""
	}
	text, _ := json.Marshal(l)
	return string(text)
}
