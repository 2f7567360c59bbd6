package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// report prints what failed and then the table, and says whether all held. An operation that never accepted a valid request
// counts as failed, for then little of it was seen.
func report(visits []visit) (held bool, err error) {
	held = true
	for _, v := range visits {
		if v.failed {
			held = false
			fmt.Printf("== as %s\n%s\n", v.visitor, v.failures())
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "visitor\toperations\taccepted by\tcases\tseconds\tfailures")
	never, cases := map[string]bool{}, 0
	for _, v := range visits {
		for operation := range v.outcome.ValidRates {
			never[operation] = true
		}
	}
	for _, v := range visits {
		o, accepted := v.outcome, 0
		for operation := range o.ValidRates {
			if o.accepted(operation) {
				accepted++
				delete(never, operation)
			}
		}
		cases += o.TestCases.Generated
		_, _ = fmt.Fprintf(table, "%s\t%d of %d\t%d\t%d\t%.0f\t%d\n", v.visitor, o.Operations.Tested, o.Operations.Total, accepted,
			o.TestCases.Generated, o.RunningTime, o.TestCases.Failures)
	}
	_, _ = fmt.Fprintf(table, "together\t\t\t%d\n", cases)
	err = table.Flush()
	for _, v := range visits {
		if left := v.outcome.Operations.Total - v.outcome.Operations.Tested; left > 0 {
			held = false
			fmt.Printf("%d operations were left out as %s\n", left, v.visitor)
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(never)) {
		held = false
		fmt.Println("no visitor ever got a valid request accepted by", operation)
	}
	return held, err
}

// failures is what Schemathesis says between its progress and its summary.
func (v visit) failures() string {
	const heading, next = " FAILURES ===", "= SUMMARY ="
	from := max(strings.Index(v.said, heading), 0)
	if i := strings.Index(v.said, " ERRORS ==="); i >= 0 && (from == 0 || i < from) {
		from = i
	}
	said := v.said[from:]
	for _, end := range []string{"= WARNINGS =", next} {
		if i := strings.Index(said, end); i >= 0 {
			said = said[:i]
		}
	}
	var lines []string
	for line := range strings.Lines(said) {
		if len(line) > 1500 { // a picture in a curl
			line = line[:1500] + "…\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}
