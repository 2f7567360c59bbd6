package browsertest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testIntegrations takes the settings of each program from the page, and does with them what the program does.
func testIntegrations(t *testing.T, c *chromium) {
	in := newInstance(t)
	p := in.somebody(t)
	for name, use := range map[string]func(*testing.T, *instance, file){
		"ShareX": useShareX, "Flameshot": useScript, "Spectacle": useScript, "curl": useCurl, "PicGo": usePicGo, "Typora": useTypora,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := c.newTab(t, in)
			b.hold(phone)
			b.signIn(p)
			b.open("/settings#integrations")
			card := "$$('.card').find((e) => textOf($('h2', e)) === " + quote(name) + ")"
			b.click("$('.form > .button', " + card + ")")
			b.wait("the text", "$('pre', "+card+")")
			b.fits(name)
			b.audit(name)
			if name == "Flameshot" {
				b.photograph("integration")
			}
			f := b.download(func() { b.click("$('a[download]', " + card + ")") })
			if text := eval[string](b, "$('pre', "+card+").textContent"); text != string(f.bytes) || !strings.HasPrefix(f.name, "kadr-"+strings.ToLower(name)+".") {
				t.Errorf("%s is not what is shown", f.name)
			}
			if bytes.Contains(f.bytes, []byte("{{")) {
				t.Errorf("not filled in: %s", f.bytes)
			}
			use(t, in, f)
		})
	}
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		q := in.somebody(t)
		b := c.newTab(t, in)
		b.signIn(q)
		b.open("/settings#integrations")
		b.click("$$('.form > .button')[0]")
		b.wait("the text", "$('pre')")
		var keys struct {
			Items []struct {
				Name   string   `json:"name"`
				Scopes []string `json:"scopes"`
			} `json:"items"`
		}
		if err := json.Unmarshal(q.must(t, http.MethodGet, "/api/v1/api-keys", "", nil), &keys); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(keys.Items); got != "[{ShareX [images:write]}]" {
			t.Errorf("the keys made: %s", got)
		}
	})
}

// post sends a picture in a form, as programs for screenshots do.
func post(t *testing.T, address, fileField string, headers map[string]string, f file) (status int, reply map[string]any) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile(fileField, f.name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = part.Write(f.bytes); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(text, &reply)
	}
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res.StatusCode, reply
}

func useShareX(t *testing.T, in *instance, f file) {
	t.Helper()
	var s struct {
		Version, Name, DestinationType, RequestMethod, RequestURL, Body, FileFormName, URL, ThumbnailURL, ErrorMessage string
		Headers                                                                                                        map[string]string
	}
	d := json.NewDecoder(bytes.NewReader(f.bytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if f.name != "kadr-sharex.sxcu" || s.Version != "14.1.0" || s.DestinationType != "ImageUploader" || s.RequestMethod != "POST" || s.Body != "MultipartFormData" {
		t.Errorf("%s: %+v", f.name, s)
	}
	find := func(reply map[string]any, syntax string) string {
		t.Helper()
		member, ok := strings.CutPrefix(syntax, "{json:")
		value, _ := reply[strings.TrimSuffix(member, "}")].(string)
		if !ok || value == "" {
			t.Errorf("%s finds nothing in %v", syntax, reply)
		}
		return value
	}
	picture := landscape(t, "sharex.jpg", 7)
	status, reply := post(t, s.RequestURL, s.FileFormName, s.Headers, picture)
	if status != http.StatusCreated {
		t.Fatalf("%d: %v", status, reply)
	}
	if _, body := in.stranger().get(t, find(reply, s.URL)); !bytes.Equal(body, picture.bytes) {
		t.Error("the link does not lead to the picture")
	}
	if status, _ := in.stranger().get(t, find(reply, s.ThumbnailURL)); status != http.StatusOK {
		t.Errorf("the thumbnail: %d", status)
	}
	if status, reply = post(t, s.RequestURL, s.FileFormName, s.Headers, notes("notes.txt")); status != http.StatusUnsupportedMediaType {
		t.Errorf("a text: %d", status)
	}
	find(reply, s.ErrorMessage)
}

func usePicGo(t *testing.T, in *instance, f file) {
	t.Helper()
	var s struct {
		PicBed map[string]json.RawMessage `json:"picBed"`
	}
	var web struct{ URL, ParamName, JSONPath, CustomHeader string }
	headers := map[string]string{}
	if err := json.Unmarshal(f.bytes, &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s.PicBed["web-uploader"], &web); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(web.CustomHeader), &headers); err != nil {
		t.Fatal(err)
	}
	picture := landscape(t, "picgo.jpg", 8)
	status, reply := post(t, web.URL, web.ParamName, headers, picture)
	link, _ := reply[web.JSONPath].(string)
	if _, body := in.stranger().get(t, link); status != http.StatusCreated || !bytes.Equal(body, picture.bytes) {
		t.Errorf("%d: %v", status, reply)
	}
}

// shell runs a script in a folder, with programs of the test's before all others.
func shell(t *testing.T, dir string, programs map[string]string, env []string, args ...string) (out string, err error) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "PATH="+bin+":"+os.Getenv("PATH"), "WORK="+dir)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(text), err
}

