package cli_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kadr-app/kadr/gen/client"
	"github.com/kadr-app/kadr/internal/cli"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "MAX_UPLOAD_BYTES=400000")
	in.register(t, "admin")
	t.Cleanup(func() {
		if n := in.unfinished(t); n != 0 {
			t.Errorf("%d unfinished uploads are left", n)
		}
	})
	for name, test := range map[string]func(*testing.T, *person){
		"formats":        testFormats,
		"texts":          testTexts,
		"failures":       testFailures,
		"folders":        testFolders,
		"standard input": testStdin,
		"usage":          testUsage,
		"refused":        testRefused,
	} {
		p := in.register(t, strings.ReplaceAll(name, " ", "-"))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}

// testFormats is also about the order, with files that take very different times, and about duplicates.
func testFormats(t *testing.T, p *person) {
	s, folder := p.uploader(t), t.TempDir()
	files := []string{
		write(t, folder, "a large one.jpg", large(1)), write(t, folder, "b.jpg", small(2)), write(t, folder, "c_[1].jpg", small(3)),
		write(t, folder, "d.jpg", large(4)), write(t, folder, "e.jpg", small(5)),
	}
	urls := upload(t, s, files...).want(t, 0).lines()
	if len(urls) != len(files) {
		t.Fatalf("%d lines", len(urls))
	}
	for i, url := range urls {
		want, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fetch(t, url), want) {
			t.Errorf("line %d, %s, is not %s", i, url, files[i])
		}
	}
	if again := upload(t, s, files...).want(t, 0).lines(); !slices.Equal(again, urls) {
		t.Errorf("the same files again: %v, not %v", again, urls)
	}
	if n := len(p.images(t)); n != len(files) {
		t.Errorf("%d pictures", n)
	}
	markdown := upload(t, s, append(files[1:3:3], "--format=markdown")...).want(t, 0).out
	if want := "![b.jpg](" + urls[1] + ")\n![c\\_\\[1\\].jpg](" + urls[2] + ")\n"; markdown != want {
		t.Errorf("as Markdown: %q, not %q", markdown, want)
	}
	for i, line := range upload(t, s, append(files[:2:2], "-f", "json")...).want(t, 0).lines() {
		var image client.Image
		if err := json.Unmarshal([]byte(line), &image); err != nil || image.URL != urls[i] || image.Filename != filepath.Base(files[i]) {
			t.Errorf("as JSON: %v: %s", err, line)
		}
	}
	for _, file := range []string{files[0], files[1]} { // in parts, and in one request
		other := upload(t, s, "--allow-duplicate", file).want(t, 0).lines()
		if slices.Contains(urls, other[0]) {
			t.Errorf("--allow-duplicate: %s", other[0])
		}
	}
}

func testTexts(t *testing.T, p *person) {
	s, folder := p.uploader(t), t.TempDir()
	long := strings.Repeat("длинно ", 500) // which no address takes
	for name, test := range map[string]struct {
		file        []byte
		description string
	}{
		"one.jpg": {small(1), "a *sunset*\n over _it_"}, "parts.jpg": {large(2), "short"}, "long.jpg": {small(3), long},
	} {
		file := write(t, folder, name, test.file)
		line := upload(t, s, "--format=json", "--visibility", "private", "--title=A title", "--description", test.description, "--keep-metadata", file).want(t, 0).out
		var image client.Image
		if err := json.Unmarshal([]byte(line), &image); err != nil || image.Visibility != client.VisibilityPrivate || image.Title != "A title" ||
			image.Description != test.description || image.Filename != name {
			t.Errorf("%s: %v: %s", name, err, line)
		}
	}
	line := upload(t, s, "--format=markdown", filepath.Join(folder, "one.jpg")).want(t, 0).out
	if !strings.HasPrefix(line, `![a \*sunset\* over \_it\_](http://`) {
		t.Errorf("as Markdown: %s", line)
	}
	// What the contract bounds, the instance says.
	upload(t, s, "--title", strings.Repeat("x", 201), filepath.Join(folder, "one.jpg")).want(t, 1, "one.jpg: ", "title: ", "(request ")
	upload(t, s, "--title", strings.Repeat("x", 2001), write(t, folder, "new.jpg", small(9))).want(t, 1, "new.jpg: ", "title: ", "(request ")
}

