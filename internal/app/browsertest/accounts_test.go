package browsertest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/kadr-app/kadr/internal/token"
)

// field is the input of that name in the form that is in front.
func field(name string) string {
	return fmt.Sprintf(`($('dialog') ?? document).querySelector('.form .field:not([hidden]) [name=%q]:enabled')`, name)
}

// fill types into a field in the place of what is there.
func (b *tab) fill(input, text string) {
	b.t.Helper()
	b.click(input)
	eval[any](b, input+".select()")
	b.press(kb.Backspace + text)
}

// submit presses the button of a form, named by one of its fields.
func (b *tab) submit(input string) {
	b.t.Helper()
	b.click("$('.form > .button', " + input + ".form)")
}

// waitFault waits for a text at a field, which then is marked and has the focus.
func (b *tab) waitFault(input, text string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("%q at %s", text, input), fmt.Sprintf(
		"textOf($('.field-error', %[1]s.closest('.field'))).includes(%[2]s) && %[1]s.ariaInvalid === 'true'", input, quote(text)))
}

// waitPath waits until the address is that path, with its query and fragment.
func (b *tab) waitPath(path string) {
	b.t.Helper()
	b.wait("the address "+path, "location.pathname + location.search + location.hash === "+quote(path))
}

// photograph keeps pictures by day and by night where that was asked for.
func (b *tab) photograph(name string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		if artifactsWanted() {
			b.preferring(scheme, func() { b.picture(fmt.Sprintf("%s-%s-%s-%s", name, b.language, b.device, scheme)) })
		}
	}
}

// says is what the page says in its language.
func (b *tab) says(en, ru string) string {
	if b.language == "ru" {
		return ru
	}
	return en
}

func testRegister(t *testing.T, c *chromium) {
	in := newInstance(t)
	in.register(t, "early-bird")
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		name := fmt.Sprintf("ada-%s-%s", b.language, b.device)
		b.open("/register?next=/settings%23profile")
		b.wait("the form", field("name"))
		b.fill(field("name"), "Ada Lovelace")
		b.fill(field("password"), "short")
		b.fill(field("email"), "ada at home")
		b.submit(field("name"))
		b.waitFault(field("name"), b.says("lower-case", "строчных"))
		b.waitFault(field("password"), "10")
		b.waitFault(field("email"), b.says("email address", "адрес почты"))
		b.wait("the first to have the focus", "document.activeElement === "+field("name"))
		b.fits("mistakes")
		b.audit("mistakes")
		b.photograph("register-mistakes")

		b.click("$('[data-action=reveal]')")
		b.wait("the password to be seen", field("password")+".type === 'text'")
		b.fill(field("password"), password)
		b.fill(field("email"), "<b>ada</b>@example.org")
		b.fill(field("name"), "early-bird")
		b.press(kb.Enter)
		b.waitFault(field("name"), b.says("taken", "занято"))

		b.fill(field("name"), name)
		b.press(kb.Enter)
		b.waitPath("/settings#profile")
		b.wait("what was typed", field("name")+".value === "+quote(name)+" && "+field("email")+".value === '<b>ada</b>@example.org'")
	})
}

func testSignIn(t *testing.T, c *chromium) {
	in := newInstance(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		b.open("/settings#keys")
		b.waitPath("/sign-in?next=%2Fsettings%23keys")
		b.wait("the form", field("name"))
		b.photograph("sign-in")
		b.submit(field("name"))
		b.waitFault(field("name"), b.says("fill this in", "Заполните"))
		b.waitFault(field("password"), b.says("fill this in", "Заполните"))
		b.fill(field("name"), " "+p.name+" ")
		b.fill(field("password"), "not my password")
		b.press(kb.Enter)
		b.waitText(".form-message [role=alert]", b.says("The name or the password is wrong.", "Неверное имя или пароль."))
		b.wait("the request's id", "/[0-9a-zA-Z]{8}/.test(textOf($('.form-message .request-id')))")
		b.fits("refused")
		b.audit("refused")
		b.fill(field("password"), password)
		b.press(kb.Enter)
		b.waitPath("/settings#keys")
		b.wait("the section", "$('[name=scopes]')")

		// Who is signed in is sent on, and never to another site.
		for next, path := range map[string]string{
			"/settings%23uploads": "/settings#uploads", "//elsewhere.test/settings": "/", "/%5Celsewhere.test/": "/",
			"/%09/elsewhere.test/": "/", "https://elsewhere.test/": "/", "javascript:alert(1)": "/", "http://[": "/",
		} {
			b.open("/sign-in?next=" + next)
			b.waitPath(path)
		}
	})
}

