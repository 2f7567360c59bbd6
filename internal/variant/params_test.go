package variant_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/variant"
)

func parse(t *testing.T, query string) (variant.Params, error) {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return variant.ParseParams(q)
}

func TestParamsReadWhatTheyWrite(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"", "w=320", "dpr=1.5&w=320", "fit=cover&h=200&position=attention&w=300", "background=ff8800&fit=contain&h=9&w=8", "crop=1%2C2%2C3%2C4",
		"crop=99999999%2C0%2C99999999%2C99999999", // as far as the contract goes
		"rotate=270", "flip=both", "page=7", "q=1", "blur=0.5", "enlarge=true&w=9", "preset=avatar", "dpr=2&preset=avatar", "fit=fill&h=5&w=5",
	} {
		p, err := parse(t, query)
		if err != nil || p.Query().Encode() != query {
			t.Errorf("%q came back as %q, %v", query, p.Query().Encode(), err)
		}
	}
	if p, err := parse(t, "v=1&sig=x&expires=1&download=true&fit=inside&position=center&dpr=1"); err != nil || len(p.Query()) != 0 {
		t.Errorf("%+v %v", p, err)
	}
}

func TestParamsOutOfRange(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		"w=0", "w=-1", "w=8193", "w=1e3", "w=99999999999999999999", "h=x", "dpr=0.5", "dpr=4", "dpr=NaN", "dpr=Inf", "fit=outside", "position=middle",
		"crop=1,2,3", "crop=1,2,3,4,5", "crop=1,2,0,4", "crop=-1,2,3,4", "crop=a,b,c,d", "rotate=45", "rotate=360", "flip=up", "page=0", "page=100000",
		"q=0", "q=101", "background=red", "background=%23ff880", "background=ff88000", "blur=0", "blur=1000", "blur=NaN", "enlarge=yes",
	} {
		_, err := parse(t, query)
		name, _, _ := strings.Cut(query, "=")
		var e *apperr.Error
		if !errors.As(err, &e) || e.Kind != apperr.Invalid || e.Field != "?"+name || strings.Contains(e.Message, "strconv") {
			t.Errorf("%q: %+v", query, err)
		}
	}
}

