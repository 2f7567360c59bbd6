package browsertest_test

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// servePages serves the folder of the pages at an address, as a development server does: the files as they lie, the one page
// under every other path, and none of Kadr's headers. The page says where its API is.
func servePages(t *testing.T, address, api string) {
	t.Helper()
	root, err := os.OpenRoot("../../../static")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	index, err := root.ReadFile("index.html")
	if err != nil {
		t.Fatal(err)
	}
	index = bytes.Replace(index, []byte("</head>"), []byte(`<meta name="kadr-api" content="`+api+`"></head>`), 1)
	files := http.FileServerFS(root.FS())
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if info, err := root.Stat("." + req.URL.Path); err == nil && !info.IsDir() && req.URL.Path != "/index.html" {
			files.ServeHTTP(w, req)
			return
		}
		_, _ = w.Write(index)
	})}}
	server.Start()
	t.Cleanup(server.Close)
}

// testPagesElsewhere is the main job on pages that another server shows, as LiveServer does while one works on them.
func testPagesElsewhere(t *testing.T, c *chromium) {
	pages := freeAddress(t)
	in := newInstance(t, "CORS_ORIGINS=http://"+pages)
	servePages(t, pages, in.base)
	b := c.newTab(t, in, pages)
	b.open("http://" + pages + "/")
	b.waitText("h1", "A good home for your pictures")
	b.wait("the links to the API's documentation", "$('footer a').href.startsWith("+quote(in.base)+")")

	registerByKeyboard(b, "ada-l")
	small, large := photograph("evening.jpg", 20), grain(t, "grain.png", 20, 500) // in one request, and in parts
	b.choose(func() { b.click("$('.zone-choose')") }, small, large)
	b.wait("both pictures", row(small.name, "done")+" && "+row(large.name, "done"))
	if eval[bool](b, "document.cookie !== ''") {
		t.Error("the page can read the session's cookie")
	}
	done := row(large.name, "done")
	b.click("$('summary', " + done + ")")
	eval[any](b, "(() => { const s = $('select', "+done+"); s.value = 'public'; s.dispatchEvent(new Event('change', { bubbles: true })); })()")
	b.waitText("#toast", "Saved")
	b.wait("the thumbnail", "loaded($('.feed img'))")

	b.click("$('.avatar')")
	b.click("$('[data-action=sign-out]')")
	b.waitText("h1", "A good home for your pictures")
	b.open("http://" + pages + "/")
	b.wait("nobody to be signed in", "$('.hero').checkVisibility() && !$('.avatar')")
}

// testPagesOfAStranger tries the same from an origin that is not listed, in a browser that is signed in.
func testPagesOfAStranger(t *testing.T, c *chromium) {
	listed, stranger := freeAddress(t), freeAddress(t)
	in := newInstance(t, "CORS_ORIGINS=http://"+listed)
	servePages(t, stranger, in.base)
	p := in.register(t, "ada-l")
	picture := p.upload(t, landscape(t, "evening.jpg", 3), "unlisted")
	secret := p.upload(t, landscape(t, "secret.jpg", 4), "private")
	b := c.newTab(t, in, stranger)
	b.signIn(p)
	b.open("http://" + stranger + "/")
	b.wait("the page to say that it has no server", "document.body.innerText.includes('server')")
	if text := eval[string](b, "document.body.innerText"); strings.Contains(text, p.name) {
		t.Errorf("the page knows who is signed in: %s", text)
	}
	for what, attempt := range map[string]string{
		"read the account": "fetch(" + quote(in.base+"/api/v1/account") + ", { credentials: 'include' })",
		"delete":           "fetch(" + quote(in.base+"/api/v1/images/"+picture.ID) + ", { method: 'DELETE', credentials: 'include' })",
		"sign out":         "fetch(" + quote(in.base+"/api/v1/sessions/current") + ", { method: 'DELETE', credentials: 'include' })",
		"use a key":        "fetch(" + quote(in.base+"/api/v1/images") + ", { headers: { Authorization: 'Bearer kadr_x' } })",
		"read a picture":   "fetch(" + quote(secret.URL) + ", { credentials: 'include' })",
	} {
		if answer := eval[string](b, "await "+attempt+".then((r) => 'answered ' + r.status, () => 'kept away')"); answer != "kept away" {
			t.Errorf("%s: %s", what, answer)
		}
	}
	// Without a preflight, as a form would, and with the cookie: the browser sends it, and the server refuses it.
	eval[string](b, "await fetch("+quote(in.base+"/api/v1/images")+
		", { method: 'POST', credentials: 'include', mode: 'no-cors', body: new URLSearchParams({ a: 'b' }) }).then((r) => r.type)")
	if status := b.status("POST /api/v1/images"); status != http.StatusForbidden {
		t.Errorf("the form was answered with %d", status)
	}
	if status, body := p.get(t, in.base+"/api/v1/images"); status != http.StatusOK || strings.Count(string(body), `"page_url"`) != 2 {
		t.Errorf("%d %s", status, body)
	}
	b.forgive()
}
