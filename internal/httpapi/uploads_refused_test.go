package httpapi_test

import (
	"io"
	"strings"
	"testing"

	api "github.com/kadr-app/kadr/gen/client"
)

func TestUploadInPartsRefused(t *testing.T) {
	t.Parallel()
	in := newInstance(t)

	t.Run("wrong offsets and sizes", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		up := c.begin(10, "")
		c.part(up.ID, 1, []byte("x")).elsewhere(0)
		c.part(up.ID, 0, []byte("12345")).want(200)
		for _, offset := range []int{0, 4, 6, 100} {
			c.part(up.ID, offset, []byte("x")).elsewhere(5)
		}
		c.part(up.ID, 5, []byte("678901")).problem(413, "upload_too_large")
		c.do("PATCH", "/api/v1/uploads/"+up.ID, io.MultiReader(strings.NewReader("678901")), "Content-Type: application/octet-stream", "Upload-Offset: 5").
			problem(413, "upload_too_large")
		if got := c.get("/api/v1/uploads/" + up.ID).want(200).upload(); got.Offset != 5 {
			t.Errorf("%+v", got)
		}
		c.do("PATCH", "/api/v1/uploads/"+up.ID, []byte("6"), "Content-Type: application/octet-stream").fault("-Upload-Offset", "required")
		c.part(up.ID, -1, []byte("6")).fault("-Upload-Offset", "minimum")
		c.do("PATCH", "/api/v1/uploads/"+up.ID, []byte("6"), "Content-Type: image/png", "Upload-Offset: 5").problem(415, "unsupported_media_type")
		c.do("POST", "/api/v1/uploads", object{"size": 0}).fault("/size", "minimum")
		c.do("POST", "/api/v1/uploads", object{"size": 1, "filename": "a/b"}).fault("/filename", "pattern")
		c.do("POST", "/api/v1/uploads", object{"size": maxUploadBytes + 1}).problem(413, "file_too_large")
		c.do("POST", "/api/v1/uploads", object{"size": maxUploadBytes}).want(201)
		c.complete(up.ID, object{"offset": 1}).fault("/offset", "unknown_field")
		// Of what is too large no more is read than has to be.
		key := c.program("images:write").key
		for _, length := range []string{"Content-Length: 90000000", "Transfer-Encoding: chunked"} {
			r, sent := in.pour(t, "PATCH /api/v1/uploads/"+up.ID+" HTTP/1.1\r\nHost: pictures.test\r\nAuthorization: Bearer "+key+
				"\r\nUpload-Offset: 5\r\nContent-Type: application/octet-stream\r\n"+length, "")
			if r.problem(413, "upload_too_large"); sent > 8<<20 {
				t.Errorf("the server took %d bytes", sent)
			}
		}
	})
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		id := c.arrived(pngOf("expired", 9, 9))
		in.expire(t, id)
		c.get("/api/v1/uploads/"+id).problem(404, "upload_not_found")
		c.part(id, 0, []byte("x")).problem(404, "upload_not_found")
		c.complete(id, object{}).problem(404, "upload_not_found")
	})
	t.Run("not a picture", func(t *testing.T) {
		t.Parallel()
		c, broken := in.person(t), pngOf("broken in parts", 90, 90)
		for code, file := range map[string][]byte{"image_type_not_allowed": []byte("only text"), "image_broken": broken[:len(broken)/2]} {
			id := c.arrived(file)
			status := 422
			if code == "image_type_not_allowed" {
				status = 415
			}
			c.complete(id, object{}).problem(status, code)
			c.get("/api/v1/uploads/"+id).problem(404, "upload_not_found")
			c.complete(id, object{}).problem(404, "upload_not_found")
		}
	})
	t.Run("digests", func(t *testing.T) {
		t.Parallel()
		c, file := in.person(t), pngOf("digests", 30, 30)
		const name = "Content-Digest: "
		up := c.begin(len(file), "")
		c.part(up.ID, 0, file[:50], name+digest(file[:50])).want(200)
		c.part(up.ID, 50, file[49:99], name+digest(file[50:100])).problem(422, "content_digest_mismatch")
		c.part(up.ID, 50, file[50:], name+digest(file[50:])).want(200)
		c.part(up.ID, len(file), nil, "Content-Digest: nonsense").problem(400, "invalid_content_digest")
		c.complete(up.ID, object{}).want(201)
	})
	t.Run("too many", func(t *testing.T) {
		t.Parallel()
		c := in.person(t)
		var last api.Upload
		for range 32 {
			last = c.begin(1, "")
		}
		if r := c.do("POST", "/api/v1/uploads", object{"size": 1}); r.problem(429, "too_many_uploads").Title != "Too many requests" || r.Header.Get("Retry-After") == "" {
			t.Errorf("%v %s", r.Header, r.body)
		}
		c.do("DELETE", "/api/v1/uploads/"+last.ID, nil).want(204)
		c.begin(1, "")
	})
}

func TestUploadQuota(t *testing.T) {
	t.Parallel()
	in := newInstance(t, "QUOTA_BYTES=2000", "SWEEP_INTERVAL=1s")
	c := in.registered(t)
	c.do("POST", "/api/v1/uploads", object{"size": 2001}).problem(403, "quota_exceeded")
	file := pngOf("quota in parts", 10, 10)
	id := c.arrived(file)
	c.do("POST", "/api/v1/uploads", object{"size": 2001 - len(file)}).problem(429, "too_many_uploads")
	c.complete(id, object{}).want(201)
	c.do("POST", "/api/v1/uploads", object{"size": 2001 - len(file)}).problem(403, "quota_exceeded")
	// What no longer fits when it is complete stays, and fits once there is room.
	id = c.arrived(jpegOf("quota in parts 2", 20, 20))
	if _, err := in.db.Pool.Exec(t.Context(), `UPDATE account_usage SET quota_bytes = 10`); err != nil {
		t.Fatal(err)
	}
	c.complete(id, object{}).problem(403, "quota_exceeded")
	if _, err := in.db.Pool.Exec(t.Context(), `UPDATE account_usage SET quota_bytes = NULL`); err != nil {
		t.Fatal(err)
	}
	c.complete(id, object{}).want(201)
	if left := in.unfinished(t); len(left) > 0 {
		t.Errorf("%v is left", left)
	}

	// The sweep takes what nobody goes on with, and the account takes all with it.
	in.expire(t, c.begin(10, "").ID)
	kept := c.begin(10, "")
	eventually(t, "the expired one goes", func() bool { return len(in.unfinished(t)) == 1 })
	c.get("/api/v1/uploads/" + kept.ID).want(200)
	c.do("DELETE", "/api/v1/account?confirm="+c.name, nil).want(204)
	if left := in.unfinished(t); len(left) > 0 {
		t.Errorf("%v is left of a deleted account", left)
	}
}
