package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	api "github.com/kadr-app/kadr/gen/client"
)

// begin begins an upload in parts.
func (c *client) begin(size int, filename string) api.Upload {
	c.t.Helper()
	body := object{"size": size}
	if filename != "" {
		body["filename"] = filename
	}
	return c.do("POST", "/api/v1/uploads", body).want(201).upload()
}

func (c *client) part(id string, offset int, part []byte, headers ...string) *reply {
	c.t.Helper()
	headers = append([]string{"Content-Type: application/octet-stream", fmt.Sprintf("Upload-Offset: %d", offset)}, headers...)
	return c.do("PATCH", "/api/v1/uploads/"+id, part, headers...)
}

func (c *client) complete(id string, fields object) *reply {
	c.t.Helper()
	return c.do("POST", "/api/v1/uploads/"+id+"/complete", fields)
}

// arrived begins an upload and sends all of it.
func (c *client) arrived(file []byte) string {
	c.t.Helper()
	up := c.begin(len(file), "")
	c.part(up.ID, 0, file).want(200)
	return up.ID
}

// upload asserts an upload that says the same in its header.
func (r *reply) upload() api.Upload {
	r.t.Helper()
	var up api.Upload
	r.into(&up)
	if offset := strconv.FormatInt(up.Offset, 10); r.StatusCode == http.StatusOK && r.Header.Get("Upload-Offset") != offset {
		r.t.Errorf("Upload-Offset is %q, the upload says %s", r.Header.Get("Upload-Offset"), offset)
	}
	return up
}

// elsewhere asserts a 409 that says where the upload really is.
func (r *reply) elsewhere(offset int) {
	r.t.Helper()
	if r.problem(409, "upload_offset_mismatch"); r.Header.Get("Upload-Offset") != strconv.Itoa(offset) {
		r.t.Errorf("Upload-Offset is %q, want %d", r.Header.Get("Upload-Offset"), offset)
	}
}

// unfinished returns the files of the uploads that are not complete.
func (in *instance) unfinished(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(in.files(t, "uploads"), func(path string) bool { return path == "uploads/lock" })
}

// expire makes an upload look as if nothing had come for a day.
func (in *instance) expire(t *testing.T, id string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(in.dir, "uploads", "*", id))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	at := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(found[0], at, at); err != nil {
		t.Fatal(err)
	}
}

func TestUploadInParts(t *testing.T) {
	t.Parallel()
	in := newInstance(t)

	t.Run("from beginning to end", func(t *testing.T) {
		t.Parallel()
		c, file := in.person(t), jpegOf("parts", 400, 300)
		r := c.do("POST", "/api/v1/uploads", object{"size": len(file), "filename": "закат.jpg"}).want(201)
		up := r.upload()
		if up.Offset != 0 || up.Size != int64(len(file)) || r.Header.Get("Location") != "/api/v1/uploads/"+up.ID ||
			time.Until(up.ExpiresAt) < 23*time.Hour || !strings.HasPrefix(string(r.body), `{"id":"`) {
			t.Errorf("%v %s", r.Header, r.body)
		}
		third := len(file) / 3
		for _, from := range []int{0, third, 2 * third} {
			to := min(from+third, len(file))
			if from == 2*third {
				to = len(file)
			}
			if got := c.get(r.Header.Get("Location")).want(200).upload(); got.Offset != int64(from) {
				t.Errorf("before: %+v", got)
			}
			c.complete(up.ID, object{}).problem(409, "upload_incomplete")
			if got := c.part(up.ID, from, file[from:to]).want(200).upload(); got.Offset != int64(to) || got.Size != up.Size {
				t.Errorf("after: %+v", got)
			}
		}
		done := c.complete(up.ID, object{"title": "A title", "description": "What it\nshows", "visibility": "private", "keep_metadata": true}).want(201)
		img := done.image()
		if img.Filename != "закат.jpg" || img.Title != "A title" || img.Description != "What it\nshows" || img.Visibility != "private" || img.Size != up.Size {
			t.Errorf("%+v", img)
		}
		if got := c.get("/api/v1/images/" + img.ID).want(200); done.Header.Get("Location") != "/api/v1/images/"+img.ID || done.Header.Get("ETag") != got.Header.Get("ETag") {
			t.Errorf("%v", done.Header)
		}
		if got := c.get(img.URL).want(200).body; !bytes.Equal(got, file) {
			t.Error("the original is not what was sent")
		}
		c.get("/api/v1/uploads/"+up.ID).problem(404, "upload_not_found")
		c.part(up.ID, len(file), nil).problem(404, "upload_not_found")
		// The reply was lost: here it is again, whatever is said of the picture now.
		for _, fields := range []object{{"title": "A title"}, {}, {"allow_duplicate": true}} {
			again := c.complete(up.ID, fields).want(201)
			if string(again.body) != string(done.body) || again.Header.Get("Location") != done.Header.Get("Location") {
				t.Errorf("again %s, first %s", again.body, done.body)
			}
		}
		in.person(t).complete(up.ID, object{}).problem(404, "upload_not_found")
	})
	t.Run("a program", func(t *testing.T) {
		t.Parallel()
		c := in.person(t).program("images:write")
		id := c.arrived(pngOf("program in parts", 9, 9))
		if img := c.complete(id, object{"filename": "b.png"}).want(201).image(); img.Filename != "b.png" {
			t.Errorf("%+v", img)
		}
		id = c.arrived(pngOf("program in parts 2", 9, 9))
		if img := c.complete(id, object{}).want(201).image(); img.Filename != img.ID+".png" {
			t.Errorf("%+v", img)
		}
	})
	t.Run("duplicates", func(t *testing.T) {
		t.Parallel()
		c, file := in.person(t), pngOf("duplicate in parts", 20, 20)
		first := c.stored(file, "")
		id := c.arrived(file)
		for range 2 {
			if img := c.complete(id, object{}).want(200).image(); img.ID != first.ID {
				t.Errorf("got %s, want %s", img.ID, first.ID)
			}
		}
		id = c.arrived(file)
		other := c.complete(id, object{"allow_duplicate": true}).want(201).image()
		if again := c.complete(id, object{"allow_duplicate": true}).want(201).image(); other.ID == first.ID || again.ID != other.ID {
			t.Errorf("%s, then %s, then %s", first.ID, other.ID, again.ID)
		}
	})
	t.Run("two servers", func(t *testing.T) {
		t.Parallel()
		c, file := in.person(t), jpegOf("two servers", 300, 300)
		up, half := c.begin(len(file), "a.jpg"), len(file)/2
		c.part(up.ID, 0, file[:half]).want(200)
		there := c.at(in.replica(t))
		if got := there.get("/api/v1/uploads/" + up.ID).want(200).upload(); got.Offset != int64(half) {
			t.Errorf("%+v", got)
		}
		there.part(up.ID, half, file[half:]).want(200)
		img := there.complete(up.ID, object{}).want(201).image()
		if again := c.complete(up.ID, object{}).want(201).image(); again.ID != img.ID {
			t.Errorf("%s, then %s", img.ID, again.ID)
		}
		if !bytes.Equal(c.get(img.URL).want(200).body, file) {
			t.Error("the original is not what was sent")
		}
	})
	t.Run("giving up", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		id := c.arrived(pngOf("given up", 9, 9))
		path := "/api/v1/uploads/" + id
		tag := c.get(path).want(200).Header.Get("ETag")
		c.do("DELETE", path, nil, `If-Match: "x"`).problem(412, "precondition_failed")
		c.get(path, "If-None-Match: "+tag).want(304)
		c.do("DELETE", path, nil, "If-Match: "+tag).want(204)
		c.do("DELETE", path, nil).problem(404, "upload_not_found")
		c.do("DELETE", path, nil, "If-Match: *").problem(404, "upload_not_found")
		c.complete(id, object{}).problem(404, "upload_not_found")
	})
}