// holds compares the picture that a printed link leads to.
func holds(t *testing.T, in *instance, link string, f file) {
	t.Helper()
	if status, body := in.stranger().get(t, strings.TrimSpace(link)); status != http.StatusOK || !bytes.Equal(body, f.bytes) {
		t.Errorf("%q: %d, and not %s", link, status, f.name)
	}
}

// useScript takes screenshots on X11 and on Wayland, gives one up, and meets the server's refusal and its absence.
func useScript(t *testing.T, in *instance, f file) {
	t.Helper()
	script := f.save(t)
	dir := t.TempDir()
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(dir, name))
		return string(text)
	}
	programs := map[string]string{
		"flameshot":   `[ "$*" = 'gui --raw' ] && cat "$WORK/screen"`,
		"spectacle":   `[ "$1 $2 $3 $4" = '--region --background --nonotify --output' ] && cp "$WORK/screen" "$5"`,
		"xclip":       `[ "$*" = '-selection clipboard' ] && cat >"$WORK/x11"`,
		"wl-copy":     `cat >"$WORK/wayland"`,
		"notify-send": `printf '%s\n' "$@" >"$WORK/told"`,
	}
	for i, session := range []string{"x11", "wayland"} {
		screen := landscape(t, f.name+session, uint8(10+i))
		if err := os.WriteFile(filepath.Join(dir, "screen"), screen.bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := shell(t, dir, programs, []string{"WAYLAND_DISPLAY=" + map[string]string{"wayland": "wayland-0"}[session]}, script)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, in, out, screen)
		if copied := read(session); copied != strings.TrimSpace(out) || !strings.Contains(read("told"), copied) {
			t.Errorf("%s: copied %q, told %q", session, copied, read("told"))
		}
	}

	if err := os.WriteFile(filepath.Join(dir, "screen"), notes("notes.txt").bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := shell(t, dir, programs, nil, script); err == nil || out != "" || !strings.Contains(read("told"), "JPEG, PNG") {
		t.Errorf("a refusal: %q, %v, told %q", out, err, read("told"))
	}
	away := file{name: f.name, bytes: bytes.ReplaceAll(f.bytes, []byte(in.base), []byte("http://127.0.0.1:1"))}
	if out, err := shell(t, dir, programs, nil, away.save(t)); err == nil || out != "" || !strings.Contains(read("told"), "127.0.0.1") {
		t.Errorf("no server: %q, %v, told %q", out, err, read("told"))
	}
	if err := os.Truncate(filepath.Join(dir, "screen"), 0); err != nil {
		t.Fatal(err)
	}
	if out, err := shell(t, dir, programs, nil, script); err != nil || out != "" {
		t.Errorf("given up: %q, %v", out, err)
	}
}

// useCurl runs each line as it is.
func useCurl(t *testing.T, in *instance, f file) {
	t.Helper()
	dir := t.TempDir()
	picture := landscape(t, "picture.jpg", 9)
	if err := os.WriteFile(filepath.Join(dir, picture.name), picture.bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for line := range strings.Lines(string(f.bytes)) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		out, err := shell(t, dir, nil, nil, "-c", line)
		if err != nil {
			t.Fatal(err)
		}
		var reply image
		if json.Unmarshal([]byte(out), &reply) == nil {
			out = reply.URL
		}
		holds(t, in, out, picture)
		ran++
	}
	if ran < 3 {
		t.Errorf("%d lines ran", ran)
	}
}

// useTypora uploads two files with names that mean something to shells and to curl.
func useTypora(t *testing.T, in *instance, f file) {
	t.Helper()
	dir := t.TempDir()
	script := f.save(t)
	pictures := []file{landscape(t, `so; "it" $(is), @x.jpg`, 14), ring(t, "круг;type=text.png")}
	args := []string{script}
	for _, picture := range pictures {
		if err := os.WriteFile(filepath.Join(dir, picture.name), picture.bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, picture.name)
	}
	out, err := shell(t, dir, nil, nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	links := strings.Split(strings.TrimSpace(out), "\n")
	if len(links) != 2 {
		t.Fatalf("%q", out)
	}
	for i, picture := range pictures {
		holds(t, in, links[i], picture)
	}
	text := notes("notes.txt").save(t)
	if out, err := shell(t, dir, nil, nil, script, text); err == nil || out != "" || !strings.Contains(err.Error(), "JPEG, PNG") {
		t.Errorf("a refusal: %q, %v", out, err)
	}
}
