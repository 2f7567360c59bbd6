package variant

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/kadr-app/kadr/internal/apperr"
)

// Presets are shapes with a name, which an instance's settings give and anybody may ask for.
type Presets map[string]Params

var presetName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// ParsePresets reads "avatar:w=128&h=128&fit=cover banner:w=1600": names and queries, separated by spaces.
func ParsePresets(text string) (Presets, error) {
	presets := Presets{}
	for _, entry := range strings.Fields(text) {
		name, query, ok := strings.Cut(entry, ":")
		if !ok || !presetName.MatchString(name) {
			return nil, fmt.Errorf("%q is not a name, a colon and a query", entry)
		}
		q, err := url.ParseQuery(query)
		if err != nil {
			return nil, fmt.Errorf("%s: the query is not well formed", name)
		}
		for parameter, values := range q {
			if !slices.Contains(parameterNames(), parameter) || parameter == "preset" || parameter == "dpr" || len(values) > 1 {
				return nil, fmt.Errorf("%s: %s cannot be part of a preset, or only once", name, parameter)
			}
		}
		p, err := ParseParams(q)
		if err == nil {
			err = p.Check()
		}
		var e *apperr.Error
		if errors.As(err, &e) {
			return nil, fmt.Errorf("%s: %s", name, e.Message)
		}
		if _, twice := presets[name]; twice || (p == Params{}) {
			return nil, fmt.Errorf("%s: is given twice, or shapes nothing", name)
		}
		presets[name] = p
	}
	return presets, nil
}

// Expand puts a preset's parameters in the place of its name. Errors are Invalid and name the parameter.
func (presets Presets) Expand(p Params) (Params, error) {
	if p.Preset == "" {
		return p, nil
	}
	if err := p.Check(); err != nil {
		return Params{}, err
	}
	expanded, ok := presets[p.Preset]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(presets)), ", ")
		text := "There is no such preset here."
		if known != "" {
			text += " These are: " + known + "."
		}
		return Params{}, apperr.New(apperr.Invalid, "unknown_preset", text).At("?preset")
	}
	expanded.DPR = p.DPR
	return expanded, expanded.Check()
}
