package httpapi

import (
	"bytes"
	"cmp"
	_ "embed" // for the template
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/gen/server"
	"github.com/kadr-app/kadr/internal/account"
	"github.com/kadr-app/kadr/internal/apperr"
	"github.com/kadr-app/kadr/internal/image"
	"github.com/kadr-app/kadr/internal/imaging"
	"github.com/kadr-app/kadr/internal/token"
)

// shell is index.html, the one page of the frontend, in the parts between which a page says what it is: to crawlers and chats
// in its head, and to its own script in a data block, which then needs no second request.
type shell struct {
	start, middle, end []byte
	head               *template.Template
	base               string
	modules            map[string][]string // by the page's own
}

//go:embed head.html
var headHTML string

func newShell(files map[string]*page, base string) (shell, error) {
	start, rest, ok1 := bytes.Cut(files["index.html"].body, []byte("<!--head-->"))
	_, rest, ok2 := bytes.Cut(rest, []byte("<!--/head-->"))
	middle, end, ok3 := bytes.Cut(rest, []byte("</head>"))
	if !ok1 || !ok2 || !ok3 {
		return shell{}, errors.New("index.html lacks <!--head-->, <!--/head--> or </head>, in this order")
	}
	head, err := template.New("head").Parse(strings.TrimSpace(headHTML))
	if err != nil {
		return shell{}, fmt.Errorf("the template of the head: %w", err)
	}
	modules := map[string][]string{}
	for _, name := range []string{"home", "pictures", "picture", "person", "settings", "sign-in", "message"} {
		modules[name] = modulesOf(files, name)
	}
	return shell{start: start, middle: middle, end: end, head: head, base: base, modules: modules}, nil
}

// head is what a page says of itself.
type head struct {
	Title, Description string
	URL                string // the canonical one
	Kind               string // Open Graph's type; empty where other sites are told nothing
	Hidden             bool   // from search engines
	Pictures           []shownPicture
	Embed              string            // the oEmbed address, but for the format
	Preload            template.HTMLAttr // of what the page shows first
	Module             string            // the script of the page's own
}

// Site is what the site is called.
func (head) Site() string { return siteName }

// shownPicture is a picture for other sites to show.
type shownPicture struct {
	URL, MediaType, Alt string
	Width, Height       int
}

// pageData is the data block.
type pageData struct {
	Status    int           `json:"status"`
	RequestID string        `json:"request_id,omitempty"` // of what went wrong; a page that is well does not change with each request
	Image     *server.Image `json:"image,omitempty"`
	// Visitor says that no session's cookie came, so that the script, which cannot see cookies, need not ask who is signed in.
	Visitor bool `json:"visitor,omitempty"`
}

// render writes a page. Without data there is no data block.
func (sh shell) render(h head, data *pageData) ([]byte, error) {
	var b bytes.Buffer
	b.Write(sh.start)
	if err := sh.head.Execute(&b, h); err != nil {
		return nil, fmt.Errorf("render a page: %w", err)
	}
	b.Write(sh.middle)
	for _, name := range sh.modules[h.Module] { // after the style sheets, which are needed first
		fmt.Fprintf(&b, "  <link rel=\"modulepreload\" href=\"/%s\">\n", name)
	}
	if data != nil {
		block, err := json.Marshal(data) // which writes <, > and & as escapes
		if err != nil {
			return nil, fmt.Errorf("write a page's data: %w", err)
		}
		fmt.Fprintf(&b, "  <script type=\"application/json\" id=\"kadr-data\">%s</script>\n", block)
	}
	b.WriteString("</head>")
	b.Write(sh.end)
	return b.Bytes(), nil
}

// fixedPages are those that are the same for everybody. What they are called before their script has chosen a language is
// English.
func fixedPages() map[string]head {
	return map[string]head{
		"/": {
			Title: siteName, Description: "Kadr keeps your pictures and gives each one a permanent direct link.", Kind: "website", Module: "home",
		},
		"/pictures": {Title: "My pictures", Hidden: true, Module: "pictures"},
		"/settings": {Title: "Settings", Hidden: true, Module: "settings"},
		"/sign-in":  {Title: "Sign in", Hidden: true, Module: "sign-in"},
		"/register": {Title: "Register", Hidden: true, Module: "sign-in"},
	}
}

func (s *Server) sendPage(c echo.Context, status int, h head, data pageData, cache string) error {
	data.Visitor = s.isVisitor(c.Request())
	body, err := s.pages.shell.render(h, &data)
	if err != nil {
		return err
	}
	return s.pages.send(c, status, s.pages.newPage(body, htmlType), cache)
}

// picturePage is a picture's page. Who may see the picture sees it: a private one its owner alone, by a session.
func (s *Server) picturePage(c echo.Context) error {
	ctx, id := c.Request().Context(), c.Param("id")
	if !token.IsID(id) {
		return image.ErrNotFound
	}
	l := s.login(c.Request())
	if l.err != nil && apperr.KindOf(l.err) != apperr.Unauthenticated {
		return l.err
	}
	viewer := ""
	if l.principal.SessionID != "" {
		viewer = l.principal.AccountID
	}
	img, err := s.images.Get(ctx, viewer, id)
	if err != nil {
		return err
	}
	shown, cache := s.toAPIImage(img), cacheChecked
	if img.Visibility == image.Private {
		cache = "private, " + cacheNever
	}
	return s.sendPage(c, http.StatusOK, s.pictureHead(img, shown), pageData{Status: http.StatusOK, Image: &shown}, cache)
}

