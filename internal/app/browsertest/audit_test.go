package browsertest_test

import (
	"context"
	"os"
	"strings"

	"github.com/chromedp/chromedp"
)

// axeFile is axe-core's, where npm puts it (.ci/test sees to that).
const axeFile = "../../../api/node_modules/axe-core/axe.min.js"

// axeRun returns a line for each violation and element. What axe cannot decide, such as text over a picture, is for people.
const axeRun = `await axe.run(document, {
	runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'], preload: false,
}).then(({ violations }) => violations.flatMap((rule) => rule.nodes.map((node) =>
	rule.id + ' (' + rule.help + ')\n    ' + node.target.flat().join(' ') + '\n    ' + node.failureSummary.replace(/\s*\n\s*/g, ' '))))`

// audit lets axe-core judge the page as it is now, by day and by night: every violation of WCAG 2.2 AA and of good practice
// fails the test.
func (b *tab) audit(name string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.preferring(scheme, func() {
			if found := b.violations(); len(found) > 0 {
				b.t.Errorf("%s, %s: %d violations\n  %s", name, scheme, len(found), strings.Join(found, "\n  "))
			}
		})
	}
}

// violations brings axe by the browser's protocol, which the content policy does not bind.
func (b *tab) violations() []string {
	b.t.Helper()
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		b.t.Fatalf("no axe-core (make api/node_modules/go.mod fetches it): %v", err)
	}
	b.wait("the page to stand still", "document.getAnimations().every((a) => a.playState !== 'running')")
	if !eval[bool](b, "'axe' in window") {
		b.do("bring axe-core", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](string(axe)+";true"))
			return err
		}))
	}
	return eval[[]string](b, axeRun)
}
