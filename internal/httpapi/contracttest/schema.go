package contracttest

import (
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
)

// undeclared walks a value along the schemas that describe it, and returns the members that none of them has. JSON Schema
// would say unevaluatedProperties, which OpenAPI 3.0 does not have.
func undeclared(at string, value any, schemas ...*openapi3.Schema) (faults []error) {
	var all []*openapi3.Schema
	for _, s := range schemas {
		all = append(all, applying(s, value)...)
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			var below []*openapi3.Schema
			open := false
			for _, s := range all {
				if p := s.Properties[name]; p != nil {
					below = append(below, p.Value)
				} else if p := s.AdditionalProperties.Schema; p != nil {
					below = append(below, p.Value)
				}
				open = open || s.AdditionalProperties.Has != nil && *s.AdditionalProperties.Has
			}
			if len(below) == 0 && !open {
				faults = append(faults, fmt.Errorf("the member %s/%s", at, name))
			}
			if len(below) > 0 {
				faults = append(faults, undeclared(at+"/"+name, member, below...)...)
			}
		}
	case []any:
		var below []*openapi3.Schema
		for _, s := range all {
			if s.Items != nil {
				below = append(below, s.Items.Value)
			}
		}
		for i, item := range value {
			faults = append(faults, undeclared(fmt.Sprint(at, "/", i), item, below...)...)
		}
	}
	return faults
}

// applying is a schema and those in it that describe the same value.
func applying(s *openapi3.Schema, value any) []*openapi3.Schema {
	all := []*openapi3.Schema{s}
	for _, part := range s.AllOf {
		all = append(all, applying(part.Value, value)...)
	}
	for _, choice := range append(append(openapi3.SchemaRefs{}, s.OneOf...), s.AnyOf...) {
		if choice.Value.VisitJSON(value) == nil {
			all = append(all, applying(choice.Value, value)...)
		}
	}
	return all
}
