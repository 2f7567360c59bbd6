package browsertest_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// stage is an instance on which there is something to see, and another on which there is nothing yet.
type stage struct {
	in, bare      *instance
	member, empty *person // one with pictures, one without
	tidy          *person // one who deletes pictures, which must be nobody else's to look at
	pictures      []image // the member's, newest last
	deleted       image
}

func setStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{in: newInstance(t), bare: newInstance(t)}
	s.member, s.empty = s.in.register(t, "ada-lovelace"), s.in.register(t, "newcomer")
	s.pictures = s.member.fill(t, 60)
	s.tidy = s.in.register(t, "tidy")
	for _, f := range photographs(t, 12) {
		s.tidy.upload(t, f, "private")
	}
	for i, title := range []string{"First light", "The far ridge", "Above the valley", "Evening, on the way home"} {
		if i < len(s.pictures) {
			s.member.describe(t, s.pictures[len(s.pictures)-1-i], map[string]string{
				"title": title, "description": "Hills behind hills, with the sun low over the last of them.",
			})
		}
	}
	s.member.describe(t, s.pictures[0], map[string]string{"visibility": "private"})
	s.deleted = s.member.upload(t, ring(t, "ring.png"), "public")
	s.member.delete(t, s.deleted)
	for _, name := range []string{"Phone", "The script that takes pictures of the screen every morning"} {
		s.member.mustJSON(t, http.MethodPost, "/api/v1/api-keys", map[string]any{"name": name, "scopes": []string{"images:read", "images:write"}})
	}
	s.member.agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	s.member.signIn(t)
	elsewhere := *s.member
	elsewhere.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
	elsewhere.http = newClient(t)
	elsewhere.signIn(t)
	return s
}

// newest is the member's picture that is the first to be seen.
func (s *stage) newest() image { return s.pictures[len(s.pictures)-1] }

// place is a page, or a state of one, that people may come to see.
type place struct {
	name    string
	as      *person // nil: a visitor
	path    string
	ready   string     // what shows that the page has what it is about
	then    func(*tab) // what brings about the state; nil: the page as it opens
	russian bool       // looked at in Russian too
	bare    bool       // at the instance that has nothing yet
}

const shownPicture = "loaded($('.stage img'))"