func (s *Server) pictureHead(img image.Image, shown server.Image) head {
	h := head{
		Title: nameOf(img), Description: excerpt(img.Description), URL: s.pictureURL(img.ID),
		Hidden: img.Visibility != image.Public, Preload: preload(shown), Module: "picture",
	}
	if h.Description == "" {
		h.Description = fmt.Sprintf("%d × %d, by %s on %s.", img.Width, img.Height, img.AccountName, siteName)
	}
	if img.Visibility != image.Private { // nobody but its owner could follow the links
		h.Kind, h.Pictures = "website", s.shownPictures(img)
		h.Embed = s.cfg.BaseURL + "/oembed?url=" + url.QueryEscape(h.URL)
	}
	return h
}

// excerpt is the beginning of a text, on one line: what others show of it is no longer.
func excerpt(text string) string {
	const longest = 300 // characters
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		text = strings.TrimSpace(string(runes[:longest-1])) + "…"
	}
	return text
}

// personPage is the page of somebody's public pictures.
func (s *Server) personPage(c echo.Context) error {
	name := c.Param("name")
	if account.ValidateName(name) != nil {
		return account.ErrNotFound
	}
	newest, err := s.images.Feed(c.Request().Context(), image.FeedQuery{AccountName: name, Limit: 1})
	if err != nil {
		return err
	}
	h := head{
		Title: name, Description: fmt.Sprintf("Pictures by %s on %s.", name, siteName), URL: s.personURL(name), Kind: "profile",
		Module: "person",
	}
	for _, img := range newest {
		h.Pictures = s.shownPictures(img)
	}
	return s.sendPage(c, http.StatusOK, h, pageData{Status: http.StatusOK}, cacheChecked)
}

const (
	// shownWidth is the width of the pictures that chats and networks show of a page, at most. They make it smaller themselves.
	shownWidth = 1280
	// shownHeight bounds what is narrow and long.
	shownHeight = 4096
	// shownMoving is the most that what moves may weigh to be shown so; X takes no more, and others give up too.
	shownMoving = 5_000_000
)

// shownPictures are what other sites may show of a picture, the best first, since most take that one alone: a GIF that moves,
// where it is not too heavy, and a still that everything shows.
func (s *Server) shownPictures(img image.Image) []shownPicture {
	var all []shownPicture
	add := func(format imaging.Format, width, height int) {
		e, err := s.embedded(img, format, width, height)
		if err != nil {
			return // this instance cannot make it
		}
		all = append(all, shownPicture{
			URL: e.url, MediaType: e.format.MediaType(), Width: e.width, Height: e.height, Alt: cmp.Or(excerpt(img.Description), nameOf(img)),
		})
	}
	if img.Format == imaging.GIF && img.Frames > 1 && img.Size <= shownMoving {
		add(imaging.GIF, img.Width, img.Height)
	}
	add(img.StillFormat(), shownWidth, shownHeight)
	return all
}

// preload names the files of which the page shows one first, as its script does: the WebP variants and, where browsers show
// that, the picture itself.
func preload(shown server.Image) template.HTMLAttr {
	var candidates []string
	for _, v := range *shown.Variants {
		if v.MediaType == "image/webp" {
			candidates = append(candidates, fmt.Sprintf("%s %dw", v.URL, v.Width))
		}
	}
	if len(candidates) == 0 {
		return template.HTMLAttr(`href="` + template.HTMLEscapeString(shown.URL) + `"`) //nolint:gosec // escaped
	}
	if shown.MediaType != "image/heic" && shown.MediaType != "image/tiff" {
		candidates = append(candidates, fmt.Sprintf("%s %dw", shown.URL, shown.Width))
	}
	return template.HTMLAttr(`imagesizes="100vw" imagesrcset="` + //nolint:gosec // escaped
		template.HTMLEscapeString(strings.Join(candidates, ", ")) + `"`)
}

// wantsPage tells whether a request that failed is answered with a page: where there is one, or might be for a person. What is
// in the contract, and whatever lies below /api/ and /i/, is for programs.
func (s *Server) wantsPage(c echo.Context) bool {
	req := c.Request()
	if req.Method != http.MethodGet {
		return false
	}
	if isPage(c.Path()) {
		return true
	}
	return c.Path() == "/*" && !strings.HasPrefix(req.URL.Path, "/api/") && !strings.HasPrefix(req.URL.Path, "/i/") &&
		strings.Contains(req.Header.Get("Accept"), "text/html")
}

// sendFault sends the page that says what went wrong.
func (s *Server) sendFault(c echo.Context, p *problem) error {
	data := pageData{Status: p.status, RequestID: requestID(c.Request().Context())}
	return s.sendPage(c, p.status, head{Title: titleOf(p.status), Hidden: true, Module: "message"}, data, cacheNever)
}
