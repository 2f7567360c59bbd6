package browsertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// markup is a name that must stay text wherever it is shown.
const markup = `"'><img src=x onerror=alert(1)>{{key}}`

// account is what the API says of the person.
func (p *person) account(t *testing.T) (a struct {
	Name              string `json:"name"`
	Email             string `json:"email"`
	KeepMetadata      bool   `json:"keep_metadata"`
	DefaultVisibility string `json:"default_visibility"`
},
) {
	t.Helper()
	if err := json.Unmarshal(p.must(t, http.MethodGet, "/api/v1/account", "", nil), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// with lets the person be a program that has a key.
func (p *person) with(t *testing.T, key, method, path string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.in.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// sections opens each section from the navigation, and looks at it.
func testSections(t *testing.T, c *chromium) {
	in := newInstance(t, "QUOTA_BYTES=100000")
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		p.upload(t, landscape(t, "meadow.jpg", 3), "public")
		p.mustJSON(t, http.MethodPost, "/api/v1/api-keys", map[string]any{"name": markup, "scopes": []string{"images:read"}})
		b.signIn(p)
		b.open("/settings")
		for _, section := range []struct{ hash, ready string }{
			{"profile", field("confirm")},
			{"uploads", "$('meter')"},
			{"security", "$('mark')"},
			{"keys", "named('.rows b', " + quote(markup) + ")"},
			{"integrations", "$$('.card').length === 6"},
		} {
			b.click(fmt.Sprintf("$('.settings nav a[href=\"#%s\"]')", section.hash))
			b.waitPath("/settings#" + section.hash)
			b.wait(section.hash, section.ready)
			b.wait("where one is", fmt.Sprintf("$('.settings nav [aria-current]').hash === '#%s'", section.hash))
			b.fits(section.hash)
			b.audit(section.hash)
			b.photograph(section.hash)
		}
		eval[any](b, "history.back()")
		b.wait("the section before", "$('[name=scopes]')")
		b.open("/settings#uploads")
		b.wait("the section of the address", "$('[name=keep_metadata]')")
	})
}

func testProfile(t *testing.T, c *chromium) {
	in := newInstance(t)
	taken := in.somebody(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		b.signIn(p)
		b.open("/settings")
		b.wait("the form", field("name"))
		b.fill(field("name"), taken.name)
		b.fill(field("email"), "no address"+kb.Enter)
		b.waitFault(field("email"), b.says("email address", "адрес почты"))
		b.fill(field("email"), `<img/src=x/onerror=alert(1)>@example.org`+kb.Enter)
		b.waitFault(field("name"), b.says("taken", "занято"))
		b.fill(field("name"), p.name+"-ii"+kb.Enter)
		b.waitText("#toast", b.says("Saved.", "Сохранено."))
		b.wait("the new name in the frame", "$('.avatar').ariaLabel.includes("+quote(p.name+"-ii")+")")
		if a := p.account(t); a.Name != p.name+"-ii" || a.Email != `<img/src=x/onerror=alert(1)>@example.org` {
			t.Errorf("saved: %+v", a)
		}
		b.open("/settings?again")
		b.wait("the email as text", field("email")+".value.startsWith('<img')")
		b.fill(field("email"), " "+kb.Enter)
		b.wait("it to be saved", "named('#toast', "+quote(b.says("Saved.", "Сохранено."))+")")
		if a := p.account(t); a.Email != "" {
			t.Errorf("an email that was taken away: %+v", a)
		}
	})
}

// testChangedElsewhere changes the account behind the page's back: the page doesn't write over that.
func testChangedElsewhere(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/settings")
	b.wait("the form", field("email"))
	p.must(t, http.MethodPatch, "/api/v1/account", "application/merge-patch+json", []byte(`{"email":"elsewhere@example.org"}`))
	b.fill(field("email"), "here@example.org"+kb.Enter)
	b.waitText(".form-message [role=alert]", "changed elsewhere in the meantime")
	b.waitText(".form-message .request-id", "Request ")
	if status := b.status("PATCH /api/v1/account"); status != http.StatusPreconditionFailed {
		t.Errorf("the change was answered with %d", status)
	}
	b.look("changed-elsewhere")
	if a := p.account(t); a.Email != "elsewhere@example.org" {
		t.Errorf("it was written over: %+v", a)
	}
}

