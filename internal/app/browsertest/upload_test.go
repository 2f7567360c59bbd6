package browsertest_test

import (
	"bytes"
	"fmt"
	stdimage "image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// row is the expression for the row of a file in the tray, in a state.
func row(name, state string) string {
	return fmt.Sprintf("named('.upload[data-state=%s]', %s)", state, quote(name))
}

// grain is a picture of nothing but grain, so that its file is large: about three bytes a pixel.
func grain(t *testing.T, name string, number uint64, side int) file {
	t.Helper()
	draw := rand.New(rand.NewPCG(number, 7))
	m := stdimage.NewRGBA(stdimage.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			n := draw.Uint32()
			m.SetRGBA(x, y, color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255})
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return file{name: name, mediaType: "image/png", bytes: b.Bytes()}
}

// testUploadWays brings pictures in by each way, in each language and on each device, and looks at what came of them.
func testUploadWays(t *testing.T, c *chromium) {
	in := newInstance(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		b.signIn(p)
		b.open("/")
		b.waitText(".zone-title", b.says(map[bool]string{true: "Choose pictures", false: "Drop pictures or folders anywhere"}[b.device.touched()],
			map[bool]string{true: "Выбрать снимки", false: "Перетащите сюда"}[b.device.touched()]))
		b.look("home-member-" + b.language)
		b.audit("home")
		if camera := eval[bool](b, "$('[data-kind=camera]').checkVisibility()"); camera != b.device.touched() {
			t.Errorf("the button for a photo is there: %v", camera)
		}

		// The first is for everybody, and what it shows is said before it is sent.
		photos := photographs(t, 4)
		eval[any](b, "($('.zone select').value = 'public', $('.zone select').dispatchEvent(new Event('change')), 1)")
		b.choose(func() { b.click("$('.zone-choose')") }, photos[0])
		b.wait("it to be done", row(photos[0].name, "done"))
		b.wait("it in the feed", "loaded($('.feed img'))")
		b.waitText(".upload-state", b.says("Uploaded", "Загружено"))

		// On a phone there is a camera.
		if b.device.touched() {
			b.choose(func() { b.click("$('[data-kind=camera]')") }, photograph("IMG_0001.jpg", 40))
			b.wait("the photo to be done", row("IMG_0001.jpg", "done"))
			if !eval[bool](b, "$('#files').hasAttribute('capture')") {
				t.Error("the camera is not asked for")
			}
		}

		// A picture of the page that is dragged is nothing new.
		eval[any](b, `(() => { const dataTransfer = new DataTransfer(), img = $('.feed img'); dataTransfer.items.add(new File(['x'], 'own.png'));
			for (const type of ['dragstart', 'dragover', 'drop', 'dragend']) img.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true })); })()`)

		// Dropped far from the zone, with the page lit up meanwhile.
		b.dragIn(save(t, photos[1:3])...)
		b.waitText("#drop", b.says("Drop them to upload", "Отпустите, чтобы загрузить"))
		b.picture("dragging-" + b.language + "-" + string(b.device))
		b.letGo()
		b.wait("the page not to be lit up", "!$('#drop').checkVisibility()")
		for _, f := range photos[1:3] {
			b.wait(f.name+" to be done", row(f.name, "done"))
		}
		if eval[bool](b, "Boolean(named('.upload', 'own.png'))") {
			t.Error("a picture of the page is uploaded again")
		}

		// Browsers call every pasted picture image.png.
		b.pasteFiles(file{name: "image.png", mediaType: "image/png", bytes: ring(t, "").bytes})
		b.wait("the pasted picture under a name of its own", row(b.says("Pasted 20", "Из буфера 20"), "done"))

		// Chosen from the head of another page, and once more: that is an outcome too.
		b.open("/settings")
		b.choose(func() { b.click("$('[data-action=upload]')") }, photos[0], photos[3])
		b.wait("it to be known", row(photos[0].name, "duplicate"))
		b.waitText(".upload-state", b.says("Already in your pictures", "Уже есть у вас"))
		b.wait("the other to be done", row(photos[3].name, "done"))
		b.waitText("#tray summary", b.says("2 pictures ready", "2 снимка готовы"))
		b.look("tray-" + b.language)
		b.click("$('summary', " + row(photos[0].name, "duplicate") + ")")
		b.audit("tray")

		// What is said afterwards is said to the server.
		done := row(photos[3].name, "done")
		b.click("$('summary', " + done + ")")
		b.click("$('input', " + done + ")")
		b.press("A lighthouse <b>" + kb.Tab)
		b.waitText("#toast", b.says("Saved", "Сохранено"))
		link := eval[string](b, "$('.upload-name', "+done+").getAttribute('href')")
		status, body := p.get(t, in.base+"/api/v1/images/"+strings.TrimPrefix(link, "/p/"))
		if status != http.StatusOK || !bytes.Contains(body, []byte(`A lighthouse \u003cb\u003e`)) || !bytes.Contains(body, []byte(`"public"`)) {
			t.Errorf("the picture is %d %s", status, body)
		}
		b.click("$('#tray summary')")
		b.wait("the tray to be folded", "!$('#tray ul').checkVisibility()")
		b.click("$('#tray summary')")
		b.click("$('[data-action=clear]')")
		b.wait("the tray to be gone", "!$('#tray').checkVisibility()")
	})
}

