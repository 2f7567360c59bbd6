package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hugePNG says of itself that it has many pixels, and is a few bytes long.
func hugePNG() []byte {
	b := pngOf("huge", 4, 4)
	binary.BigEndian.PutUint32(b[16:], 60_000)
	binary.BigEndian.PutUint32(b[20:], 60_000)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

//nolint:tparallel // what the uploads leave is counted when all of them are over
func TestBadUploads(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	anna := in.person(t)
	t.Run("refused", func(t *testing.T) { testBadPictures(t, anna); testBadForms(t, anna); testBadTransfers(t, anna) })
	if n := len(anna.get("/api/v1/images").page().Items); n != 0 {
		t.Errorf("%d pictures came of it", n)
	}
	in.wantBlobs(t, 0)
}

func testBadPictures(t *testing.T, anna *client) {
	jpg, png, gif := jpegOf("bad", 200, 150), pngOf("bad", 200, 150), gifOf("bad", 60, 60, 3)
	wrongChecksum := bytes.Clone(png)
	wrongChecksum[len(png)/2] ^= 0xff
	pictures := map[string]struct {
		bytes  []byte
		status int
		code   string
		detail string
	}{
		"text":              {[]byte("hello, this is no picture at all"), 415, "image_type_not_allowed", "JPEG, PNG, GIF, WebP, AVIF, HEIC or TIFF"},
		"one byte":          {[]byte{0xff}, 415, "image_type_not_allowed", ""},
		"a page":            {[]byte("<!doctype html><script>alert(1)</script>"), 415, "image_type_not_allowed", ""},
		"SVG":               {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), 415, "image_type_not_allowed", ""},
		"BMP":               {append([]byte("BM"), make([]byte, 100)...), 415, "image_type_not_allowed", ""},
		"TIFF of nothing":   {append([]byte("II*\x00"), make([]byte, 100)...), 422, "image_broken", "TIFF"},
		"PDF":               {[]byte("%PDF-1.7\n"), 415, "image_type_not_allowed", ""},
		"empty":             {nil, 422, "image_empty", "empty"},
		"truncated JPEG":    {jpg[:len(jpg)/2], 422, "image_broken", "JPEG"},
		"truncated PNG":     {png[:len(png)/2], 422, "image_broken", "PNG"},
		"truncated GIF":     {gif[:len(gif)*2/3], 422, "image_broken", "GIF"},
		"JPEG without data": {jpg[:20], 422, "image_broken", "JPEG"},
		"PNG's signature":   {png[:8], 422, "image_broken", "PNG"},
		"wrong checksum":    {wrongChecksum, 422, "image_broken", "checksum"},
		"bomb":              {hugePNG(), 422, "image_too_many_pixels", "1,000,000"},
		"frames":            {gifOf("frames", 600, 600, 3), 422, "image_too_many_pixels", "frame"},
	}
	for name, tc := range pictures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := anna.as(t)
			if p := c.upload(tc.bytes, "").problem(tc.status, tc.code); !strings.Contains(strings.ReplaceAll(p.Detail, "1000000", "1,000,000"), tc.detail) {
				t.Errorf("raw: %q does not say %q", p.Detail, tc.detail)
			}
			c.uploadForm("", field{"file", "x.png", string(tc.bytes)}).problem(tc.status, tc.code)
		})
	}
}

func testBadForms(t *testing.T, anna *client) {
	png := pngOf("bad form", 30, 30)
	file := field{"file", "x.png", string(png)}
	forms := map[string]struct {
		fields []field
		where  string
		code   string
	}{
		"no file":            {[]field{{"title", "", "x"}}, "/file", "required"},
		"two files":          {[]field{file, file}, "/file", "repeated_field"},
		"a field twice":      {[]field{{"title", "", "x"}, {"title", "", "y"}, file}, "/title", "repeated_field"},
		"unknown field":      {[]field{{"tags", "", "x"}, file}, "/tags", "unknown_field"},
		"nameless field":     {[]field{{"", "", "x"}, file}, "/", "unknown_field"},
		"no boolean":         {[]field{file, {"keep_metadata", "", "yes"}}, "/keep_metadata", "type"},
		"a number":           {[]field{file, {"allow_duplicate", "", "1"}}, "/allow_duplicate", "type"},
		"unknown visibility": {[]field{file, {"visibility", "", "secret"}}, "/visibility", "enum"},
		"empty visibility":   {[]field{file, {"visibility", "", ""}}, "/visibility", "enum"},
		"NUL":                {[]field{file, {"title", "", "a\x00b"}}, "/title", "pattern"},
		"NUL, multi-line":    {[]field{file, {"description", "", "a\x00b"}}, "/description", "pattern"},
		"a line break":       {[]field{file, {"title", "", "a\nb"}}, "/title", "pattern"},
		"invalid UTF-8":      {[]field{file, {"title", "", "a\xffb"}}, "/title", "invalid_utf8"},
		"a long title":       {[]field{file, {"title", "", strings.Repeat("ж", 201)}}, "/title", "max_length"},
		"a long description": {[]field{file, {"description", "", strings.Repeat("ж", 4001)}}, "/description", "max_length"},
		"a very long field":  {[]field{file, {"description", "", strings.Repeat("x", 100_000)}}, "/description", "max_length"},
		"a folder":           {[]field{file, {"filename", "", "a/b.png"}}, "/filename", "pattern"},
		"no name":            {[]field{file, {"filename", "", ""}}, "/filename", "min_length"},
	}
	for name, tc := range forms {
		t.Run("form with "+name, func(t *testing.T) {
			t.Parallel()
			anna.as(t).uploadForm("", tc.fields...).fault(tc.where, tc.code)
		})
	}
	t.Run("what is no form", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		whole, header := form(t, file)
		for name, tc := range map[string]struct{ body, header string }{
			"no boundary":    {string(whole), "Content-Type: multipart/form-data"},
			"other boundary": {string(whole), "Content-Type: multipart/form-data; boundary=other"},
			"not a form":     {"hello", header},
			"no body":        {"", header},
			"cut off":        {string(whole[:len(whole)-10]), header},
			"in a header":    {string(whole[:60]), header},
			"NUL in a name":  {strings.Replace(string(whole), "x.png", "x\x00.png", 1), header},
		} {
			if r := c.do("POST", "/api/v1/images", []byte(tc.body), tc.header); r.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
			} else {
				r.fault("", "malformed_form")
			}
		}
	})
	t.Run("media types", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t)
		for _, mediaType := range []string{"", "application/json", "text/plain", "image/svg+xml", "image/bmp", "garbage", "image/png, image/jpeg"} {
			c.do("POST", "/api/v1/images", png, "Content-Type: "+mediaType).problem(415, "unsupported_media_type")
		}
		c.upload(png, "", "Content-Encoding: gzip").problem(415, "unsupported_content_encoding")
	})
}

