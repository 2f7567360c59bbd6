package postgres

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/token"
)

// gallery is an ImageStore with two accounts, anna and bert.
type gallery struct {
	*ImageStore
	t          *testing.T
	db         *DB
	anna, bert account.Account
}

func newGallery(t *testing.T) *gallery {
	t.Helper()
	g := &gallery{t: t, db: openTest(t, Options{})}
	g.ImageStore = NewImageStore(g.db)
	g.anna, g.bert = g.account("anna", nil), g.account("bert", nil)
	return g
}

func (g *gallery) account(name string, quota *int64) account.Account {
	g.t.Helper()
	a, err := NewAccountStore(g.db).CreateAccount(g.t.Context(), account.NewAccount{
		ID: token.ID(), Name: name, Role: account.RoleMember, QuotaBytes: quota,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return a
}

// picture is one that is ready to be created: its bytes are those of content.
func picture(owner account.Account, content string) image.Image {
	return image.Image{
		ID: token.ID(), AccountID: owner.ID, AccountName: owner.Name, Ref: refOf(content), Format: imaging.PNG,
		Width: 40, Height: 30, Frames: 1, Size: int64(len(content)), Filename: content + ".png", Visibility: image.Unlisted,
		Placeholder: []byte{1, 2, 3},
	}
}

// upload reserves and creates.
func (g *gallery) upload(img image.Image, allowDuplicate bool) (image.Image, bool, error) {
	if err := g.ReserveBlob(g.t.Context(), img.Ref, img.Size, time.Minute); err != nil {
		return image.Image{}, false, err
	}
	return g.CreateImage(g.t.Context(), img, allowDuplicate)
}

// add uploads what has to be new.
func (g *gallery) add(img image.Image) image.Image {
	g.t.Helper()
	made, created, err := g.upload(img, true)
	if err != nil || !created {
		g.t.Fatalf("upload: created %v, %v", created, err)
	}
	return made
}

// usage returns what is on record of an account.
func (g *gallery) usage(a account.Account) (bytes, images int) {
	g.t.Helper()
	return queryInt(g.t, g.db, `SELECT bytes FROM account_usage WHERE account_id = $1`, a.ID),
		queryInt(g.t, g.db, `SELECT images FROM account_usage WHERE account_id = $1`, a.ID)
}

func (g *gallery) expectUsage(a account.Account, wantBytes, wantImages int) {
	g.t.Helper()
	if bytes, images := g.usage(a); bytes != wantBytes || images != wantImages {
		g.t.Errorf("%s has %d bytes in %d images on record, want %d in %d", a.Name, bytes, images, wantBytes, wantImages)
	}
}

// expectNoReservations: whatever came of an upload, its reservation is over.
func (g *gallery) expectNoReservations() {
	g.t.Helper()
	if n := queryInt(g.t, g.db, `SELECT count(*) FROM blobs WHERE uploads > 0`); n != 0 {
		g.t.Errorf("%d blobs are reserved still", n)
	}
}

func TestCreatedImageIsWhatWasGiven(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	want := picture(g.anna, "hello")
	want.Format, want.Frames, want.Transparent = imaging.GIF, 7, true
	want.Title, want.Description, want.Visibility = "Title ☺", "Text\nof two lines", image.Private
	made := g.add(want)
	if made.CreatedAt.IsZero() || made.CreatedAt.Location() != time.UTC || made.UpdatedAt != made.CreatedAt || made.Revision != 1 {
		t.Errorf("times %v and %v, revision %d", made.CreatedAt, made.UpdatedAt, made.Revision)
	}
	want.Revision, want.CreatedAt, want.UpdatedAt = made.Revision, made.CreatedAt, made.UpdatedAt
	read, err := g.Image(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []image.Image{made, read} {
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	g.expectUsage(g.anna, 5, 1)
	g.expectNoReservations()
}

func TestSameBytesAgain(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	first := g.add(picture(g.anna, "same"))
	again, created, err := g.upload(picture(g.anna, "same"), false)
	if err != nil || created || again.ID != first.ID {
		t.Errorf("the same account: created %v, %s, %v", created, again.ID, err)
	}
	g.expectUsage(g.anna, 4, 1)
	second := g.add(picture(g.anna, "same"))
	if second.ID == first.ID {
		t.Error("a duplicate was asked for")
	}
	g.expectUsage(g.anna, 8, 2)
	if _, created, err := g.upload(picture(g.bert, "same"), false); err != nil || !created {
		t.Errorf("another account: created %v, %v", created, err)
	}
	g.expectUsage(g.bert, 4, 1)
	if n := queryInt(t, g.db, `SELECT count(*) FROM blobs`); n != 1 {
		t.Errorf("%d blobs", n)
	}
	g.expectNoReservations()
}

func TestQuota(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	quota := int64(10)
	carl := g.account("carl", &quota)
	first := g.add(picture(carl, "sixsix"))
	if _, _, err := g.upload(picture(carl, "fives"), true); !errors.Is(err, image.ErrQuota) {
		t.Errorf("beyond the quota: %v", err)
	}
	g.expectUsage(carl, 6, 1)
	g.expectNoReservations()
	if kept, created, err := g.upload(picture(carl, "sixsix"), false); err != nil || created || kept.ID != first.ID {
		t.Errorf("what it has already takes no room: %v", err)
	}
	g.add(picture(carl, "four"))
	g.expectUsage(carl, 10, 2)
	if _, err := g.DeleteImages(t.Context(), carl.ID, []string{first.ID}, nil); err != nil {
		t.Fatal(err)
	}
	g.add(picture(carl, "fives"))
	g.expectUsage(carl, 9, 2)
}

func TestCreateImageNeedsAReservationAndAnAccount(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	img := picture(g.anna, "unreserved")
	if _, _, err := g.CreateImage(t.Context(), img, true); !errors.Is(err, image.ErrReservation) {
		t.Errorf("never reserved: %v", err)
	}
	if err := g.ReserveBlob(t.Context(), img.Ref, img.Size, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := g.ReleaseBlob(t.Context(), img.Ref); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.CreateImage(t.Context(), img, true); !errors.Is(err, image.ErrReservation) {
		t.Errorf("released: %v", err)
	}
	g.expectUsage(g.anna, 0, 0)
	if _, _, err := g.upload(picture(account.Account{ID: token.ID()}, "nobody's"), true); apperr.KindOf(err) != apperr.Unauthenticated {
		t.Errorf("an account that is gone: %v", err)
	}
	if _, err := g.Image(t.Context(), img.ID); !errors.Is(err, image.ErrNotFound) {
		t.Errorf("an image came of it: %v", err)
	}
	g.expectNoReservations()
}

func TestUploadHealsWhatWasLost(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	g.add(picture(g.anna, "lost"))
	exec(t, g.db, `UPDATE blobs SET lost_at = now()`)
	if _, created, err := g.upload(picture(g.anna, "lost"), false); err != nil || created {
		t.Errorf("created %v, %v", created, err)
	}
	if n := queryInt(t, g.db, `SELECT count(*) FROM blobs WHERE lost_at IS NOT NULL`); n != 0 {
		t.Error("the blob counts as lost still")
	}
}

func TestUpdateImage(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	img := g.add(picture(g.anna, "before"))
	title, name, private := "A title", "other.png", image.Private
	got, err := g.UpdateImage(t.Context(), g.anna.ID, img.ID, image.Patch{
		Title: &title, Filename: &name, Visibility: &private, IfRevision: func(r int64) bool { return r == 1 },
	})
	if err != nil || got.Title != title || got.Filename != name || got.Visibility != private || got.Description != "" || got.Revision != 2 || got.UpdatedAt.Equal(img.UpdatedAt) {
		t.Errorf("%+v, %v", got, err)
	}
	for what, want := range map[string]struct {
		account, id string
		patch       image.Patch
		err         error
	}{
		"changed meanwhile": {g.anna.ID, img.ID, image.Patch{IfRevision: func(r int64) bool { return r == 1 }}, image.ErrChanged},
		"somebody else's":   {g.bert.ID, img.ID, image.Patch{Title: &title}, image.ErrNotFound},
		"never there":       {g.anna.ID, token.ID(), image.Patch{Title: &title}, image.ErrNotFound},
	} {
		if _, err := g.UpdateImage(t.Context(), want.account, want.id, want.patch); !errors.Is(err, want.err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := g.DeleteImages(t.Context(), g.anna.ID, []string{img.ID}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := g.UpdateImage(t.Context(), g.anna.ID, img.ID, image.Patch{Title: &title}); !errors.Is(err, image.ErrGone) {
		t.Errorf("deleted: %v", err)
	}
}

func TestDeleteImages(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	one, two, bs := g.add(picture(g.anna, "one")), g.add(picture(g.anna, "three")), g.add(picture(g.bert, "two"))
	never := func(int64) bool { return false }
	if _, err := g.DeleteImages(t.Context(), g.anna.ID, []string{one.ID}, never); !errors.Is(err, image.ErrChanged) {
		t.Errorf("changed meanwhile: %v", err)
	}
	g.expectUsage(g.anna, 8, 2)
	ids := []string{two.ID, bs.ID, one.ID, one.ID, token.ID()}
	deleted, err := g.DeleteImages(t.Context(), g.anna.ID, ids, nil)
	if err != nil || len(deleted) != 2 {
		t.Errorf("%d deleted, %v", len(deleted), err)
	}
	g.expectUsage(g.anna, 0, 0)
	g.expectUsage(g.bert, 3, 1)
	for _, img := range []image.Image{one, two} {
		if _, err := g.Image(t.Context(), img.ID); !errors.Is(err, image.ErrGone) {
			t.Errorf("a deleted one: %v", err)
		}
	}
	if _, err := g.Image(t.Context(), bs.ID); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
	if deleted, err = g.DeleteImages(t.Context(), g.anna.ID, ids, nil); err != nil || len(deleted) != 0 {
		t.Errorf("again: %d deleted, %v", len(deleted), err)
	}
}

func TestSetVisibility(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	one, two, bs := g.add(picture(g.anna, "1")), g.add(picture(g.anna, "22")), g.add(picture(g.bert, "333"))
	changed, err := g.SetVisibility(t.Context(), g.anna.ID, []string{one.ID, bs.ID, two.ID, token.ID()}, image.Public)
	slices.Sort(changed)
	want := []string{one.ID, two.ID}
	slices.Sort(want)
	if err != nil || !slices.Equal(changed, want) {
		t.Errorf("%v, %v", changed, err)
	}
	if img, err := g.Image(t.Context(), one.ID); err != nil || img.Visibility != image.Public || img.Revision != 2 {
		t.Errorf("%+v, %v", img, err)
	}
	if img, err := g.Image(t.Context(), bs.ID); err != nil || img.Visibility != image.Unlisted || img.Revision != 1 {
		t.Errorf("somebody else's: %+v, %v", img, err)
	}
}

// A name as long and as strange as it may be passes through a list's position and back.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	g := newGallery(t)
	names := []string{"100%.png", `back\slash.png`, "under_score.png", "ПРИВЕТ.png", "İstanbul.png", strings.Repeat("Ж", image.MaxFilename), "a.png", "Ä.png"}
	for i, name := range names {
		img := picture(g.anna, fmt.Sprint(i))
		img.Filename = name
		g.add(img)
	}
	var seen []string
	q := image.Query{AccountID: g.anna.ID, Sort: image.ByName, Limit: 1}
	for range len(names) + 1 {
		page, err := g.Images(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, img := range page {
			seen = append(seen, img.Filename)
			after := image.PositionOf(img)
			q.After = &after
		}
	}
	slices.Sort(seen)
	want := slices.Sorted(slices.Values(names))
	if !slices.Equal(seen, want) {
		t.Errorf("the pages have %q, want %q", seen, want)
	}
	for text, want := range map[string]int{
		"%": 1, `\`: 1, "_": 1, "100%": 1, "привет": 1, "ПРИВЕТ": 1, "Привет": 1, "ä.PNG": 1, "İSTAN": 1, "ж": 1, ".png": 7, "nothing": 0,
	} {
		page, err := g.Images(t.Context(), image.Query{AccountID: g.anna.ID, Sort: image.ByCreated, Text: text, Limit: 100})
		if err != nil || len(page) != want {
			t.Errorf("%q is in %d names, want %d (%v)", text, len(page), want, err)
		}
	}
}
