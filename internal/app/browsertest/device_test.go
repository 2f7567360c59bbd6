package browsertest_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// device is what a person holds or sits before.
type device string

const (
	desktop  device = "desktop"
	phone    device = "phone"
	smallest device = "smallest" // the narrowest that the pages are made for
	wall     device = "wall"     // 4K, at one pixel to a pixel
)

func (d device) screen() emulation.SetDeviceMetricsOverrideParams {
	s := emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 900, DeviceScaleFactor: 1}
	switch d {
	case phone:
		s.Width, s.Height, s.DeviceScaleFactor, s.Mobile = 390, 844, 2, true
	case smallest:
		s.Width, s.Height, s.DeviceScaleFactor, s.Mobile = 320, 640, 2, true
	case wall:
		s.Width, s.Height = 3840, 2160
	case desktop:
	}
	s.ScreenWidth, s.ScreenHeight = s.Width, s.Height
	return s
}

// touched tells whether one taps with a finger where one would click with a mouse elsewhere.
func (d device) touched() bool { return d.screen().Mobile }

// hold gives the person another device, whose window the page has once this returns. click taps where that is touched.
func (b *tab) hold(d device) {
	b.t.Helper()
	b.device = d
	screen := d.screen()
	call(b, emulation.SetDeviceMetricsOverride, screen)
	touch := emulation.SetTouchEmulationEnabledParams{Enabled: d.touched()}
	if d.touched() {
		touch.MaxTouchPoints = 5
	}
	call(b, emulation.SetTouchEmulationEnabled, touch)
	// A mobile page without the viewport's meta element, such as the empty one, is laid out as if it were wider.
	b.wait("the new width", fmt.Sprintf("screen.width === %d && (!$('meta[name=viewport]') || "+
		"Math.abs(document.documentElement.clientWidth - %[1]d) <= 20)", screen.Width))
}

// speak lets the browser ask for a language, "en" or "ru", from the next page on.
func (b *tab) speak(language string) {
	b.t.Helper()
	b.language = language
	locale := map[string]string{"en": "en-US", "ru": "ru-RU"}[language]
	if locale == "" {
		b.t.Fatalf("no language %q", language)
	}
	version, err := chromedp.CallBrowser(b.ctx, browser.GetVersion, cdp.Empty{})
	if err != nil {
		b.t.Fatal(err)
	}
	call(b, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
		UserAgent: version.UserAgent, AcceptLanguage: locale + "," + language,
	})
	call(b, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: locale})
}

// prefer sets what the person prefers: such as "prefers-color-scheme", "dark", or "prefers-reduced-motion", "reduce". An
// empty value is no preference.
func (b *tab) prefer(feature, value string) {
	b.t.Helper()
	b.preferences[feature] = value
	var features []*emulation.MediaFeature
	for name, value := range b.preferences {
		features = append(features, &emulation.MediaFeature{Name: name, Value: value})
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
}

// preferring does something under other preferences.
func (b *tab) preferring(scheme string, do func()) {
	b.t.Helper()
	before, motion := b.preferences["prefers-color-scheme"], b.preferences["prefers-reduced-motion"]
	b.prefer("prefers-color-scheme", scheme)
	b.prefer("prefers-reduced-motion", "reduce")
	do()
	b.prefer("prefers-color-scheme", before)
	b.prefer("prefers-reduced-motion", motion)
}

// everywhere tells a story in English and in Russian, on a desktop and on a phone, at the same time at one instance: whom
// it needs there it gets from in.somebody. What comes after everywhere in the test does not wait for it.
func (c *chromium) everywhere(t *testing.T, in *instance, story func(t *testing.T, b *tab)) {
	t.Helper()
	for _, language := range []string{"en", "ru"} {
		for _, d := range []device{desktop, phone} {
			t.Run(language+"-"+string(d), func(t *testing.T) {
				t.Parallel()
				b := c.newTab(t, in)
				b.speak(language)
				b.hold(d)
				story(t, b)
			})
		}
	}
}
