package httpapi_test

import (
	"os"
	"path/filepath"
)

// exampleReplies are the exchanges in which all goes well.
func exampleReplies() []exchange {
	picture := (*world).picture
	upload := func(w *world) { w.upload(exampleArrived) }
	two := func(w *world) { w.picture(); w.newer() }
	image := func(name string) string { return "file=" + exampleImage + name }
	return []exchange{
		{op: "createAccount", status: 201, given: func(w *world) {
			w.sql(`DELETE FROM api_keys; DELETE FROM sessions; DELETE FROM account_usage WHERE quota_bytes > 0; DELETE FROM accounts WHERE name = 'anna'`)
		}},
		{op: "getAccount", status: 200},
		{op: "getAccount", status: 304, etag: true},
		{op: "updateAccount", status: 200, mediaIn: "application/json"},
		{op: "updateAccount", status: 200, mediaIn: "application/merge-patch+json"},
		{op: "deleteAccount", status: 204},
		{op: "getAccountUsage", status: 200, given: picture},
		{op: "getAccountUsage", status: 304, etag: true},
		{op: "listAccountImages", status: 200, given: two, second: true},
		{op: "createSession", status: 201, given: func(w *world) { w.sql(`DELETE FROM sessions`) }},
		{op: "listSessions", status: 200, omit: []string{"cursor"}},
		{op: "listSessions", status: 200, sent: true}, // the cursor is of the example's time, and the session of now
		{op: "deleteSessions", status: 204},
		{op: "deleteCurrentSession", status: 204},
		{op: "deleteSession", status: 204},
		{op: "createAPIKey", status: 201},
		{op: "listAPIKeys", status: 200, given: (*world).newer, second: true},
		{op: "deleteCurrentAPIKey", status: 204, as: "key"},
		{op: "deleteAPIKey", status: 204},
		{op: "uploadImage", status: 201, media: "application/json", mediaIn: "image/jpeg"},
		{op: "uploadImage", status: 201, media: "text/plain", mediaIn: "image/jpeg", set: []string{"format=txt"}},
		{op: "uploadImage", status: 201, media: "application/json", mediaIn: "multipart/form-data", omit: []string{
			"filename", "title", "description", "visibility", "keep_metadata", "allow_duplicate", "Content-Digest",
		}},
		{op: "uploadImage", status: 200, media: "application/json", mediaIn: "image/jpeg", given: picture},
		{op: "uploadImage", status: 200, media: "text/plain", mediaIn: "image/jpeg", given: picture, set: []string{"format=txt"}},
		{op: "listImages", status: 200, given: two, second: true},
		{op: "bulkUpdateImages", status: 200, given: picture},
		{op: "getImage", status: 200, given: picture, omit: []string{"If-None-Match"}},
		{op: "getImage", status: 304, given: picture},
		{op: "updateImage", status: 200, mediaIn: "application/json", given: picture},
		{op: "updateImage", status: 200, mediaIn: "application/merge-patch+json", given: picture},
		{op: "deleteImage", status: 204, given: picture},
		{op: "createImageVariants", status: 200, given: picture},
		{op: "createImageLink", status: 200, given: picture},
		{op: "createUpload", status: 201},
		{op: "getUpload", status: 200, given: upload},
		{op: "getUpload", status: 304, given: upload, etag: true},
		{op: "appendUpload", status: 200, given: func(w *world) { w.upload(0) }, body: examplePicture()[:exampleArrived]},
		{op: "deleteUpload", status: 204, given: upload, omit: []string{"If-Match"}, etag: true},
		{op: "completeUpload", status: 201, given: func(w *world) { w.upload(len(examplePicture())) }},
		{op: "completeUpload", status: 200, given: func(w *world) { w.picture(); w.upload(len(examplePicture())) }},
		{op: "listFeed", status: 200, given: two, second: true},
		{op: "getFile", status: 200, given: picture, omit: []string{"preset", "If-None-Match"}},
		{op: "getFile", status: 200, given: picture, set: []string{image(".jpg")}, omit: []string{
			"w", "h", "dpr", "fit", "position", "crop", "rotate", "flip", "page", "q", "background", "blur", "enlarge", "v", "expires", "sig",
		}},
		{op: "getFile", status: 200, given: picture, omit: fileParameters(), set: []string{image(""), "Accept=image/webp"}},
		{op: "getFile", status: 206, given: picture, omit: fileParameters(), set: []string{image(".jpg"), "Range=bytes=0-99"}},
		{op: "getFile", status: 304, given: picture, omit: fileParameters(), set: []string{image(".jpg")}, etag: true},
		{op: "getOEmbed", status: 200, media: "application/json", given: picture},
		{op: "getOEmbed", status: 200, media: "text/xml", given: picture, set: []string{"format=xml"}},
		{op: "getInstance", status: 200},
		{op: "getInstance", status: 304, etag: true},
		{op: "getHealth", status: 200},
		{op: "getReadiness", status: 200},
		{op: "getReadiness", status: 503, given: func(w *world) {
			w.quiet.Store(true)
			if err := os.Rename(filepath.Join(w.dir, "tmp"), filepath.Join(w.dir, "away")); err != nil {
				w.t.Fatal(err)
			}
		}},
		{op: "getContractYAML", status: 200},
		{op: "getContractYAML", status: 304, etag: true},
		{op: "getContractJSON", status: 200, sent: true}, // it would repeat itself
		{op: "getContractJSON", status: 304, etag: true},
		{op: "getDocs", status: 200},
	}
}

func fileParameters() []string {
	return []string{
		"preset", "w", "h", "dpr", "fit", "position", "crop", "rotate", "flip", "page", "q", "background", "blur", "enlarge", "v",
		"expires", "sig",
	}
}
