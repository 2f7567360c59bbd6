package browsertest_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
)

// hostile are texts that become markup, script or another reading order where something forgets that they are texts. Each of
// the scripts would leave window.pwned behind.
func hostile() []string {
	return []string{
		`"><img src=x onerror=pwned=1>`,
		`'onmouseover='pwned=1' autofocus onfocus='pwned=1`,
		`</title></textarea></script><script>pwned=1</script><!--`,
		`<svg/onload=pwned=1><iframe srcdoc="<script>parent.pwned=1</script>">`,
		"{{constructor.constructor('pwned=1')()}} ${pwned=1} `${pwned=1}` #{pwned=1} <%= pwned=1 %>",
		`javascript:pwned=1//http://x](javascript:pwned=1)[x](data:text/html,<script>pwned=1</script>)`,
		"\u202egpj.exe\u202c \u2066</p>\u2069 \u200b&lt;b&gt;&quot;&#x3c;img&#62; %3Cimg%20src=x%3E",
		strings.Repeat("Донаудампфшифффарт", 11),
		`__proto__ constructor [object Object] \u003cscript\u003e \"+pwned=1+\" [/img][url=x]`,
	}
}

// asFile is a text as the system allows it as a file's name.
func asFile(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "/", "∕"), `\`, "") + ".png"
}

// injected names what would have come from a text: elements and attributes that no page of Kadr's has.
const injected = `[...document.querySelectorAll('*')].filter((e) =>
	[...e.attributes].some(({ name, value }) => name.startsWith('on') || name === 'srcdoc' 
		|| (['href', 'src', 'srcset', 'action', 'formaction', 'xlink:href'].includes(name) && /^\s*(javascript:|data:text)/i.test(value)))
	|| e.matches('iframe, object, embed, base, [src="x"], b:not(.rows b), style, title:not(head > title), body script, svg:not(.icon)')
	|| (e.localName === 'script' && e.src !== location.origin + '/js/app.js' && e.id !== 'kadr-data'))
	.map((e) => e.outerHTML.slice(0, 200)).concat(typeof pwned === 'undefined' ? [] : 'a script ran',
	document.querySelectorAll('head > title').length === 1 ? [] : 'not one title')`

// reads waits until a person can read a text on the page, or hear it, and holds that it is nothing but a text.
func (b *tab) reads(where, text string) {
	b.t.Helper()
	b.wait(where+" to say "+text, `$$('body *').some((e) => e.checkVisibility() && [e.value, e.alt, e.ariaLabel, e.title,
		e.childElementCount ? '' : e.textContent, ...[...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data)].some((s) => `+
		`typeof s === 'string' && s.includes(`+quote(text)+`)))`)
	b.isClean(where)
}

func (b *tab) isClean(where string) {
	b.t.Helper()
	if found := eval[[]string](b, injected); len(found) > 0 {
		b.t.Errorf("%s: of a text came %q", where, found)
	}
}

// testHostileTexts puts such texts into every field that people fill in, and follows them to every place that shows them.
// The watch sees dialogs, errors and violations of the content policy meanwhile.
func testHostileTexts(t *testing.T, c *chromium) {
	in := newInstance(t)
	texts := hostile()
	mallory := in.register(t, "constructor")
	mallory.agent = texts[0]
	mallory.signIn(t)
	var pictures []image
	for i, text := range texts {
		picture := mallory.upload(t, grain(t, asFile(text), uint64(i), 24), "public")
		if i != 0 { // the first one is called as its file is
			mallory.describe(t, picture, map[string]string{"title": text})
		}
		mallory.describe(t, picture, map[string]string{"description": strings.Join(texts[i:], "\n") + texts[0]})
		mallory.mustJSON(t, http.MethodPost, "/api/v1/api-keys", map[string]any{"name": text[:min(len(text), 90)], "scopes": []string{"images:read"}})
		pictures = append(pictures, picture)
	}
	names := append([]string{asFile(texts[0])}, texts[1:]...)

	t.Run("Embeds", func(t *testing.T) { t.Parallel(); tryEmbeds(t, in, pictures, names) })
	t.Run("Snippets", func(t *testing.T) { t.Parallel(); trySnippets(t, c, in, pictures) })
	for _, from := range []struct {
		language string
		device   device
	}{{"en", desktop}, {"ru", phone}} {
		at := func(name string, try func(b *tab)) {
			t.Run(name+"-"+from.language, func(t *testing.T) {
				t.Parallel()
				b := c.newTab(t, in)
				b.speak(from.language)
				b.hold(from.device)
				try(b)
			})
		}
		at("Visitor", func(b *tab) { tryHostileVisit(b, pictures, names) })
		at("Owner", func(b *tab) { b.signIn(mallory); tryHostileOwner(b, pictures, names) })
		at("Fields", func(b *tab) { tryHostileFields(b) })
		at("Addresses", func(b *tab) { tryHostileAddresses(b) })
		at("Uploads", func(b *tab) { tryHostileUploads(b) })
	}
}

func tryHostileVisit(b *tab, pictures []image, names []string) {
	for _, path := range []string{"/", "/u/constructor"} {
		b.open(path)
		for _, text := range hostile() { // with which the descriptions begin
			b.reads(path, text)
		}
	}
	b.fits("a person's pictures")
	for i, picture := range pictures {
		b.open(picture.PageURL)
		b.settle(shownPicture)
		b.reads("a picture's page", names[i])
		if title := eval[string](b, "document.title"); title != names[i]+" · Kadr" {
			b.t.Errorf("the title is %q, of %q", title, names[i])
		}
		b.fits("a picture's page")
		b.click("$('[data-action=more]')")
		b.reads("what can be copied", picture.PageURL)
		b.fits("what can be copied")
	}
}

func tryHostileOwner(b *tab, pictures []image, names []string) {
	b.open("/pictures")
	for _, text := range hostile() {
		b.reads("my pictures", text)
		b.wait("the check's name", "$$('.tile-check').some((e) => e.ariaLabel.includes("+quote(text)+"))")
	}
	for i, picture := range pictures {
		b.open("/p/" + picture.ID)
		b.wait("the field", "$('[name=title]') && ($('[name=title]').value || $('[name=title]').placeholder) === "+quote(names[i]))
		b.isClean("the owner's page")
		b.fits("the owner's page")
	}
	b.click("$('[data-action=trash]')")
	b.wait("the question", "$('dialog.dialog').open")
	b.isClean("the question")

	b.open("/settings#keys")
	for _, text := range hostile() {
		b.reads("the keys", text[:min(len(text), 90)])
	}
	b.fits("the keys")
	b.click("$('.rows [data-action=end]')")
	b.wait("the question", "$('dialog.dialog').open")
	b.isClean("the question about a key")
	b.open("/settings#security")
	b.wait("the sessions", "$$('.rows li').length > 1")
	b.isClean("the sessions")
}

// insert puts a text into a field in the place of what is there, as a paste does: no key has some of the characters.
func (b *tab) insert(field, text string) {
	b.t.Helper()
	b.click(field)
	eval[any](b, field+".select()")
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// tryHostileFields types and saves the texts by the pages' own fields.
func tryHostileFields(b *tab) {
	p := b.in.somebody(b.t)
	picture := p.upload(b.t, ring(b.t, "ring.png"), "private")
	b.signIn(p)
	for _, text := range hostile() {
		b.open("/p/" + picture.ID)
		b.wait("the fields", "$('[name=title]') && $('form [name=description]')")
		b.insert("$('[name=title]')", text)
		b.insert("$('form [name=description]')", text+" ")
		eval[any](b, "(document.activeElement.blur(), 1)")
		b.wait("the page to be called so", "document.title === "+quote(text+" · Kadr")+" && $('h1').textContent === "+quote(text))
		b.wait("all of it to be saved", "(await (await fetch('/api/v1/images/"+picture.ID+"')).json()).description === "+quote(text+" "))
		b.isClean("a picture's fields")
		search := text[:min(len(text), 60)]
		b.open("/pictures?" + url.Values{"q": {search}}.Encode())
		b.wait("what was searched for", "$('.tile') && $('[type=search]').value === "+quote(search))
		b.reads("what was found", text)
		b.fill("$('[type=search]')", "no "+search)
		b.wait("nothing to be found", "$('.message')")
		b.isClean("nothing found")
	}
	b.open("/settings#profile")
	b.wait("the form", field("email"))
	b.fill(field("email"), `<img/src=x/onerror=pwned=1>@x.example`)
	b.submit(field("email"))
	b.wait("an answer", "$('#toast').textContent.trim() || $$('.field-error').some(textOf)")
	b.isClean("the profile")
	b.fill(field("confirm"), hostile()[0])
	b.submit(field("confirm"))
	b.wait("a fault", "$$('.field-error, .notice.error').some(textOf)")
	b.isClean("what confirms")
	b.open("/settings#keys")
	b.wait("the form", field("name"))
	b.fill(field("name"), hostile()[3])
	b.submit(field("name"))
	b.wait("the key", "$('.form pre')")
	b.reads("the keys", hostile()[3])
}

// tryHostileAddresses follows links that somebody else wrote.
func tryHostileAddresses(b *tab) {
	for _, text := range hostile() {
		escaped := url.PathEscape(text)
		for _, path := range []string{"/" + escaped, "/u/" + escaped, "/p/" + escaped, "/sign-in?next=" + url.QueryEscape(text), "/register?next=" + url.QueryEscape(text), "/#" + escaped} {
			b.open(path)
			b.wait("a page", "textOf($('h1'))")
			b.isClean(path)
		}
	}
	for i, next := range []string{"javascript:pwned=1", "//elsewhere.test/", `/\elsewhere.test/`, "http://elsewhere.test/", "/\t/elsewhere.test/"} {
		p := b.in.somebody(b.t)
		b.open("/sign-in?next=" + url.QueryEscape(next))
		b.wait("the form", field("name"))
		b.fill(field("name"), hostile()[i])
		b.fill(field("password"), hostile()[0])
		b.submit(field("name"))
		b.wait("a refusal", "$$('.field-error, .notice.error').some(textOf)")
		b.isClean("who could not sign in")
		b.fill(field("name"), p.name)
		b.fill(field("password"), password)
		b.submit(field("name"))
		b.wait("the first page", "$('button.avatar') && location.href === "+quote(b.in.base+"/"))
		b.isClean("after signing in")
		b.click("$('button.avatar')")
		b.click("$('[data-action=sign-out]')")
		b.wait("nobody to be signed in", "!$('button.avatar')")
	}
}

// tryHostileUploads follows the files' names through the tray.
func tryHostileUploads(b *tab) {
	b.signIn(b.in.somebody(b.t))
	b.open("/")
	b.wait("the zone", "$('.zone').checkVisibility()")
	var files []file
	for i, text := range hostile() {
		files = append(files, grain(b.t, asFile(text), uint64(i), 24))
	}
	files = append(files, file{name: asFile(hostile()[0]) + ".txt", mediaType: "text/plain", bytes: []byte(hostile()[2])},
		file{name: hostile()[0] + ".svg", mediaType: "image/svg+xml", bytes: []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="pwned=1"/>`)})
	b.pasteFiles(files...)
	b.wait("all to have ended", "$$('.upload:is([data-state=done], [data-state=foretold], [data-state=failed])').length === "+quoteInt(len(files)))
	b.isClean("the tray")
	b.fits("the tray")
	for _, f := range files {
		b.wait(f.name+" in the tray", "$$('.upload-name').some((e) => e.textContent === "+quote(f.name)+")")
	}
	if link := b.copied(func() { b.click("$('.upload[data-state=done] [data-action=copy]')") }); !strings.HasPrefix(link, b.in.base+"/i/") {
		b.t.Errorf("copied: %q", link)
	}
	b.click("$('.upload[data-state=done] .upload-more summary')")
	b.fill("$('.upload[data-state=done] [name=description]')", hostile()[0])
	eval[any](b, "(document.activeElement.blur(), 1)")
	b.wait("it to be saved", "$('#toast').textContent.trim()")
	b.isClean("the message")
}