func testFailures(t *testing.T, p *person) {
	s, folder := p.uploader(t), t.TempDir()
	broken := large(7)
	files := []string{
		write(t, folder, "1.jpg", small(1)), write(t, folder, "broken.jpg", broken[:len(broken)/2]), write(t, folder, "text.jpg", []byte("no picture at all")),
		filepath.Join(folder, "none.jpg"), folder, write(t, folder, "empty.jpg", nil), write(t, folder, "huge.jpg", make([]byte, 400_001)),
		write(t, folder, "evil\x1b[31m.jpg", []byte("text")), write(t, folder, "2.jpg", small(2)),
	}
	r := upload(t, s, files...).want(t, 1, "none.jpg: the file cannot be read: no such file or directory", folder+": is a folder; -r ",
		"huge.jpg: The file is larger than 400000 bytes. (request ", "evil [31m.jpg: ", "7 of 9 files are not stored")
	for _, name := range []string{"broken.jpg", "text.jpg", "empty.jpg"} {
		line := r.err[strings.Index(r.err, "/"+name+": "):]
		if line, _, _ = strings.Cut(line, "\n"); !strings.Contains(line, "(request ") {
			t.Errorf("without the request's id: %s", line)
		}
	}
	if urls := r.lines(); len(urls) != 2 || !bytes.Equal(fetch(t, urls[0]), small(1)) || !bytes.Equal(fetch(t, urls[1]), small(2)) {
		t.Errorf("standard output has %q", r.out)
	}
	if r := upload(t, s, files[2]).want(t, 1, "text.jpg: "); strings.Count(r.err, "\n") != 1 || r.out != "" {
		t.Errorf("one failure is one line:\n%s", r.err)
	}
}

func testFolders(t *testing.T, p *person) {
	s, folder := p.uploader(t), t.TempDir()
	write(t, folder, "b/2.JPG", small(2))
	write(t, folder, "a/1.jpg", small(1))
	write(t, folder, "a/notes.txt", []byte("no picture"))
	write(t, folder, ".hidden/3.jpg", small(3))
	write(t, folder, "c/.4.jpg", small(4))
	if err := os.Symlink("../a/1.jpg", filepath.Join(folder, "c/link.jpg")); err != nil {
		t.Fatal(err)
	}
	urls := upload(t, s, "-r", folder).want(t, 0).lines()
	if len(urls) != 3 || !bytes.Equal(fetch(t, urls[0]), small(1)) || !bytes.Equal(fetch(t, urls[1]), small(2)) || urls[2] != urls[0] {
		t.Errorf("got %v", urls)
	}
	upload(t, s, "--recursive", filepath.Join(folder, ".hidden", "..", "c", ".."), filepath.Join(folder, "a")).want(t, 0)
	upload(t, s, "-r", t.TempDir()).want(t, 1, "there are no pictures in it")
}

func testStdin(t *testing.T, p *person) {
	s := p.uploader(t)
	for name, file := range map[string][]byte{"small.jpg": small(1), "large.jpg": large(2)} {
		r := run(t.Context(), s, bytes.NewReader(file), "upload", "--filename="+name, "--format=json", "-").want(t, 0)
		var image client.Image
		if err := json.Unmarshal([]byte(r.out), &image); err != nil || image.Filename != name || !bytes.Equal(fetch(t, image.URL), file) {
			t.Errorf("%s: %v: %s", name, err, r.out)
		}
	}
	run(t.Context(), s, bytes.NewReader(small(3)), "upload", "-").want(t, 0)
	run(t.Context(), s, bytes.NewReader(nil), "upload", "-").want(t, 1, "standard input: it is empty")
	run(t.Context(), s, bytes.NewReader(make([]byte, 400_001)), "upload", "-").want(t, 1, "standard input: it is larger than 400000 bytes")

	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, large(4), 0o600) }()
	url := upload(t, s, pipe).want(t, 0).lines()[0]
	if err := <-written; err != nil || !bytes.Equal(fetch(t, url), large(4)) {
		t.Errorf("a pipe: %s, %v", url, err)
	}
}

