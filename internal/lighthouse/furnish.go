package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

// pictures is how many the instance has: more than fit a phone's first screens.
const pictures = 40

// visit is one page as one person sees it.
type visit struct {
	name, address string
	header        map[string]string
}

// furnish puts a member and pictures into the instance, and returns the pages to visit.
func furnish(ctx context.Context, base string) ([]visit, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	m := member{base: base, http: &http.Client{Jar: jar, Timeout: time.Minute}}
	credentials, err := json.Marshal(map[string]string{"name": "ada-lovelace", "password": "correct horse battery"})
	if err != nil {
		return nil, err
	}
	for _, path := range []string{"/api/v1/accounts", "/api/v1/sessions"} {
		if _, err := m.send(ctx, http.MethodPost, path, "application/json", credentials); err != nil {
			return nil, err
		}
	}
	var image struct{ ID string }
	for n := range pictures {
		shape := [][2]int{{1800, 1200}, {1200, 1600}, {1600, 1200}, {1400, 1400}, {2000, 900}}[n%5]
		query := url.Values{"filename": {fmt.Sprintf("IMG_%04d.jpg", 2041+n)}, "visibility": {"public"}}
		reply, err := m.send(ctx, http.MethodPost, "/api/v1/images?"+query.Encode(), "application/octet-stream",
			imagetest.Photograph(uint64(n), shape[0], shape[1]))
		if err == nil {
			err = json.Unmarshal(reply, &image)
		}
		if err != nil {
			return nil, err
		}
	}
	described := []byte(`{"title": "The far ridge", "description": "Hills behind hills, with the sun low over the last of them."}`)
	if _, err := m.send(ctx, http.MethodPatch, "/api/v1/images/"+image.ID, "application/merge-patch+json", described); err != nil {
		return nil, err
	}
	at, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var cookies []string
	for _, c := range jar.Cookies(at) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	signedIn := map[string]string{"Cookie": strings.Join(cookies, "; ")}
	return []visit{
		{"home", base + "/", map[string]string{}},
		{"pictures", base + "/pictures", signedIn},
		{"picture", base + "/p/" + image.ID, map[string]string{}},
	}, nil
}

type member struct {
	base string
	http *http.Client
}

func (m member) send(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, m.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	res, err := m.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	reply, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %d: %s", method, path, res.StatusCode, reply)
	}
	return reply, err
}
