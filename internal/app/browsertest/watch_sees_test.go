package browsertest_test

import (
	"strings"
	"testing"
)

// testWatchSees provokes what no story may meet, for a watch that sees nothing would let every story pass.
func testWatchSees(t *testing.T, c *chromium) {
	b := c.newTab(t, newInstance(t))
	b.open("/")
	b.waitText("h1", "A good home for your pictures")
	for want, provoke := range map[string]string{
		"a violation of the content policy: script-src":   `$('body').append(Object.assign(document.createElement('a'), { href: 'javascript:1' })), $('body > a:last-child').click(), 1`,
		"a violation of the content policy: connect":      `fetch('http://elsewhere.test/').catch(() => 1)`,
		"a violation of the content policy: require-tr":   `(() => { try { $('#toast').innerHTML = '<b>x</b>'; } catch { return 1; } })()`,
		"a violation of the content policy: trusted-ty":   `(() => { try { trustedTypes.createPolicy('mine', {}); } catch { return 1; } })()`,
		"an exception: exception \"Uncaught\"":            `setTimeout(() => { throw new Error('provoked'); })`,
		"an exception: exception \"Uncaught (in promise)": `(Promise.reject(new Error('provoked')), 1)`,
		"an error on the console: ":                       `console.error('provoked')`,
		"a dialog: alert":                                 `setTimeout(() => alert('provoked'))`,
		"a request to elsewhere: http://elsewhere.test":   `Boolean(window.open('http://elsewhere.test/', '_self'))`,
		"an answer that should not be: GET /no/such":      `fetch('/no/such').then(() => 1)`,
	} {
		eval[any](b, provoke)
		if !eventually(func() bool { return strings.Contains(strings.Join(b.allFaults(), "\n"), want) }) {
			t.Errorf("the watch does not see %q, but %q", want, b.allFaults())
		}
		b.open("/")
		b.waitText("h1", "A good home for your pictures")
	}

	eval[any](b, "$('main').append(Object.assign(document.createElement('pre'), { textContent: 'wide '.repeat(500) }))")
	b.hold(smallest)
	if out := eval[[]string](b, overflowing); len(out) < 2 || !strings.HasPrefix(out[1], "pre ") {
		t.Errorf("a line that is too long stands out as %q", out)
	}
	b.forgive()
}