// places are all of them: what is listed here is audited, measured against the windows, and photographed.
func (s *stage) places() []place {
	picture := "/p/" + s.newest().ID
	return []place{
		{name: "home-visitor", path: "/", ready: "$('.hero').checkVisibility() && $('.tile')", russian: true},
		{name: "home-member", as: s.member, path: "/", ready: "$('.zone').checkVisibility() && $('.tile')", russian: true},
		{name: "home-bare", path: "/", ready: "$('.hero').checkVisibility() && textOf($('.grid-foot'))", bare: true},
		{name: "account-menu", as: s.member, path: "/", ready: "$('.zone').checkVisibility() && $('.tile')", russian: true, then: func(b *tab) {
			b.click("$('button.avatar')")
			b.wait("the menu", "$('#account-menu').matches(':popover-open')")
		}},
		{name: "pictures", as: s.member, path: "/pictures", ready: "$('.tile') && textOf($('.page-head p'))", russian: true},
		{name: "pictures-selected", as: s.member, path: "/pictures", ready: "$('.tile')", russian: true, then: func(b *tab) {
			eval[any](b, "$$('.tile-check').slice(0, 3).forEach((e) => e.click())")
			b.wait("the selection", "$$('.tile.selected').length === 3 && $('.selection-bar').checkVisibility()")
		}},
		{name: "pictures-deleted", as: s.tidy, path: "/pictures", ready: "$('.tile')", then: func(b *tab) {
			eval[any](b, "$$('.tile-check').slice(0, 2).forEach((e) => e.click())")
			b.click("$('.selection-bar [data-action=delete]')")
			b.wait("the way back", "$('#toast button')")
			eval[any](b, "(window.hold = setInterval(() => $('#toast button')?.focus(), 100), 1)") // the message stays while one is at it
		}},
		{name: "pictures-empty", as: s.empty, path: "/pictures", ready: "$('.message')"},
		{name: "pictures-none-found", as: s.member, path: "/pictures?q=nowhere+to+be+found&visibility=private", ready: "$('.message')"},
		{name: "picture-visitor", path: picture, ready: shownPicture + " && $('dd')", russian: true},
		{name: "picture-owner", as: s.member, path: picture, ready: shownPicture + " && $('[name=title]')", russian: true},
		{name: "picture-copy", path: picture, ready: shownPicture + " && $('dd')", russian: true, then: func(b *tab) {
			b.click("$('[data-action=more]')")
			b.wait("all that can be copied", "$('.copy-dialog').open")
		}},
		{name: "picture-delete", as: s.member, path: picture, ready: shownPicture + " && $('[name=title]')", then: func(b *tab) {
			b.click("$('[data-action=trash]')")
			b.wait("the question", "$('dialog.dialog').open")
		}},
		{name: "picture-viewer", as: s.member, path: "/u/ada-lovelace", ready: "$$('.tile').length > 3", then: func(b *tab) {
			b.click("$('.tile:nth-child(2) a')")
			b.settle(shownPicture)
			b.press("f")
			b.wait("the viewer", "$('.viewer').matches(':modal') && $('.viewer-next').checkVisibility()")
		}},
		{name: "person", path: "/u/ada-lovelace", ready: "$('.tile')", russian: true},
		{name: "person-empty", path: "/u/newcomer", ready: "$('.message')"},
		{name: "settings-profile", as: s.member, path: "/settings#profile", ready: "$('[name=confirm]')", russian: true},
		{name: "settings-uploads", as: s.member, path: "/settings#uploads", ready: "named('.card', '60')", russian: true},
		{name: "settings-security", as: s.member, path: "/settings#security", ready: "$$('.rows li').length > 1", russian: true},
		{name: "settings-keys", as: s.member, path: "/settings#keys", ready: "$$('.rows li').length > 1", russian: true},
		{name: "settings-key-made", as: s.empty, path: "/settings#keys", ready: "$('.rows')", then: func(b *tab) {
			b.fill("$('[name=name]')", "Phone")
			b.submit("$('[name=name]')")
			b.wait("the key", "$('.form pre')")
		}},
		{name: "settings-integrations", as: s.empty, path: "/settings#integrations", ready: "$$('.card').length === 6", russian: true, then: func(b *tab) {
			b.click("$('.card button')")
			b.wait("the file", "$('.form pre')")
		}},
		{name: "sign-in", path: "/sign-in", ready: "$('form')", russian: true},
		{name: "sign-in-wrong", path: "/sign-in", ready: "$('form')", then: func(b *tab) {
			b.press(kb.Tab)
			b.submit("$('[name=password]')")
			b.wait("the faults", "textOf($('.field-error'))")
		}},
		{name: "register", path: "/register", ready: "$('form')", russian: true},
		{name: "sign-in-dialog", path: "/sign-in", ready: "$('form')", russian: true, then: func(b *tab) {
			p := s.in.somebody(b.t)
			p.upload(b.t, ring(b.t, "ring.png"), "private")
			b.signIn(p)
			b.open("/pictures")
			b.settle("$('.tile')")
			p.signOutEverywhere(b.t)
			b.click("$('select[name=sort]')")
			eval[any](b, "($('select[name=sort]').value = 'size asc', $('select[name=sort]').dispatchEvent(new Event('input', { bubbles: true })))")
			b.wait("the dialog", "$('dialog.dialog [name=password]')")
		}},
		{name: "not-found", path: "/no/such/page", ready: "$('.message')", russian: true},
		{name: "picture-not-found", path: "/p/" + never, ready: "$('.message')"},
		{name: "problems", path: "/problems", ready: "$$('.read-index li').length > 90"},
		{name: "problem", path: "/problems/precondition_failed", ready: "$('.read pre')"},
		{name: "problem-long", path: "/problems/unsupported_content_encoding", ready: "$('.read pre')"},
		{name: "problem-not-found", path: "/problems/none", ready: "$('.read-above')"},
		{name: "gone", path: "/p/" + s.deleted.ID, ready: "$('.message')"},
		{name: "offline", as: s.member, path: "/", ready: "$('.tile')", russian: true, then: func(b *tab) {
			b.offline(true)
			b.click("$('[href=\"/pictures\"]')")
			b.wait("the page to say so", "$('#offline').checkVisibility() && $('.message')")
		}},
		{name: "uploads", path: "/sign-in", ready: "$('form')", russian: true, then: func(b *tab) {
			b.signIn(s.in.somebody(b.t))
			b.open("/")
			b.settle("$('.zone').checkVisibility()")
			zone := func(files ...file) {
				b.t.Helper()
				b.choose(func() { b.click("$('.zone-choose')") }, files...)
			}
			zone(photograph("harbour.jpg", 31), notes("notes.txt"))
			b.wait("one to be done", row("harbour.jpg", "done"))
			zone(photograph("harbour.jpg", 31))
			b.wait("it to be known", row("harbour.jpg", "duplicate"))
			b.slow(20_000, 50)
			zone(photograph("lighthouse-with-a-name-that-is-longer-than-most-rows.jpg", 32), photograph("quay.jpg", 33), photograph("gulls.jpg", 34), photograph("nets.jpg", 35))
			b.wait("some to be on their way", row("lighthouse", "sending")+" && $$('.upload').length === 7")
		}},
	}
}
