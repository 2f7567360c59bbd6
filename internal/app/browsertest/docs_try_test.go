package browsertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// What the contract's examples name. It is there, so that who tries an operation out as the page shows it sees it work.
const (
	exampleImage = "w7c2xq5kt3mza"
	exampleName  = "anna"
)

// testTryItOut tries operations out on the page of the documentation, as a visitor, with a session and with a key.
func testTryItOut(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.register(t, exampleName)
	i := p.upload(t, landscape(t, "sunset.jpg", 1), "public")
	if _, err := in.db.Pool.Exec(t.Context(), `UPDATE images SET id = $1 WHERE id = $2`, exampleImage, i.ID); err != nil {
		t.Fatal(err)
	}
	b := c.newTab(t, in)

	b.open("/docs#/accounts/getAccount")
	b.tryOut("accounts", "getAccount", 401)

	b.open("/sign-in?next=%2Fdocs")
	b.wait("the form", field("name"))
	b.fill(field("name"), p.name)
	b.fill(field("password"), password)
	b.submit(field("name"))
	b.wait("the documentation", "location.pathname === '/docs' && $('.opblock')")
	b.tryOut("accounts", "getAccount", 200)
	b.waitText(".live-responses-table", `"name": "anna"`)

	b.tryAllGets()
	b.tryUploads()

	// Changes, with the session's cookie and the bodies of the examples.
	b.tryOut("images", "updateImage", 200)
	b.tryOut("images", "createImageVariants", 200)
	b.fitsAPhone("changed")
	b.tryOut("images", "deleteImage", 204)
	b.tryOut("images", "getImage", 410)

	// A key is given in the dialog, and goes before the session.
	var made struct{ Key string }
	reply := p.must(t, http.MethodPost, "/api/v1/api-keys", "application/json", []byte(`{"name":"docs","scopes":["account:read"]}`))
	if err := json.Unmarshal(reply, &made); err != nil {
		t.Fatal(err)
	}
	b.click("$('.auth-wrapper .authorize')")
	b.waitText(".dialog-ux", "Nothing to fill in here")
	b.preferring("dark", func() {
		b.wait("the dialog in the window", "((box) => box.top >= 0 && box.bottom <= innerHeight)($('.modal-ux').getBoundingClientRect())")
	})
	b.fitsAPhone("authorize")
	b.click("$('.dialog-ux input')")
	b.press(made.Key)
	b.click("named('.dialog-ux button', 'Authorize')")
	b.click("named('.dialog-ux button', 'Close')")
	b.tryOut("images", "listImages", 403)
	b.waitText(".live-responses-table", "The API key needs the scope images:read.")
	b.tryOut("accounts", "getAccount", 200)
}

// operation is the block of an operation; it is opened and made ready for trying out.
func (b *tab) operation(tag, id string) string {
	b.t.Helper()
	block := fmt.Sprintf("$('#operations-%s-%s')", tag, id)
	b.wait(id, block)
	if !eval[bool](b, block+".classList.contains('is-open')") {
		b.click("$('.opblock-summary-control', " + block + ")")
	}
	b.wait(id+" to be open", "named('button', 'Try it out', "+block+") || $('.execute', "+block+")")
	if eval[bool](b, "!$('.execute', "+block+")") {
		b.click("named('button', 'Try it out', " + block + ")")
	}
	return block
}

// execute sends the request, and returns the status that the page shows.
func (b *tab) execute(block string) int {
	b.t.Helper()
	if eval[bool](b, "Boolean($('.btn-clear', "+block+"))") {
		b.click("$('.btn-clear', " + block + ")") // what was answered before
	}
	b.click("$('.execute', " + block + ")")
	const shown = ".live-responses-table tbody .response-col_status"
	b.wait("an answer", fmt.Sprintf("/^\\d/.test(textOf($('%s', %s)))", shown, block))
	return eval[int](b, fmt.Sprintf("parseInt(textOf($('%s', %s)))", shown, block))
}

// tryOut executes an operation as the page has filled it in, and leaves it open.
func (b *tab) tryOut(tag, id string, status int) {
	b.t.Helper()
	if got := b.execute(b.operation(tag, id)); got != status {
		b.t.Errorf("%s: %d, want %d: %s", id, got, status, eval[string](b, "textOf($('.live-responses-table'))"))
	}
}

// tryAllGets executes everything that changes nothing. What the examples name is there, but for a link of another instance
// and an upload.
func (b *tab) tryAllGets() {
	b.t.Helper()
	ids := eval[[]string](b, "$$('.opblock-get').map((e) => e.id.replace('operations-', ''))")
	if len(ids) < 14 {
		b.t.Errorf("the page has only %q to get", ids)
	}
	for _, id := range ids {
		want := 200
		if slices.Contains([]string{"getOEmbed", "getUpload"}, id[strings.LastIndex(id, "-")+1:]) {
			want = 404
		}
		cut := strings.LastIndex(id, "-")
		b.tryOut(id[:cut], id[cut+1:], want)
		if strings.HasSuffix(id, "getFile") {
			b.wait("the picture", fmt.Sprintf("loaded($('#operations-%s .live-responses-table img'))", id))
		}
		if strings.HasSuffix(id, "getOEmbed") {
			b.forgive() // a fault on the site's own pages
		}
		b.click(fmt.Sprintf("$('#operations-%s .opblock-summary-control')", id))
	}
}

// tryUploads sends a file as the whole body, and one in a form.
func (b *tab) tryUploads() {
	b.t.Helper()
	for mediaType, f := range map[string]file{
		"application/octet-stream": landscape(b.t, "evening.jpg", 2), "multipart/form-data": landscape(b.t, "morning.jpg", 3),
	} {
		block := b.operation("images", "uploadImage")
		eval[any](b, fmt.Sprintf(`((select) => {
			Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, 'value').set.call(select, %s);
			select.dispatchEvent(new Event('change', { bubbles: true }));
		})($('.opblock-section-request-body .content-type', %s))`, quote(mediaType), block))
		input := "$('.opblock-section-request-body input[type=file]', " + block + ")"
		b.wait("a field for the file", input)
		b.choose(func() { b.click(input) }, f)
		if got := b.execute(block); got != 201 {
			b.t.Errorf("%s: %d: %s", mediaType, got, eval[string](b, "textOf($('.live-responses-table'))"))
		}
		b.fitsAPhone("uploaded-" + mediaType[:5])
	}
	b.click("$('#operations-images-uploadImage .opblock-summary-control')")
}

// fitsAPhone looks at what is open on the page as one sees it on a phone.
func (b *tab) fitsAPhone(name string) {
	b.t.Helper()
	b.hold(phone)
	b.fits(name)
	b.photograph("docs-" + name)
	b.hold(desktop)
}