// tryEmbeds reads what others are told of a picture.
func tryEmbeds(t *testing.T, in *instance, pictures []image, names []string) {
	for i, picture := range pictures {
		for _, format := range []string{"json", "xml"} {
			status, body := in.stranger().get(t, in.base+"/oembed?"+url.Values{"url": {picture.PageURL}, "format": {format}}.Encode())
			var reply struct {
				XMLName xml.Name `xml:"oembed" json:"-"`
				Title   string   `xml:"title" json:"title"`
				HTML    string   `xml:"html" json:"html"`
				Inner   []struct {
					XMLName xml.Name
				} `xml:",any" json:"-"`
			}
			err := json.Unmarshal(body, &reply)
			if format == "xml" {
				err = xml.Unmarshal(body, &reply)
			}
			if err != nil || status != http.StatusOK || reply.Title != names[i] || reply.HTML != "" {
				t.Errorf("%s of %q: %d %v %s", format, names[i], status, err, body)
			}
			for _, e := range reply.Inner {
				if slices.Contains([]string{"img", "script", "svg"}, e.XMLName.Local) {
					t.Errorf("the XML has <%s> of %q", e.XMLName.Local, names[i])
				}
			}
		}
	}
}

// elsewhere is somebody's page without any policy: it takes HTML and Markdown as they are.
const elsewhere = `<!doctype html><html lang="en"><head><title>Elsewhere</title></head><body><main></main><script src="/commonmark.js"></script></body></html>`

