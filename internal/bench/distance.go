package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	stdimage "image"
	_ "image/png"
	"net/http"
	"strings"

	_ "golang.org/x/image/webp"

	"github.com/kadr-app/kadr/internal/imaging/imagetest"
)

// distance compares the rendering of 320 pixels from a picture's master with the one from the original, as pixels. The limit
// is what one step of the encoder's quality costs, from 80 to 79. How far the WebPs are apart that people get is reported:
// an encoder decides otherwise at the smallest difference, so that they would be more than a step apart also if the master
// were lossless (0.0125 beside 0.0105 for a photograph of 12 MP).
func (b *bench) distance(name string, with, without *kadr, reduced, direct stored) error {
	const query = ".webp?w=320"
	step, err := without.signed(direct, 79)
	if err != nil {
		return err
	}
	limit, err := between(without, direct.link+query, without, step)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		what, query string
		goal        float64
	}{{"as pixels", ".png?w=320", 1}, {"as WebP", query, 0}} {
		d, err := between(with, reduced.link+s.query, without, direct.link+s.query)
		if err != nil {
			return err
		}
		b.row(fmt.Sprintf("DSSIM of 320 px of %s from its master, %s, one step of quality", name, s.what),
			fmt.Sprintf("%.4f", d), fmt.Sprintf("%.4f", limit), limit/d, s.goal)
	}
	return nil
}

// between is the distance of two pictures that servers send.
func between(k *kadr, path string, other *kadr, otherPath string) (float64, error) {
	a, err := k.picture(path)
	if err != nil {
		return 0, err
	}
	b, err := other.picture(otherPath)
	if err != nil {
		return 0, err
	}
	return imagetest.DSSIM(a, b), nil
}

func (k *kadr) picture(path string) (stdimage.Image, error) {
	req, err := http.NewRequest(http.MethodGet, k.base+path, nil)
	if err != nil {
		return nil, err
	}
	body, _, err := k.do(req)
	if err != nil {
		return nil, err
	}
	m, _, err := stdimage.Decode(bytes.NewReader(body))
	return m, err
}

// signed returns the path of a WebP of 320 pixels at a quality.
func (k *kadr) signed(p stored, quality int) (string, error) {
	body, _, err := k.call(http.MethodPost, "/api/v1/images/"+strings.TrimPrefix(p.link, "/i/")+"/variants", nil, map[string]any{
		"variants": []any{map[string]any{"format": "webp", "w": 320, "q": quality}},
	})
	if err != nil {
		return "", err
	}
	var reply struct{ Items []struct{ URL string } }
	if err := json.Unmarshal(body, &reply); err != nil {
		return "", err
	}
	return strings.TrimPrefix(reply.Items[0].URL, k.base), nil
}