func TestParamsContradict(t *testing.T) {
	t.Parallel()
	src := variant.Source{Format: imaging.GIF, Width: 400, Height: 300, Frames: 3}
	for query, name := range map[string]string{
		"preset=a&w=320": "preset", "dpr=2": "dpr", "fit=cover&w=300": "fit", "fit=fill&h=300": "fit", "position=top&w=3&h=3": "position",
		"position=entropy&fit=contain&w=3&h=3": "position", "enlarge=true": "enlarge", "page=4": "page", "crop=400,0,10,10": "crop",
		"crop=0,300,10,10": "crop", "w=8192&h=8192&dpr=3&fit=fill&enlarge=true": "w", "w=8192&dpr=2&enlarge=true": "w",
	} {
		p, err := parse(t, query)
		if err == nil {
			_, err = p.Shape(src, imaging.WebP)
		}
		var e *apperr.Error
		if !errors.As(err, &e) || e.Kind != apperr.Invalid || e.Field != "?"+name {
			t.Errorf("%q: %+v", query, err)
		}
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	for query, free := range map[string]bool{
		"": true, "w=320": true, "w=3840&dpr=3": true, "w=320&fit=inside": true, "preset=any": true, "w=321": false, "w=320&h=200": false, "h=320": false,
		"w=320&q=80": false, "w=320&fit=fill&h=1": false, "page=1": false, "rotate=90": false, "crop=0,0,1,1": false, "blur=1": false,
		"background=ffffff": false, "flip=both": false, "w=320&enlarge=true": false,
	} {
		if p, err := parse(t, query); err != nil || p.Free() != free {
			t.Errorf("%q: %t, %v", query, p.Free(), err)
		}
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	presets, err := variant.ParsePresets(" avatar:w=128&h=128&fit=cover\n banner:w=1600&q=60 ")
	if err != nil || len(presets) != 2 {
		t.Fatal(presets, err)
	}
	p, err := presets.Expand(variant.Params{Preset: "avatar", DPR: 2})
	if err != nil || p != (variant.Params{Width: 128, Height: 128, DPR: 2, Fit: imaging.FitCover}) {
		t.Errorf("%+v %v", p, err)
	}
	for _, asked := range []variant.Params{{Preset: "banner", Width: 3}, {Preset: "hero"}} {
		if _, err := presets.Expand(asked); apperr.KindOf(err) != apperr.Invalid {
			t.Errorf("%+v: %v", asked, err)
		}
	}
	for _, text := range []string{
		"avatar", "avatar:", "Avatar:w=1", "a:w=1 a:w=2", "a:w=wide", "a:preset=b", "a:dpr=2&w=3", "a:w=1&w=2", "a:size=3", "a:fit=cover&w=3", "a:%zz", ":w=1",
	} {
		if presets, err := variant.ParsePresets(text); err == nil {
			t.Errorf("%q: %+v", text, presets)
		}
	}
}

// keys is a KeyStore in memory.
type keys [][]byte

func (k *keys) SigningKeys(context.Context) ([][]byte, error) { return *k, nil }

func (k *keys) RotateSigningKey(_ context.Context, key []byte) error {
	*k = append([][]byte{key}, (*k)[:1]...)
	return nil
}

// TestSignatureIsAsDocumented computes one as a program in another language would.
func TestSignatureIsAsDocumented(t *testing.T) {
	t.Parallel()
	k := variant.NewKeys(&keys{[]byte("0123456789abcdef0123456789abcdef")})
	query := url.Values{"w": {"300"}, "h": {"200"}, "fit": {"cover"}, "v": {"1"}, "download": {"true"}}
	if err := k.Sign(t.Context(), "/i/w7c2xq5kt3mza.webp", query, time.Time{}); err != nil {
		t.Fatal(err)
	}
	// printf '%s' '/i/w7c2xq5kt3mza.webp?fit=cover&h=200&w=300' |
	//   openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary | basenc --base64url | tr -d =
	if got := query.Get("sig"); got != "lnYJ6VlvkYvvCxLmhw75lC1pHX_yuM2Gy5WGBd2h3rA" {
		t.Errorf("sig is %s", got)
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	store := keys{[]byte("the first key")}
	k := variant.NewKeys(&store)
	ctx, path := t.Context(), "/i/w7c2xq5kt3mza.webp"
	query := url.Values{"w": {"300"}}
	if err := k.Sign(ctx, path, query, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if b, err := base64.RawURLEncoding.DecodeString(query.Get("sig")); err != nil || len(b) != 32 {
		t.Errorf("sig %s", query.Get("sig"))
	}
	expires, err := k.Verify(ctx, path, query)
	if err != nil || !expires.IsZero() {
		t.Errorf("%v %v", expires, err)
	}
	query.Set("v", "x")
	query.Set("download", "true")
	if _, err := k.Verify(ctx, path, query); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{"w": "301", "h": "1", "sig": "x", "expires": "99999999999"} {
		forged := url.Values{}
		for n, v := range query {
			forged[n] = v
		}
		forged.Set(name, value)
		if _, err := k.Verify(ctx, path, forged); !errors.Is(err, variant.ErrSignature) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	if _, err := k.Verify(ctx, "/i/w7c2xq5kt3mza.png", query); !errors.Is(err, variant.ErrSignature) {
		t.Error(err)
	}

	for range 2 { // one rotation is survived, two are not
		if _, err := k.Verify(ctx, path, query); err != nil {
			t.Error(err)
		}
		if err := k.Rotate(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Verify(ctx, path, query); !errors.Is(err, variant.ErrSignature) {
		t.Error(err)
	}

	timed := url.Values{}
	if err := k.Sign(ctx, path, timed, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if expires, err := k.Verify(ctx, path, timed); err != nil || time.Until(expires) < 59*time.Minute {
		t.Errorf("%v %v", expires, err)
	}
	timed = url.Values{}
	if err := k.Sign(ctx, path, timed, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Verify(ctx, path, timed); !errors.Is(err, variant.ErrExpired) {
		t.Error(err)
	}
}