func testUploadSettings(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/settings#uploads")
	b.waitText(".card:last-child", "0 pictures")
	b.wait("no bar without a quota", "!$('meter')")
	b.wait("what is chosen", "$('[name=keep_metadata][value=false]').checked && $('[name=default_visibility][value=unlisted]').checked")
	b.click("$('[name=keep_metadata][value=true]')")
	b.click("$('[name=default_visibility][value=private]')")
	b.submit("$('[name=keep_metadata]')")
	b.waitText("#toast", "Saved.")
	if a := p.account(t); !a.KeepMetadata || a.DefaultVisibility != "private" {
		t.Errorf("saved: %+v", a)
	}
	b.open("/settings?again#uploads")
	b.wait("what was chosen", "$('[name=keep_metadata][value=true]').checked && $('[name=default_visibility][value=private]').checked")
}

// testSecurity signs out browsers one by one and together, and changes the password.
func testSecurity(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	elsewhere := []*person{p}
	for _, agent := range []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"<img src=x onerror=alert(1)>",
	} {
		elsewhere = append(elsewhere, p.again(t, agent))
	}
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/settings#security")
	for _, words := range []string{"Edge, Windows", "Safari, iPhone", "unknown"} {
		b.wait(words, "named('.rows b', "+quote(words)+")")
	}
	b.wait("this one marked", "$$('.rows mark').length === 1 && $$('.rows li').length === 4")
	b.look("security")

	b.click("$('.rows li:has(mark) ~ li button, .rows li:not(:has(mark)) button')")
	b.waitText("dialog", "has to sign in again")
	b.press(kb.Escape)
	b.wait("nothing to have happened", "!$('dialog') && $$('.rows li').length === 4")
	b.click("$('button', named('.rows li', 'Edge, Windows'))")
	b.click("$('dialog .danger')")
	b.wait("one less", "$$('.rows li').length === 3")
	b.wait("the focus to stay in the card", "document.activeElement.closest('.card')")
	b.click("named('button', 'Sign out all others')")
	b.click("$('dialog .danger')")
	b.wait("this one only", "$$('.rows li').length === 1 && $('.rows mark') && !named('button', 'Sign out all others')")
	for i, one := range elsewhere {
		if status, _ := one.get(t, in.base+"/api/v1/account"); (status == http.StatusOK) != (i == 0) {
			t.Errorf("browser %d: %d", i, status)
		}
	}

	late := p.again(t, "curl")
	b.fill(field("current_password"), "not my password")
	b.fill(field("password"), "another long sentence"+kb.Enter)
	b.waitFault(field("current_password"), "wrong")
	b.fill(field("current_password"), password+kb.Enter)
	b.waitText("#toast", "Saved.")
	b.wait("the fields to be empty", field("password")+".value === '' && "+field("current_password")+".value === ''")
	if status, _ := late.get(t, in.base+"/api/v1/account"); status != http.StatusUnauthorized {
		t.Errorf("the other browser after the password changed: %d", status)
	}
	if status, _ := p.get(t, in.base+"/api/v1/account"); status != http.StatusOK {
		t.Errorf("this browser after the password changed: %d", status)
	}
}