// What arrived before a connection broke counts, and the rest makes it whole.
func TestUploadResumed(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c, file := in.person(t), jpegOf("resumed", 500, 500)
	key := c.program("images:write").key
	up := c.begin(len(file), "")
	head := func(offset int, length string) string {
		return fmt.Sprintf("PATCH /api/v1/uploads/%s HTTP/1.1\r\nHost: pictures.test\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/octet-stream\r\nUpload-Offset: %d\r\n%s\r\n\r\n", up.ID, key, offset, length)
	}
	offset := func() int { return int(c.get("/api/v1/uploads/" + up.ID).want(200).upload().Offset) }

	// One that hangs: what it sent is seen while it still hangs, and others go on.
	hanging := in.dial(t)
	if _, err := hanging.Write(append([]byte(head(0, fmt.Sprintf("Content-Length: %d", len(file)))), file[:1000]...)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "1000 bytes arrive", func() bool { return offset() == 1000 })
	c.part(up.ID, 1000, file[1000:2000]).want(200)
	if _, err := hanging.Write(file[1000:1500]); err != nil {
		t.Fatal(err)
	}
	status := make([]byte, len("HTTP/1.1 409"))
	if _, err := io.ReadFull(hanging, status); err != nil || string(status) != "HTTP/1.1 409" {
		t.Errorf("who was overtaken hears %q, %v", status, err)
	}
	// One that breaks off, in either coding.
	at := 2000
	for _, length := range []string{fmt.Sprintf("Content-Length: %d", len(file)-2000), "Transfer-Encoding: chunked"} {
		conn := in.dial(t)
		body := file[at : at+1000]
		if strings.Contains(length, "chunked") {
			body = append(fmt.Appendf(nil, "%x\r\n", len(file)-at), body...)
		}
		if _, err := conn.Write(append([]byte(head(at, length)), body...)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		eventually(t, "1000 bytes more arrive", func() bool { return offset() == at+1000 })
		at += 1000
	}
	c.part(up.ID, at, file[at:]).want(200)
	img := c.complete(up.ID, object{"keep_metadata": true}).want(201).image()
	if !bytes.Equal(c.get(img.URL).want(200).body, file) {
		t.Error("the original is not what was sent")
	}
}

// Of many who send the same part one gets through.
func TestAppendAtOnce(t *testing.T) {
	t.Parallel()
	in := newInstance(t)
	c, file := in.person(t), jpegOf("append at once", 500, 500)
	up := c.begin(len(file), "")
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			r := c.part(up.ID, 0, file)
			if r.StatusCode == http.StatusOK {
				won.Add(1)
			} else if r.problem(409, "upload_offset_mismatch"); r.Header.Get("Upload-Offset") == "" {
				t.Error("it does not say where the upload is")
			}
		})
	}
	wg.Wait()
	img := c.complete(up.ID, object{}).want(201).image()
	if won.Load() != 1 || !bytes.Equal(c.get(img.URL).want(200).body, file) {
		t.Errorf("%d got through", won.Load())
	}
}
