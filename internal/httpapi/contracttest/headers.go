package contracttest

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// rule is what a header may say that the contract does not declare for each reply.
type rule struct {
	value  *regexp.Regexp
	needed bool // in every reply
}

// headersEverywhere are those that are not part of the contract: HTTP's own, which its libraries deal with, and those that
// speak to browsers alone. No client has to read them, and they have the same few values in all replies. A reply that says
// something else with one of these names has to be declared.
func headersEverywhere() map[string]rule {
	optional := func(pattern string) rule { return rule{value: regexp.MustCompile("^(?:" + pattern + ")$")} }
	needed := func(pattern string) rule { r := optional(pattern); r.needed = true; return r }
	return map[string]rule{
		// HTTP's own (RFC 9110 to 9112).
		"Date":           needed(".+ GMT"),
		"Content-Length": optional("[0-9]+"),
		"Content-Type":   optional(".+"), // it is looked at with the body
		"Connection":     optional("close|keep-alive"),
		"Vary":           optional("(?:Accept|Accept-Encoding|Authorization|Cookie|Origin)(?:, (?:Accept|Accept-Encoding|Authorization|Cookie|Origin))*"),
		"Cache-Control":  optional("no-store"), // what may be kept is declared
		// What keeps a browser from taking a reply for a page.
		"X-Content-Type-Options":  needed("nosniff"),
		"Referrer-Policy":         needed("same-origin"),
		"Content-Security-Policy": needed("default-src 'none'; .+"),
		// What an instance tells a browser of the way to it.
		"Server":                    optional("nginx"),
		"Strict-Transport-Security": optional("max-age=31536000"),
		"Alt-Svc":                   optional(`h3=":\d+"; ma=\d+`),
	}
}

// forPages are the headers by which a browser lets another site's page read a reply: that of an origin that the instance
// lists, and every page where pictures and embeds are, also why there is none.
func forPages(name, value, origin, path string) bool {
	open := strings.HasPrefix(path, "/i/") || path == "/oembed"
	switch name {
	case "Access-Control-Allow-Origin":
		return origin != "" && value == origin || open && value == "*"
	case "Cross-Origin-Resource-Policy":
		return open && value == "cross-origin"
	case "Access-Control-Allow-Credentials":
		return origin != "" && value == "true"
	case "Access-Control-Expose-Headers":
		return origin != ""
	}
	return false
}

// checkHeaders holds each of a reply's headers against what its status declares.
func (c *Checker) checkHeaders(x *exchange, declared *openapi3.Response) (faults []error) {
	schemas := map[string]*openapi3.Header{}
	for name, ref := range declared.Headers {
		name = http.CanonicalHeaderKey(name)
		schemas[name] = ref.Value
		if ref.Value.Required && len(x.reply.Header[name]) == 0 {
			faults = append(faults, fmt.Errorf("the header %s is missing", name))
		}
	}
	for name, rule := range c.everywhere {
		if rule.needed && len(x.reply.Header[name]) == 0 {
			faults = append(faults, fmt.Errorf("the header %s is missing", name))
		}
	}
	for name, lines := range x.reply.Header {
		if len(lines) > 1 && name != "Set-Cookie" && name != "Vary" {
			faults = append(faults, fmt.Errorf("the header %s comes %d times: %q", name, len(lines), lines))
		}
		for _, line := range lines {
			if rule, ok := c.everywhere[name]; ok && rule.value.MatchString(line) || forPages(name, line, x.request.Header.Get("Origin"), x.request.URL.Path) {
				continue
			}
			header := schemas[name]
			if header == nil {
				faults = append(faults, fmt.Errorf("the header %s: %s", name, line))
			} else if err := checkValue(header.Schema.Value, line); err != nil {
				faults = append(faults, fmt.Errorf("the header %s: %q: %w", name, line, err))
			}
		}
	}
	return faults
}

// checkValue holds a header's line against its schema.
func checkValue(schema *openapi3.Schema, line string) error {
	var value any = line
	if schema.Type.Is("integer") {
		n, err := strconv.ParseInt(line, 10, 64)
		if err != nil {
			return errors.New("it is no whole number")
		}
		value = float64(n)
	}
	if strings.TrimSpace(line) == "" {
		return errors.New("it is empty")
	}
	return schema.VisitJSON(value, openapi3.VisitAsResponse(), openapi3.MultiErrors())
}