// trySnippets copies every picture in every way, and puts what comes of it into somebody else's page, as it is, and by a
// Markdown parser. There it is the picture, called as it is called, and nothing besides.
func trySnippets(t *testing.T, c *chromium, in *instance, pictures []image) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(elsewhere))
		case "/commonmark.js":
			http.ServeFile(w, r, "../../../api/node_modules/commonmark/dist/commonmark.js")
		}
	}))
	t.Cleanup(server.Close)
	page := c.newTab(t, &instance{base: server.URL}, strings.TrimPrefix(in.base, "http://"))
	page.open("/")
	page.wait("the parser", "window.commonmark")
	b := c.newTab(t, in)
	for _, picture := range pictures {
		b.open(picture.PageURL)
		b.settle(shownPicture)
		b.click("$('[data-action=more]')")
		b.wait("all ways", "$$('.copy-dialog pre').length === 9")
		alt := eval[string](b, "$('.stage img').alt.replace(/\\s+/g, ' ').trim()")
		texts := eval[[]string](b, "$$('.copy-dialog pre').map((e) => e.textContent)")
		for i, text := range texts {
			kind := []string{"address", "address", "markdown", "markdown", "html", "html", "address", "address", "rst"}[i]
			if kind == "rst" { // whose fields end with their lines
				if lines := strings.Split(strings.TrimSpace(text), "\n"); len(lines) != 3 || lines[1] != "   :alt: "+alt {
					t.Errorf("%q", text)
				}
				continue
			}
			made := eval[struct {
				Images, Alts, Links, Bad []string
				Text                     string
			}](page, `await (async () => {
				delete window.pwned;
				const text = `+quote(text)+`, main = $('main'), { Parser, HtmlRenderer } = commonmark;
				main.innerHTML = `+quote(kind)+` === 'html' ? text : new HtmlRenderer().render(new Parser().parse(text));
				for (const e of $$('*', main)) for (const type of ['mouseover', 'focus', 'click']) if (!e.matches('a')) e.dispatchEvent(new Event(type));
				await Promise.allSettled($$('img', main).map((img) => img.decode()));
				return {
					images: $$('img', main).map((img) => img.src), alts: $$('img', main).map((img) => img.alt), links: $$('a', main).map((a) => a.href),
					bad: [...$$('*', main).filter((e) => !e.matches('p, a, img, picture, source')
						|| [...e.attributes].some(({ name }) => !['src', 'srcset', 'sizes', 'type', 'alt', 'width', 'height', 'href'].includes(name)))
						.map((e) => e.outerHTML), ...(typeof pwned === 'undefined' ? [] : ['a script ran'])],
					text: main.textContent.trim(),
				};
			})()`)
			if kind == "address" { // without words
				if len(made.Bad) > 0 {
					t.Errorf("%s\nbecomes %q", text, made.Bad)
				}
				continue
			}
			if len(made.Bad) > 0 || made.Text != "" || len(made.Images) != 1 || made.Alts[0] != alt || !strings.HasPrefix(made.Images[0], in.base+"/i/"+picture.ID) {
				t.Errorf("%s\nbecomes %+v,\nof %q", text, made, alt)
			}
			for _, link := range made.Links {
				if link != picture.PageURL {
					t.Errorf("%s\nleads to %q", text, link)
				}
			}
		}
	}
}