func testUsage(t *testing.T, p *person) {
	s := p.uploader(t)
	file := write(t, t.TempDir(), "a.jpg", small(1))
	for said, args := range map[string][]string{
		"say which files":          {},
		"--format must be":         {"--format=xml", file},
		"--visibility must be":     {"--visibility=secret", file},
		"unknown flag":             {"--nonsense", file},
		"is for one file":          {"--filename=x.jpg", file, file},
		"without a folder":         {"--filename=a/x.jpg", file},
		"can be read only once":    {"-", file, "-"},
		"needs an argument: 'f' i": {"-f"},
	} {
		if r := upload(t, s, args...); r.code == 0 || !strings.Contains(r.err, said) || r.out != "" {
			t.Errorf("%v: %d %s", args, r.code, r.err)
		}
	}
	for said, wrong := range map[string]cli.Settings{
		"KADR_URL has to say":          {APIKey: s.APIKey},
		`"pictures.example.org" is no`: {URL: "pictures.example.org", APIKey: s.APIKey},
		"KADR_API_KEY is no API key":   {URL: s.URL, APIKey: "kadr_\nX-Evil: 1"},
	} {
		upload(t, wrong.Hasty(), file).want(t, cli.ExitUsage, said)
	}
	upload(t, cli.Settings{}.Hasty(), file).want(t, cli.ExitRefused, "not signed in: run kadr login")
	upload(t, cli.Settings{URL: s.URL}.Hasty(), file).want(t, cli.ExitRefused, "not signed in to "+s.URL)
	if n := len(p.images(t)); n != 0 {
		t.Errorf("%d pictures were stored", n)
	}
}

// testRefused is about logins that don't suffice: the first refusal counts for all files, and is told once.
func testRefused(t *testing.T, p *person) {
	folder := t.TempDir()
	var files []string
	for i := range 12 {
		files = append(files, write(t, folder, string(rune('a'+i))+".jpg", small(uint64(i))))
	}
	files = append(files, write(t, folder, "large.jpg", large(20)))
	wrong := p.uploader(t)
	wrong.APIKey = "kadr_" + strings.Repeat("a", 26)
	reader := p.uploader(t)
	reader.APIKey = p.key(t, client.ScopeImagesRead)
	for said, s := range map[string]cli.Settings{"The API key is not valid": wrong, "The API key needs the scope images:write.": reader} {
		for _, args := range [][]string{files, files[len(files)-1:]} {
			if r := upload(t, s, args...).want(t, cli.ExitRefused, said, "(request "); strings.Count(r.err, "API key") != 1 {
				t.Errorf("once is enough:\n%s", r.err)
			}
		}
	}
	if n := len(p.images(t)); n != 0 {
		t.Errorf("%d pictures were stored", n)
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "QUOTA_BYTES=20000")
	p := in.register(t, "anna")
	folder := t.TempDir()
	r := upload(t, p.uploader(t), write(t, folder, "large.jpg", large(1)), write(t, folder, "small.jpg", small(1))).
		want(t, cli.ExitFailed, "large.jpg: The picture does not fit into what the account may still hold. (request ", "1 of 2 files are not stored")
	if len(r.lines()) != 1 || len(p.images(t)) != 1 {
		t.Errorf("what fits is stored: %q", r.out)
	}
}
