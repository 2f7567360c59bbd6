package httpapi

import (
	"bytes"
	_ "embed" // for the template
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kadr-app/kadr/api"
	"github.com/kadr-app/kadr/gen/server"
)

// The type of a problem document is the address of a page, which says what happened and what to do (RFC 9457 §3.1.1 asks for
// that). The texts are in api/problems.yaml. The pages are for people who write programs: in English, without a script, and to
// be read as they come in a terminal too.

//go:embed problems.html
var problemsHTML string

const (
	problemsPath = "/problems"
	problemPath  = "/problems/:code"
)

// problemPages are ready to be sent.
type problemPages struct {
	index, none *page
	byCode      map[string]*page
}

// problemView is what the template is given; without a code it is the index, or says that there is no such problem.
type problemView struct {
	Title, URL string
	Hidden     bool // from search engines
	Problem    *api.Problem
	Status     string // of the problem
	Example    template.HTML
	Groups     []problemGroup
}

// problemGroup is a part of the index.
type problemGroup struct {
	Title    string
	Note     string
	Problems []api.Problem
}

func newProblemPages(newPage func(body []byte, contentType string) *page, base string) (problemPages, error) {
	all, err := api.Problems()
	if err != nil {
		return problemPages{}, err
	}
	t, err := template.New("problems").Funcs(template.FuncMap{"text": markCode}).Parse(problemsHTML)
	if err != nil {
		return problemPages{}, fmt.Errorf("the template of the problems: %w", err)
	}
	var failed error
	render := func(v problemView) *page {
		var b bytes.Buffer
		if err := t.Execute(&b, v); err != nil && failed == nil {
			failed = fmt.Errorf("render the page of a problem: %w", err)
		}
		p := newPage(b.Bytes(), htmlType)
		p.alike = true
		return p
	}
	pages := problemPages{
		index:  render(problemView{Title: "Problems", URL: base + problemsPath, Groups: groupProblems(all)}),
		none:   render(problemView{Title: "There is no such problem", Hidden: true}),
		byCode: map[string]*page{},
	}
	for _, p := range all {
		example, err := exampleOf(p)
		if err != nil {
			return problemPages{}, err
		}
		pages.byCode[p.Code] = render(problemView{
			Title: p.Title, URL: base + problemsPath + "/" + p.Code, Problem: &p, Status: statusLine(p.Status), Example: example,
		})
	}
	return pages, failed
}

func statusLine(status int) string { return fmt.Sprintf("%d %s", status, titleOf(status)) }

// groupProblems puts what is only said of a part of a request apart, and the others under their statuses.
func groupProblems(all []api.Problem) (groups []problemGroup) {
	faults := problemGroup{
		Title: "In errors",
		Note:  "When a request does not keep to the contract (400), `errors` names each place that is at fault, with one of these codes.",
	}
	for _, p := range all {
		if p.Fault {
			faults.Problems = append(faults.Problems, p)
			continue
		}
		title := statusLine(p.Status)
		if len(groups) == 0 || groups[len(groups)-1].Title != title {
			groups = append(groups, problemGroup{Title: title})
		}
		last := &groups[len(groups)-1]
		last.Problems = append(last.Problems, p)
	}
	return append(groups, faults)
}

// exampleOf writes the document that a client gets.
func exampleOf(p api.Problem) (template.HTML, error) {
	doc := server.Problem{
		Type: problemsPath + "/" + p.Code, Title: titleOf(p.Status), Status: int32(p.Status), Detail: p.Detail,
		RequestID: "4f7c2kq5xw7mz",
	}
	if p.Fault {
		whole := invalid(nil)
		doc.Type, doc.Detail = problemsPath+"/"+whole.code, whole.detail
	}
	if p.At != nil {
		fault := server.FieldError{In: server.Body, Pointer: p.At, Code: p.Code, Detail: p.Detail}
		for prefix, in := range map[string]server.FieldErrorIn{"?": server.Query, "-": server.Header} {
			if name, ok := strings.CutPrefix(*p.At, prefix); ok {
				fault.In, fault.Pointer, fault.Parameter = in, nil, &name
			}
		}
		if fault.Parameter != nil && *fault.Parameter == "" {
			fault.Parameter = nil // the query as a whole
		}
		doc.Errors = &[]server.FieldError{fault}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return "", fmt.Errorf("write the example of %s: %w", p.Code, err)
	}
	// Quotes stay as they are, for those who read the page as it comes.
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(strings.TrimSpace(b.String()))
	return template.HTML(escaped), nil //nolint:gosec // escaped
}

// markCode makes markup of a text in which backticks set names and values apart.
func markCode(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(strings.TrimSpace(text), "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped
}

func (s *Server) problemIndex(c echo.Context) error {
	return s.pages.send(c, http.StatusOK, s.pages.problems.index, cacheChecked)
}

func (s *Server) problemPage(c echo.Context) error {
	if p := s.pages.problems.byCode[c.Param("code")]; p != nil {
		return s.pages.send(c, http.StatusOK, p, cacheChecked)
	}
	return s.pages.send(c, http.StatusNotFound, s.pages.problems.none, cacheNever)
}