func testTooManyAttempts(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	for range 10 {
		p.do(t, http.MethodPost, in.base+"/api/v1/sessions", "application/json", []byte(`{"name":"`+p.name+`","password":"not mine"}`))
	}
	b := c.newTab(t, in)
	b.open("/sign-in")
	b.wait("the form", field("name"))
	b.fill(field("name"), p.name)
	b.fill(field("password"), password+kb.Enter)
	b.waitText(".form-message [role=alert]", "Too many attempts. Try again in ")
	b.look("too-many-attempts")
}

func testInvitation(t *testing.T, c *chromium) {
	in := newInstance(t, "REGISTRATION=invite")
	in.register(t, "admin")
	const code = "abcdefghijklmnopqrstuvwxyz"
	if _, err := in.db.Pool.Exec(t.Context(),
		"INSERT INTO invites (code_hash, expires_at) VALUES ($1, now() + interval '1 hour')", token.Hash(code)); err != nil {
		t.Fatal(err)
	}
	b := c.newTab(t, in)
	b.open("/register?next=/settings")
	b.wait("the code to be asked for", field("invite_code"))
	b.fill(field("name"), "guest")
	b.fill(field("password"), password)
	b.fill(field("invite_code"), "what was it"+kb.Enter)
	b.waitFault(field("invite_code"), "26 lower-case letters")
	b.fill(field("invite_code"), strings.Repeat("z", 26)+kb.Enter)
	b.waitFault(field("invite_code"), "invitation that is still good")
	b.audit("invitation")
	b.look("invitation")
	b.fill(field("invite_code"), code+kb.Enter)
	b.waitPath("/settings")
}

func testRegistrationClosed(t *testing.T, c *chromium) {
	in := newInstance(t, "REGISTRATION=closed")
	b := c.newTab(t, in)
	b.open("/register?next=/settings") // the first account may always be made
	b.wait("the form", field("name"))
	b.fill(field("name"), "admin")
	b.fill(field("password"), password+kb.Enter)
	b.waitPath("/settings")
	late := c.newTab(t, in)
	late.open("/register")
	late.waitText(".auth .notice", "does not take new accounts")
	late.wait("no form", "!$('form')")
	late.audit("closed")
	late.look("closed")
}

// testSessionEnded ends the session behind the page's back: what was being done goes on after signing in.
func testSessionEnded(t *testing.T, c *chromium) {
	in := newInstance(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		b.signIn(p)
		b.open("/settings")
		b.wait("the form", field("email"))
		b.fill(field("email"), p.name+"@example.org")
		p.signOutEverywhere(t)
		b.press(kb.Enter)
		b.waitText("dialog", b.says("Your session has ended.", "Сеанс закончился."))
		b.wait("the name to be kept, and the password to be asked for", field("name")+".value === "+quote(p.name)+
			" && document.activeElement === "+field("password"))
		b.fits("dialog")
		b.audit("dialog")
		b.photograph("session-ended")
		b.fill(field("password"), "not my password"+kb.Enter)
		b.waitText("dialog [role=alert]", b.says("wrong", "Неверное"))
		b.fill(field("password"), password+kb.Enter)
		b.waitText("#toast", b.says("Saved.", "Сохранено."))
		b.wait("the dialog to be gone", "!$('dialog')")
		p.signIn(t)
		if _, body := p.get(t, in.base+"/api/v1/account"); !strings.Contains(string(body), p.name+"@example.org") {
			t.Errorf("the change was not made: %s", body)
		}
	})
}

// testSomebodyElse signs in another person where a session ended: nothing of the former's goes on.
func testSomebodyElse(t *testing.T, c *chromium) {
	in := newInstance(t)
	p, other := in.somebody(t), in.somebody(t)
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/settings")
	b.wait("the form", field("email"))
	b.fill(field("email"), "former@example.org")
	p.signOutEverywhere(t)
	b.press(kb.Enter)
	b.wait("the dialog", "$('dialog')")
	b.fill(field("name"), other.name)
	b.fill(field("password"), password+kb.Enter)
	b.waitPath("/")
	if _, body := other.get(t, in.base+"/api/v1/account"); strings.Contains(string(body), "former@") {
		t.Errorf("the former's change was made to the other's account: %s", body)
	}
}

// testDialogCancelled gives up signing in: the page says why nothing was done, and is there to try again.
func testDialogCancelled(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/settings")
	b.wait("the form", field("email"))
	b.fill(field("email"), "late@example.org")
	p.signOutEverywhere(t)
	b.press(kb.Enter)
	b.wait("the dialog", "$('dialog')")
	b.press(kb.Escape)
	b.waitText(".form-message [role=alert]", "You are not signed in.")
	b.wait("what was typed to be kept", field("email")+".value === 'late@example.org'")
}
