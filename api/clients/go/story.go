// Command go shows how a program uses Kadr by the generated Go client: it registers, makes an API key, and does with it what
// can be done with a photograph. `make test-clients LANGUAGES=go` runs it against a real instance.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path"

	"github.com/kadr-app/kadr/gen/client"
)

func main() {
	ctx, url, photo := context.Background(), os.Getenv("KADR_URL"), os.Getenv("KADR_PHOTO")
	key := makeKey(ctx, url, os.Getenv("KADR_NAME"))
	kadr, err := client.NewClientWithResponses(url, client.WithHTTPClient(doer{http.DefaultClient}),
		client.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+key)
			return nil
		}))
	check(err)

	var image *client.Image
	var etag *string
	for range 3 {
		file, err := os.Open(photo) // the client closes it
		check(err)
		again, once := true, rand.Text() // with the same key a request that broke could be repeated
		stored, err := kadr.UploadImageWithBodyWithResponse(ctx,
			&client.UploadImageParams{AllowDuplicate: &again, IdempotencyKey: &once}, "image/jpeg", file)
		check(err)
		image, etag = stored.JSON201, &stored.Headers201.ETag
	}
	fmt.Println("uploaded")

	listed, page := 0, &client.ListImagesParams{Limit: new(int32(2))}
	for more := true; more; {
		list, err := kadr.ListImagesWithResponse(ctx, page)
		check(err)
		listed += len(list.JSON200.Items)
		next, err := list.JSON200.NextCursor.Get()
		page.Cursor, more = &next, err == nil // at the end it is null
	}
	fmt.Println("listed", listed)

	patch := client.ImagePatch{Title: new("Far hills")}
	_, err = kadr.UpdateImageWithResponse(ctx, image.ID, &client.UpdateImageParams{IfMatch: etag}, patch)
	check(err)
	fmt.Println("retitled")
	// The ETag is now that of the picture as it was.
	_, err = kadr.UpdateImageWithResponse(ctx, image.ID, &client.UpdateImageParams{IfMatch: etag}, patch)
	tell(err)
	_, err = kadr.GetImageWithResponse(ctx, "aaaaaaaaaaaaa", nil)
	tell(err)

	want, err := os.ReadFile(photo)
	check(err)
	got, err := fetch(ctx, image.URL)
	check(err)
	if !bytes.Equal(got, want) {
		check(errors.New("the link gives other bytes than the photograph's"))
	}
	fmt.Println("fetched")

	_, err = kadr.DeleteImageWithResponse(ctx, image.ID, nil)
	check(err)
	fmt.Println("deleted")
	if _, err = fetch(ctx, image.URL); !errors.As(err, new(problem)) {
		check(fmt.Errorf("the link still gives the picture: %w", err))
	}
	_, err = kadr.GetImageWithResponse(ctx, image.ID, nil)
	tell(err)
}

// makeKey registers, signs in, and makes an API key: all that a program needs from then on.
func makeKey(ctx context.Context, url, name string) string {
	jar, err := cookiejar.New(nil)
	check(err)
	kadr, err := client.NewClientWithResponses(url, client.WithHTTPClient(doer{&http.Client{Jar: jar}}))
	check(err)
	const password = "a long and private sentence"
	_, err = kadr.CreateAccountWithResponse(ctx, nil, client.AccountCreate{Name: name, Password: password})
	check(err)
	_, err = kadr.CreateSessionWithResponse(ctx, nil, client.SessionCreate{Name: name, Password: password})
	check(err)
	fmt.Println("registered")
	made, err := kadr.CreateAPIKeyWithResponse(ctx, nil, client.APIKeyCreate{
		Name: "story", Scopes: []client.Scope{client.ScopeImagesRead, client.ScopeImagesWrite, client.ScopeImagesDelete},
	})
	check(err)
	fmt.Println("key made")
	return made.JSON201.Key
}

// fetch follows a link, which takes no key.
func fetch(ctx context.Context, link string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, http.NoBody)
	check(err)
	res, err := doer{http.DefaultClient}.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// problem is a reply that says no.
type problem client.Problem

func (p problem) Error() string {
	return fmt.Sprintf("%s: %s (request %s)", p.Title, p.Detail, p.RequestID)
}

// doer makes errors of such replies, so that no caller has to look through those that an operation lists.
type doer struct{ *http.Client }

func (d doer) Do(req *http.Request) (*http.Response, error) {
	res, err := d.Client.Do(req)
	if err != nil || res.StatusCode < http.StatusBadRequest {
		return res, err
	}
	defer res.Body.Close()
	var p problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		return nil, fmt.Errorf("%s: %w", res.Status, err)
	}
	return nil, p
}

// tell prints the problem that has to come.
func tell(err error) {
	var p problem
	if !errors.As(err, &p) {
		check(fmt.Errorf("this should have been refused: %w", err))
	}
	fmt.Println(p.Status, path.Base(p.Type))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