// testKeys makes a key, uses it, and deletes it.
func testKeys(t *testing.T, c *chromium) {
	in := newInstance(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		b.signIn(p)
		b.open("/settings#keys")
		b.wait("the form", field("name"))
		b.submit(field("name"))
		b.waitFault(field("name"), b.says("fill this in", "Заполните"))
		b.fill(field("name"), markup)
		b.click("$('[name=scopes][value=\"images:write\"]')")
		b.submit(field("name"))
		b.waitFault("$('[name=scopes]')", "") // none is chosen
		b.click("$('[name=scopes][value=\"account:read\"]')")
		b.click("$('[name=days][value=\"30\"]')")
		b.submit(field("name"))
		b.wait("the key", "/^kadr_[a-z2-7]{26}$/.test($('.form-message pre')?.textContent)")
		b.fits("key")
		b.audit("key")
		b.photograph("key")
		key := eval[string](b, "$('.form-message pre').textContent")
		copied := b.copied(func() { b.click("$('.form-message [data-action=copy]')") })
		if copied != key {
			t.Errorf("copied: %q", copied)
		}
		b.wait("it in the list, as text", "$$('.rows b').some((e) => e.textContent === "+quote(markup)+")")
		b.wait("what it may do, until when", fmt.Sprintf("((text) => text.includes(%s) && /%s: \\d|%[2]s: \\p{L}+ \\d/u.test(text))(textOf($('.rows small')))",
			quote(b.says("See my account", "Видеть мою учётную запись")), b.says("expires", "истекает")))
		if read, write := p.with(t, key, http.MethodGet, "/api/v1/account"), p.with(t, key, http.MethodPost, "/api/v1/images"); read != http.StatusOK || write != http.StatusForbidden {
			t.Errorf("the key: %d to read the account, %d to upload", read, write)
		}
		b.open("/settings?again#keys")
		b.wait("the list", "$('.rows li')")
		if strings.Contains(eval[string](b, "document.body.innerText"), key) {
			t.Error("the key is shown again")
		}
		b.click("$('.rows button')")
		b.waitText("dialog h2", markup)
		b.click("$('dialog .danger')")
		b.wait("it to be gone", "!$('.rows li')")
		if status := p.with(t, key, http.MethodGet, "/api/v1/account"); status != http.StatusUnauthorized {
			t.Errorf("the deleted key: %d", status)
		}
	})
}

// testSettingsFail takes the network away: each section says so, and goes on when it is back.
func testSettingsFail(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/settings")
	b.wait("the form", field("email"))
	b.offline(true)
	b.fill(field("email"), "offline@example.org"+kb.Enter)
	b.waitText(".form-message [role=alert]", "The server did not answer.")
	b.click("$('.settings nav a[href=\"#security\"]')")
	b.waitText(".card [role=alert]", "The server did not answer.")
	b.audit("offline")
	b.offline(false)
	b.click("named('.card [role=alert] button', 'Try again')")
	b.wait("the list", "$('.rows mark')")
	b.forgive()
}

func testDeleteAccount(t *testing.T, c *chromium) {
	in := newInstance(t)
	in.register(t, "admin")
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		picture := p.upload(t, landscape(t, "meadow.jpg", 3), "unlisted")
		b.signIn(p)
		b.open("/settings")
		b.wait("the form", field("confirm"))
		b.submit("$('[name=confirm]')")
		b.waitText(".field-error", b.says("fill this in", "Заполните"))
		b.fill("$('[name=confirm]')", "admin"+kb.Enter)
		b.waitFault("$('[name=confirm]')", b.says("not the name", "называется иначе"))
		b.fill("$('[name=confirm]')", p.name+kb.Enter)
		b.waitPath("/")
		b.waitText("#toast", b.says("is deleted", "удалена"))
		b.wait("nobody to be signed in", "!$('.avatar') && $('#head a[href=\"/sign-in\"]')")
		if status, _ := in.stranger().get(t, picture.URL); status != http.StatusGone {
			t.Errorf("the picture's link: %d", status)
		}
	})
	t.Run("last administrator", func(t *testing.T) {
		t.Parallel()
		in := newInstance(t)
		admin := in.somebody(t)
		in.somebody(t)
		b := c.newTab(t, in)
		b.signIn(admin)
		b.open("/settings")
		b.wait("the form", field("confirm"))
		b.fill("$('[name=confirm]')", admin.name+kb.Enter)
		b.waitText("[role=alert]", "The last administrator has to stay")
		if !slices.Contains([]int64{http.StatusConflict}, b.status("DELETE /api/v1/account")) {
			t.Errorf("answered with %d", b.status("DELETE /api/v1/account"))
		}
	})
}

// again signs the person in from another browser.
func (p *person) again(t *testing.T, agent string) *person {
	t.Helper()
	q := &person{in: p.in, name: p.name, address: p.address, agent: agent, http: newClient(t)}
	q.signIn(t)
	return q
}