// testUploadFolders brings in folders with folders in them, and leaves out what is no picture.
func testUploadFolders(t *testing.T, c *chromium) {
	in := newInstance(t)
	b := c.newTab(t, in)
	b.signIn(in.somebody(t))
	b.open("/")
	b.wait("the zone", "$('.zone').checkVisibility()")
	dir := folder(t, "Summer", photograph("a.jpg", 1), photograph("sea/b.jpg", 2), photograph("sea/deep/c.jpg", 3),
		notes("sea/notes.txt"), file{name: "._a.jpg", bytes: []byte("x")})
	b.dragIn(dir, photograph("loose.jpg", 4).save(t), notes("todo.txt").save(t))
	b.letGo()
	for _, name := range []string{"a.jpg", "b.jpg", "c.jpg", "loose.jpg"} {
		b.wait(name, row(name, "done"))
	}
	b.waitText("#toast", "2 other files in the folder were left out.")
	b.wait("what was meant to be a picture to be doubted", row("todo.txt", "foretold"))

	b.choosePaths(func() { b.click("$('[data-kind=folder]')") }, folder(t, "Winter", photograph("d.jpg", 5), notes("notes.txt")))
	b.wait("the other folder's", row("d.jpg", "done"))
	b.waitText("#toast", "One other file in the folder was left out.")
	if n := eval[int](b, "$$('.upload').length"); n != 6 {
		t.Errorf("%d rows, want 6", n)
	}
}

// testUploadRefused sends what is no picture, or too large, or broken.
func testUploadRefused(t *testing.T, c *chromium) {
	in := newInstance(t, "MAX_UPLOAD_BYTES=900000")
	b := c.newTab(t, in)
	b.signIn(in.somebody(t))
	b.open("/")
	b.wait("the zone", "$('.zone').checkVisibility()")
	whole := photograph("whole.jpg", 6)
	broken := file{name: "broken.jpg", mediaType: "image/jpeg", bytes: whole.bytes[:len(whole.bytes)/2]}
	large := grain(t, "large.png", 1, 600)
	b.drop(notes("notes.txt"), file{name: "empty.png", mediaType: "image/png"}, large, broken)
	b.waitText(".upload[data-state=foretold]", "notes.txt")
	b.wait("the empty one to be doubted", row("The file is empty.", "foretold"))
	b.wait("the large one to be doubted", row("larger than this instance takes", "foretold"))
	b.wait("the broken one to be refused", row("The picture is broken", "failed"))
	b.wait("the request's number", row("Request ", "failed"))
	b.waitText("#tray summary", "4 failed")
	b.look("refused")
	b.audit("refused")

	// It was only a guess: the server has the last word.
	b.click("named('button', 'Send anyway', " + row("notes.txt", "foretold") + ")")
	b.wait("the server's own refusal", row("not a JPEG", "failed"))
	if status := b.status("POST /api/v1/images"); status != http.StatusUnsupportedMediaType && status != http.StatusUnprocessableEntity {
		t.Errorf("the text was refused with %d", status)
	}
	b.click("named('button', 'Send anyway', " + row("large.png", "foretold") + ")")
	b.wait("the server's own refusal", row("larger than this instance takes", "failed"))
	b.click("$('[data-action=cancel]', " + row("large.png", "failed") + ")")
	b.wait("it to be taken out, with the focus in the tray", "!named('.upload', 'large.png') && document.activeElement.matches('#tray summary')")
}