func testBadTransfers(t *testing.T, anna *client) {
	in, png := anna.in, pngOf("bad transfer", 100, 100)
	file := field{"file", "x.png", string(png)}
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t).program("images:write")
		_, formHeader := form(t)
		boundary := formHeader[strings.Index(formHeader, "boundary=")+len("boundary="):]
		partHead := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n"
		for name, tc := range map[string]struct {
			headers string
			begin   string
			most    int // bytes that it may take until it is known
		}{
			"raw, declared":  {"Content-Type: image/png\r\nContent-Length: 90000000", "", 0},
			"form, declared": {formHeader + "\r\nContent-Length: 90000000", "", 0},
			"raw, chunked":   {"Content-Type: image/png\r\nTransfer-Encoding: chunked", "", 2 * maxUploadBytes},
			"form, chunked":  {formHeader + "\r\nTransfer-Encoding: chunked", partHead, 2 * maxUploadBytes},
		} {
			reply, sent := in.pour(t, "POST /api/v1/images HTTP/1.1\r\nHost: pictures.test\r\nAuthorization: Bearer "+c.key+"\r\n"+tc.headers, tc.begin)
			if reply.problem(413, "file_too_large"); !reply.Close {
				t.Errorf("%s: the connection stays open", name)
			}
			// Beside what the server reads, the kernel takes some on its way.
			if sent > tc.most+8<<20 {
				t.Errorf("%s: the server took %d bytes", name, sent)
			}
		}
		// To the byte: as much as the limit is taken, and refused for what it is.
		limit := append(bytes.Clone(png[:20]), make([]byte, maxUploadBytes-20)...)
		c.upload(limit, "").problem(422, "image_broken")
		c.uploadForm("", field{"file", "x", string(limit)}).problem(422, "image_broken")
		c.upload(append(limit, 0), "").problem(413, "file_too_large")
		c.uploadForm("", field{"file", "x", string(append(limit, 0))}).problem(413, "file_too_large")
	})
	t.Run("an anonymous flood is not read", func(t *testing.T) {
		t.Parallel()
		for _, headers := range []string{
			"Content-Type: image/png\r\nContent-Length: 200000000", "Content-Type: image/png\r\nTransfer-Encoding: chunked",
		} {
			reply, sent := in.pour(t, "POST /api/v1/images HTTP/1.1\r\nHost: pictures.test\r\n"+headers, "")
			if reply.problem(401, "unauthenticated"); sent > 8<<20 {
				t.Errorf("the server took %d bytes from a stranger", sent)
			}
		}
	})
	t.Run("a client that goes away", func(t *testing.T) {
		t.Parallel()
		c := anna.as(t).program("images:write")
		body, header := form(t, file)
		for _, request := range []string{
			fmt.Sprintf("Content-Type: image/png\r\nContent-Length: %d\r\n\r\n%s", len(png), png[:len(png)/2]),
			fmt.Sprintf("%s\r\nContent-Length: %d\r\n\r\n%s", header, len(body), body[:len(body)/2]),
			fmt.Sprintf("Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(png), png[:len(png)/2]),
		} {
			conn := in.dial(t)
			if _, err := io.WriteString(conn, "POST /api/v1/images HTTP/1.1\r\nHost: pictures.test\r\nAuthorization: Bearer "+c.key+"\r\n"+request); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			conn.Close()
		}
	})
}

func (in *instance) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", in.app.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// pour sends a request's head and then a body without end, until the server has replied. It returns the reply and how
// many bytes of the body went out.
func (in *instance) pour(t *testing.T, head, begin string) (*reply, int) {
	t.Helper()
	conn := in.dial(t)
	if _, err := io.WriteString(conn, head+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		sent := 0
		chunk := make([]byte, 32<<10)
		copy(chunk, begin)
		for {
			text := chunk
			if strings.Contains(head, "chunked") {
				text = fmt.Appendf(nil, "%x\r\n%s\r\n", len(chunk), chunk)
			}
			n, err := conn.Write(text)
			sent += n
			chunk = make([]byte, 32<<10)
			select {
			case <-stop:
				err = io.EOF
			default:
			}
			if err != nil {
				stopped <- sent
				return
			}
		}
	}()
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodPost})
	if err != nil {
		t.Fatalf("no reply: %v", err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	close(stop)
	sent := <-stopped
	r.Request.URL = mustURL(t, "/api/v1/images")
	return &reply{Response: r, t: t, body: b}, sent
}
