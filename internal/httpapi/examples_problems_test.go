package httpapi_test

import (
	"fmt"
	"strings"
)

// exampleProblems are the exchanges in which something goes wrong. A problem that many operations share has its example from
// one of them.
func exampleProblems() []exchange {
	picture := (*world).picture
	jpeg := []string{"file=" + exampleImage + ".jpg"}
	upload := func(w *world) { w.upload(exampleArrived) }
	return []exchange{
		{op: "listFeed", status: 400, example: "parameter", set: []string{"limit=101"}},
		{op: "createAPIKey", status: 400, example: "member", body: object{"name": "ShareX on the laptop", "scopes": []string{"images:all"}}},
		{op: "listFeed", status: 400, example: "unknown_parameter", set: []string{"?page=2"}},
		{op: "createSession", status: 400, example: "malformed_json", body: []byte(`{"name":"anna",}`)},
		{op: "listFeed", status: 400, example: "invalid_cursor", set: []string{"cursor=abcd"}},
		{op: "deleteAccount", status: 400, example: "confirmation_mismatch", set: []string{"confirm=root"}},

		{op: "getAccount", status: 401, example: "unauthenticated", as: "nobody"},
		{op: "listImages", status: 401, example: "invalid_api_key", as: "key", given: func(w *world) { w.sql(`DELETE FROM api_keys`) }},
		{op: "createSession", status: 401, example: "wrong_credentials", body: object{"name": "anna", "password": "wrong password"}},

		{op: "listImages", status: 403, example: "missing_scope", as: "key"},
		{op: "listAPIKeys", status: 403, example: "session_needed", as: "key"},
		{op: "uploadImage", status: 403, example: "quota_exceeded", mediaIn: "image/jpeg", given: func(w *world) {
			w.sql(`UPDATE account_usage SET quota_bytes = 1000`)
		}},
		{op: "getFile", status: 403, example: "signature_needed", given: picture, set: []string{"w=333"}},
		{op: "getFile", status: 403, example: "link_expired", given: picture, set: append(jpeg,
			"expires=1764000000", "sig="+signExampleLink("/i/"+exampleImage+".jpg?expires=1764000000"))},
		{op: "updateAccount", status: 403, example: "wrong_password", body: object{
			"password": "another long sentence", "current_password": "wrong password",
		}},
		{op: "createAccount", status: 403, example: "registration_closed", settings: []string{"REGISTRATION=closed"}},
		{op: "createAccount", status: 403, example: "invite_needed", settings: []string{"REGISTRATION=invite"}},
		{op: "deleteImage", status: 403, example: "cross_origin", given: picture, set: []string{"Sec-Fetch-Site=cross-site"}},

		{op: "getImage", status: 404, example: "image_not_found"},
		{op: "listAccountImages", status: 404, example: "account_not_found", set: []string{"name=bob"}},
		{op: "deleteSession", status: 404, example: "session_not_found", set: []string{"id=" + exampleImage}},
		{op: "deleteAPIKey", status: 404, example: "api_key_not_found", set: []string{"id=" + exampleImage}},
		{op: "getUpload", status: 404, example: "upload_not_found"},
		{op: "getFile", status: 404, example: "format_unavailable", given: picture, set: []string{"file=" + exampleImage + ".heic"}},
		{op: "getOEmbed", status: 404, example: "link_not_found", set: []string{"url=https://example.com/"}},

		{op: "createSession", status: 408, stall: true},

		{op: "createAccount", status: 409, example: "name_taken"},
		{op: "deleteAccount", status: 409, example: "last_administrator", given: func(w *world) {
			w.sql(`UPDATE accounts SET role = CASE name WHEN 'anna' THEN 'admin' ELSE 'member' END`)
		}},
		{op: "createAPIKey", status: 409, example: "too_many_api_keys", given: func(w *world) {
			w.sql(`INSERT INTO api_keys (id, account_id, name, prefix, secret_hash, scopes)
				SELECT 'key-' || n, account_id, name, prefix, n::text::bytea, scopes FROM api_keys, generate_series(1, 99) n`)
		}},
		{op: "appendUpload", status: 409, given: upload},
		{op: "completeUpload", status: 409, given: upload},

		{op: "getImage", status: 410, given: func(w *world) {
			w.picture()
			w.do("DELETE", "/api/v1/images/"+exampleImage, "", nil).want(204)
		}},

		{op: "updateImage", status: 412, given: picture, set: []string{`If-Match="` + exampleImage + `-0"`}},

		{op: "uploadImage", status: 413, example: "file_too_large", mediaIn: "image/jpeg", body: make([]byte, 52428801)},
		{op: "createSession", status: 413, example: "too_large", body: []byte(strings.Repeat(" ", 1<<20+1))},
		{op: "appendUpload", status: 413, example: "upload_too_large", given: upload, set: []string{fmt.Sprint("Upload-Offset=", exampleArrived)}},

		{
			op: "uploadImage", status: 415, example: "image_type_not_allowed", mediaIn: "application/octet-stream",
			body: []byte(strings.Repeat("no picture ", 100)),
		},
		{op: "createSession", status: 415, example: "unsupported_media_type", mediaIn: "text/plain", body: []byte("anna")},

		{op: "getFile", status: 416, given: picture, set: append(jpeg, "Range=bytes=99999999-")},

		{op: "uploadImage", status: 422, example: "image_broken", mediaIn: "image/jpeg", body: examplePicture()[:len(examplePicture())/2]},
		{op: "uploadImage", status: 422, example: "image_too_many_pixels", mediaIn: "image/jpeg", settings: []string{"MAX_PIXELS=500000"}},
		{op: "uploadImage", status: 422, example: "content_digest_mismatch", mediaIn: "image/jpeg", set: []string{"Content-Digest=" + digest(nil)}},
		{op: "createAPIKey", status: 422, example: "idempotency_key_reused", set: []string{"Idempotency-Key=used-before"}, given: func(w *world) {
			w.do("POST", "/api/v1/api-keys", "application/json", []byte(`{"name":"another","scopes":["images:read"]}`), "Idempotency-Key: used-before").want(201)
		}},

		{op: "createSession", status: 429, example: "rate_limited", given: func(w *world) {
			for range 10 {
				w.do("POST", "/api/v1/sessions", "application/json", []byte(`{"name":"anna","password":"wrong password"}`)).want(401)
			}
		}},
		{op: "createUpload", status: 429, example: "too_many_uploads", given: func(w *world) {
			for range 32 {
				w.do("POST", "/api/v1/uploads", "application/json", []byte(`{"size":1}`)).want(201)
			}
		}},

		{op: "getAccount", status: 500, given: func(w *world) {
			w.quiet.Store(true)
			w.sql(`ALTER TABLE sessions RENAME TO sessions_away`)
		}},
		{op: "getOEmbed", status: 501, set: []string{"format=yaml"}},
		{op: "createSession", status: 503, given: func(w *world) { w.refuse("sessions", "57P03") }}, // it starts just now
		{op: "createSession", status: 507, given: func(w *world) { w.refuse("sessions", "53100") }}, // its disk is full
		{op: "getHealth", status: 405, method: "POST"},
	}
}