// testUploadInParts sends large files over a slow network, which goes away in the middle.
func testUploadInParts(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	b := c.newTab(t, in)
	b.signIn(p)
	b.open("/")
	b.wait("the zone", "$('.zone').checkVisibility()")
	b.slow(600_000, 20)
	var files []file
	for i := range 5 {
		files = append(files, grain(t, fmt.Sprintf("grain-%d.png", i), uint64(i), 600))
	}
	b.drop(files...)
	b.wait("three at a time", "$$('.upload[data-state=sending]').length === 3 && $$('.upload[data-state=waiting]').length === 2")
	b.wait("bytes to have arrived, and the speed", "$$('.upload[data-state=sending] progress').every((e) => e.value > 0) && /of 5 · .*\\/s/.test(textOf($('#tray summary')))")
	b.look("sending")
	before := eval[float64](b, "$('.upload[data-state=sending] progress').value")
	b.wait("the progress to move", fmt.Sprintf("$('.upload[data-state=sending] progress').value > %v", before))

	// What is cancelled is gone from the server too.
	b.click("$('[data-action=cancel]', named('.upload', 'grain-2.png'))")
	b.wait("its place to be taken", row("grain-3.png", "sending")+" && !named('.upload', 'grain-2.png')")

	// A description while it is on its way.
	b.click("$('summary', named('.upload', 'grain-0.png'))")
	b.click("$('input', named('.upload', 'grain-0.png'))")
	b.press("Nothing but grain" + kb.Tab)

	// Another that is still being typed while the rows come and go.
	last := "named('.upload', 'grain-4.png')"
	b.click("$('summary', " + last + ")")
	b.click("$('input', " + last + ")")
	b.press("Still being")

	b.offline(true)
	b.wait("all to wait", "$$('.upload[data-state=paused]').length === 3 && !$('.upload[data-state=sending]')")
	b.waitText("#offline", "You are offline")
	b.picture("paused")
	paused := eval[float64](b, "Math.max(...$$('.upload progress').map((e) => e.value))")
	if paused == 0 {
		t.Error("nothing had arrived")
	}
	b.slow(0, 0)
	for _, i := range []int{0, 1, 3, 4} {
		b.wait(files[i].name+" to go on by itself", row(files[i].name, "done"))
	}
	b.waitText("#tray summary", "4 pictures ready")
	if !eval[bool](b, "document.activeElement === $('input', "+last+")") {
		t.Error("the field that is written in has lost the focus")
	}
	b.press(" typed" + kb.Tab)
	b.waitText("#toast", "Saved")
	for i, said := range map[int]string{0: "Nothing but grain", 3: "", 4: "Still being typed"} {
		link := eval[string](b, "$('.upload-name', "+row(files[i].name, "done")+").getAttribute('href')")
		_, original := p.get(t, in.base+"/i/"+strings.TrimPrefix(link, "/p/")+".png")
		if !bytes.Equal(original, files[i].bytes) {
			t.Errorf("%s: %d bytes came back, not the same %d", files[i].name, len(original), len(files[i].bytes))
		}
		_, body := p.get(t, in.base+"/api/v1/images/"+strings.TrimPrefix(link, "/p/"))
		if !bytes.Contains(body, []byte(`"description":`+quote(said))) {
			t.Errorf("%s is not described as %q: %s", files[i].name, said, body)
		}
	}
	left, err := filepath.Glob(filepath.Join(in.dir, "uploads", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the server keeps %v (%v)", left, err)
	}
}

// testUploadSession ends the session in the middle: after signing in again it goes on by itself.
func testUploadSession(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	c.everywhere(t, in, func(t *testing.T, b *tab) {
		p := in.somebody(t)
		b.signIn(p)
		b.open("/")
		b.wait("the zone", "$('.zone').checkVisibility()")
		b.slow(400_000, 20)
		large := grain(t, "grain.png", 9, 500)
		b.drop(large)
		b.wait("bytes to have arrived", "$('.upload[data-state=sending] progress')?.value > 0")
		p.signOutEverywhere(t)
		b.waitText("dialog", b.says("Your session has ended.", "Сеанс закончился."))
		b.slow(0, 0)
		b.picture("session-ended-" + b.language + "-" + string(b.device))
		signInAtDialog(b, p)
		b.wait("it to go on", row(large.name, "done"))
	})

	// A visitor's files are not lost either.
	b := c.newTab(t, in)
	b.open("/")
	b.waitText("h1", "A good home for your pictures")
	b.look("home-visitor")
	b.audit("home-visitor")
	b.drop(photograph("mine.jpg", 3))
	b.waitText("dialog", "Sign in, and your pictures are uploaded.")
	signInAtDialog(b, p)
	b.wait("it to be done", row("mine.jpg", "done"))
	b.wait("the member's page", "$('.zone').checkVisibility() && !$('.hero').checkVisibility()")
}

func signInAtDialog(b *tab, p *person) {
	b.t.Helper()
	b.wait("the form", "$('dialog [name=password]')?.checkVisibility()")
	eval[any](b, "($('dialog [name=name]').value = "+quote(p.name)+", 1)") // the page may know it already
	b.click("$('dialog [name=password]')")
	b.press(password + kb.Enter)
	b.wait("the dialog to close", "!$('dialog')")
}

// testUploadMany holds that hundreds of files do not make thousands of rows.
func testUploadMany(t *testing.T, c *chromium) {
	in := newInstance(t)
	b := c.newTab(t, in)
	b.signIn(in.somebody(t))
	b.open("/")
	b.wait("the zone", "$('.zone').checkVisibility()")
	eval[any](b, `(() => { const data = new DataTransfer();
		for (let i = 0; i < 500; i++) data.items.add(new File(['no picture ' + i], i + '.png', { type: 'image/png' }));
		document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); })()`)
	b.waitText(".tray-more", "and 460 more")
	if n := eval[int](b, "$$('#tray *').length"); n > 2000 {
		t.Errorf("%d elements", n)
	}
	b.click("$('[data-action=stop]')")
	b.wait("the rest to be given up", "!$('.upload[data-state=waiting], .upload[data-state=sending]')")
	b.wait("nothing to be left to warn of", "!(() => { const e = new Event('beforeunload', { cancelable: true }); return !window.dispatchEvent(e); })()")
}
