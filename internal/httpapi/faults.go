package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/kadr-app/kadr/gen/server"
)

// invalid is a 400 that names each fault.
func invalid(faults []server.FieldError) *problem {
	return &problem{status: http.StatusBadRequest, code: "invalid_request", detail: "The request does not keep to the contract.", errors: faults}
}

// bodyFault is a 400 about the body as a whole.
func bodyFault(code, detail string) error {
	return invalid([]server.FieldError{newFault(server.Body, "", nil, code, detail)})
}

// translateValidation puts what the validator found into words of our own: its text repeats values and names its insides.
func translateValidation(err error) error {
	var faults []server.FieldError
	var walk func(err error, in server.FieldErrorIn, parameter string)
	walk = func(err error, in server.FieldErrorIn, parameter string) {
		switch e := err.(type) { //nolint:errorlint // walks the tree itself, level by level
		case openapi3.MultiError:
			for _, one := range e {
				walk(one, in, parameter)
			}
		case *openapi3filter.RequestError:
			if e.Parameter != nil {
				in, parameter = server.FieldErrorIn(e.Parameter.In), e.Parameter.Name
			}
			if e.Err == nil {
				faults = append(faults, newFault(in, parameter, nil, "invalid", "This is not valid."))
				return
			}
			walk(e.Err, in, parameter)
		case *openapi3.SchemaError:
			faults = append(faults, schemaFaults(e, in, parameter)...)
		default:
			switch {
			case errors.Is(err, openapi3filter.ErrInvalidRequired):
				faults = append(faults, newFault(in, parameter, nil, "required", "This is required."))
			default:
				var parse *openapi3filter.ParseError
				if errors.As(err, &parse) {
					faults = append(faults, newFault(in, parameter, nil, "type", "This is not a value of the right type."))
					return
				}
				faults = append(faults, newFault(in, parameter, nil, "invalid", "This is not valid."))
			}
		}
	}
	walk(err, server.Body, "")
	return invalid(oneForEachPlace(faults))
}

// oneForEachPlace keeps the first fault of each value: one that is empty, say, does not have the right form either, and
// nobody is helped by hearing that too.
func oneForEachPlace(faults []server.FieldError) []server.FieldError {
	type place struct {
		in   server.FieldErrorIn
		name string
	}
	seen := map[place]bool{}
	return slices.DeleteFunc(faults, func(f server.FieldError) bool {
		at := place{in: f.In}
		for _, name := range []*string{f.Pointer, f.Parameter} {
			if name != nil {
				at.name = *name
			}
		}
		again := seen[at]
		seen[at] = true
		return again
	})
}

func newFault(in server.FieldErrorIn, parameter string, path []string, code, detail string) server.FieldError {
	f := server.FieldError{In: in, Code: code, Detail: detail}
	if in == server.Body {
		pointer := jsonPointer(path)
		f.Pointer = &pointer
	} else {
		f.Parameter = &parameter
	}
	return f
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// jsonPointer writes a path as RFC 6901 does.
func jsonPointer(path []string) string {
	var b strings.Builder
	for _, key := range path {
		b.WriteByte('/')
		b.WriteString(pointerEscapes.Replace(printable(key, 100)))
	}
	return b.String()
}

// printable shortens what a stranger wrote and takes out of it what cannot be seen.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if runes := []rune(s); len(runes) > limit {
		s = string(runes[:limit])
	}
	return s
}

var noNUL = regexp.MustCompile(`^\^\[\^\\u0000`)

// schemaFaults says in words what a schema's keyword refused.
func schemaFaults(e *openapi3.SchemaError, in server.FieldErrorIn, parameter string) []server.FieldError {
	path := e.JSONPointer()
	schema := e.Schema
	one := func(code, format string, args ...any) []server.FieldError {
		return []server.FieldError{newFault(in, parameter, path, code, fmt.Sprintf(format, args...))}
	}
	switch e.SchemaField {
	case "required":
		return one("required", "This is required.")
	case "properties", "additionalProperties":
		object, _ := e.Value.(map[string]any)
		var faults []server.FieldError
		for name := range object {
			if _, known := schema.Properties[name]; !known {
				faults = append(faults, newFault(in, parameter, append(slices.Clone(path), name), "unknown_field", "There is no such field."))
			}
		}
		slices.SortFunc(faults, func(a, b server.FieldError) int { return strings.Compare(*a.Pointer, *b.Pointer) })
		return faults
	case "type":
		return one("type", "This must be %s.", typeName(schema))
	case "nullable":
		return one("type", "This must not be null.")
	case "enum":
		values := make([]string, len(schema.Enum))
		for i, v := range schema.Enum {
			values[i] = fmt.Sprint(v)
		}
		return one("enum", "This must be %s.", orList(values))
	case "minLength":
		return one("min_length", "This must have at least %s.", count(schema.MinLength, "character"))
	case "maxLength":
		return one("max_length", "This must have at most %s.", count(*schema.MaxLength, "character"))
	case "minItems":
		return one("min_items", "This must have at least %s.", count(schema.MinItems, "item"))
	case "maxItems":
		return one("max_items", "This must have at most %s.", count(*schema.MaxItems, "item"))
	case "uniqueItems":
		return one("unique_items", "Nothing may be in it twice.")
	case "minProperties":
		return one("min_properties", "This must say at least one thing.")
	case "minimum":
		return one("minimum", "This must be at least %s.", strconv.FormatFloat(*schema.Min, 'f', -1, 64))
	case "maximum":
		return one("maximum", "This must be at most %s.", strconv.FormatFloat(*schema.Max, 'f', -1, 64))
	case "multipleOf":
		return one("multiple_of", "This must be a multiple of %s.", strconv.FormatFloat(*schema.MultipleOf, 'f', -1, 64))
	case "pattern":
		if example, ok := schema.Example.(string); ok && !noNUL.MatchString(schema.Pattern) {
			return one("pattern", "This does not have the right form. An example: %s", example)
		}
		return one("pattern", "This has characters that are not allowed here.")
	case "format":
		return one("format", "This must be %s.", formatName(schema.Format))
	}
	return one("invalid", "This is not valid.")
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
}

func typeName(schema *openapi3.Schema) string {
	switch {
	case schema.Type.Is("string"):
		return "text"
	case schema.Type.Is("integer"):
		return "a whole number"
	case schema.Type.Is("number"):
		return "a number"
	case schema.Type.Is("boolean"):
		return "true or false"
	case schema.Type.Is("array"):
		return "a list"
	case schema.Type.Is("object"):
		return "an object"
	}
	return "of another type"
}

func formatName(format string) string {
	switch format {
	case "date-time":
		return "a time such as 2026-11-23T10:00:00Z (RFC 3339)"
	case "int32", "int64":
		return "a whole number"
	}
	return "of the format " + format
}

func orList(words []string) string { return list(words, "or") }

func andList(words []string) string { return list(words, "and") }

func list(words []string, last string) string {
	if len(words) <= 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
