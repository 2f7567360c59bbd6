package app_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// observability is the folder of what is deployed beside an instance to watch it.
var observability = filepath.Join("..", "..", "deploy", "observability")

// query is an expression of the dashboard or of an alert.
type query struct {
	where, expr string
	legend      string // the dashboard's, with {{label}} in it
}

func dashboardQueries(t *testing.T) (all []query) {
	t.Helper()
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	text, err := os.ReadFile(filepath.Join(observability, "grafana", "dashboards", "kadr.json"))
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, v := range dashboard.Templating.List {
		metric, ok := strings.CutPrefix(v.Definition, "label_values(")
		if metric, _, _ = strings.Cut(metric, ","); !ok {
			t.Errorf("the variable %s is %q", v.Name, v.Definition)
		}
		all = append(all, query{where: "the variable " + v.Name, expr: metric})
	}
	for i, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		g := p.GridPos
		for _, other := range dashboard.Panels[:i] {
			o := other.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("%s lies over %s", p.Title, other.Title)
			}
		}
		if g.X+g.W > 24 {
			t.Errorf("%s is too wide", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, query{where: "the panel " + p.Title, expr: target.Expr, legend: target.LegendFormat})
		}
	}
	return all
}

func alertQueries(t *testing.T) (all []query) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	readYAML(t, "alerts.yml", &rules)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("the alert %s does not say how bad it is, and what it is", r.Alert)
			}
			all = append(all, query{where: "the alert " + r.Alert, expr: r.Expr})
		}
	}
	return all
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(observability, name))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Every metric and label that the dashboard and the alerts ask for is there, and every metric that is there is asked for.
func TestDashboardAndAlertsMatchTheMetrics(t *testing.T) {
	t.Parallel()
	env := settings(t, "KADR_METRICS_LISTEN=127.0.0.1:0")
	a := boot(t, env)
	tour(t, newClients(t, env, a.Addr().String(), 1)[0])
	c := checkedMetrics{families: metricsOf(t, a), used: map[string]bool{}}
	queries := append(dashboardQueries(t), alertQueries(t)...)
	if len(queries) < 60 {
		t.Fatalf("there are only %d queries", len(queries))
	}
	for _, q := range queries {
		c.check(t, q)
	}
	for _, name := range slices.Sorted(maps.Keys(c.families)) {
		if strings.HasPrefix(name, "kadr_") && !c.used[name] {
			t.Errorf("nobody looks at %s", name)
		}
	}
}

// What is wrong in a query is found.
func TestQueriesThatDoNotMatch(t *testing.T) {
	t.Parallel()
	name, label, value := "kadr_uploads_total", "outcome", "created"
	count := 1.0
	c := checkedMetrics{used: map[string]bool{}, families: map[string]*dto.MetricFamily{name: {
		Name: &name, Type: dto.MetricType_COUNTER.Enum(),
		Metric: []*dto.Metric{{Label: []*dto.LabelPair{{Name: &label, Value: &value}}, Counter: &dto.Counter{Value: &count}}},
	}}}
	for _, good := range []query{
		{expr: `sum by (outcome) (rate(kadr_uploads_total{instance=~"$instance"}[$__rate_interval]))`, legend: "{{outcome}}"},
		{expr: `kadr_uploads_total{outcome="created"} / on (instance) up{job="kadr"}`, legend: "{{instance}}"},
	} {
		if faults := c.faults(good); len(faults) > 0 {
			t.Errorf("%s: %v", good.expr, faults)
		}
	}
	for _, bad := range []query{
		{expr: `sum(rate(kadr_uploads_total[5m])`},
		{expr: `kadr_upload_total`},
		{expr: `kadr_uploads_total_bucket`},
		{expr: `kadr_uploads_total{result="created"}`},
		{expr: `kadr_uploads_total{outcome="made"}`},
		{expr: `kadr_uploads_total{outcome=~"made|stored"}`},
		{expr: `sum by (status) (kadr_uploads_total)`},
		{expr: `kadr_uploads_total / on (status) up`},
		{expr: `kadr_uploads_total{instance=~"$other"}`},
		{expr: `sum by (outcome) (kadr_uploads_total)`, legend: "{{instance}}"},
	} {
		if len(c.faults(bad)) == 0 {
			t.Errorf("nothing is wrong with %s (%s)", bad.expr, bad.legend)
		}
	}
}

// checkedMetrics are what an instance shows, and which of it was asked for.
type checkedMetrics struct {
	families map[string]*dto.MetricFamily
	used     map[string]bool
}

func (c checkedMetrics) check(t *testing.T, q query) {
	t.Helper()
	for _, fault := range c.faults(q) {
		t.Errorf("%s: %s in %s", q.where, fault, q.expr)
	}
}

// series are the labels that a metric has, with the values that were seen.
type series map[string][]string

// find returns what a selector may ask of; nil when there is no such metric.
func (c checkedMetrics) find(name string) (series, string) {
	if name == "up" { // Prometheus' own
		return series{"job": {"kadr"}, "instance": nil}, name
	}
	family, base := c.families[name], name
	all := series{"job": {"kadr"}, "instance": nil}
	if family == nil {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if b, ok := strings.CutSuffix(name, suffix); ok && c.families[b].GetType() == dto.MetricType_HISTOGRAM && c.families[b] != nil {
				family, base = c.families[b], b
				if suffix == "_bucket" {
					all["le"] = nil
				}
			}
		}
	}
	if family == nil {
		return nil, ""
	}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			all[l.GetName()] = append(all[l.GetName()], l.GetValue())
		}
	}
	return all, base
}

var (
	legendLabel = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
	// variables are those that Grafana fills in.
	variables = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
)

func (c checkedMetrics) faults(q query) (faults []string) {
	fault := func(parts ...string) { faults = append(faults, strings.Join(parts, " ")) }
	text := variables.Replace(q.expr)
	if strings.Contains(text, "$") {
		fault("an unknown variable")
	}
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return append(faults, err.Error())
	}
	known, grouped := map[string]bool{}, map[string]bool{}
	aggregates := false
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		selector, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		found, base := c.find(selector.Name)
		if found == nil {
			fault("no metric", selector.Name)
			return nil
		}
		c.used[base] = true
		for name := range found {
			known[name] = true
		}
		for _, m := range selector.LabelMatchers {
			values, has := found[m.Name]
			switch {
			case m.Name == model.MetricNameLabel:
			case !has:
				fault("no label", m.Name, "of", selector.Name)
			case m.Name != "status" && values != nil && !slices.ContainsFunc(values, m.Matches): // not every status is on the tour
				fault("nothing with", m.String(), "of", selector.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		var names []string
		switch n := n.(type) {
		case *parser.AggregateExpr:
			aggregates, names = true, n.Grouping
			for _, name := range names {
				grouped[name] = true
			}
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				names = n.VectorMatching.MatchingLabels
			}
		}
		for _, name := range names {
			if !known[name] {
				fault("no label", name)
			}
		}
		return nil
	})
	for _, match := range legendLabel.FindAllStringSubmatch(q.legend, -1) {
		if name := match[1]; aggregates && !grouped[name] || !known[name] {
			fault("no label", name, "for the legend")
		}
	}
	return faults
}
