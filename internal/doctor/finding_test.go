package doctor_test

import (
	"strings"
	"testing"

	"github.com/kadr-app/kadr/internal/doctor"
)

func TestEveryFindingSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for _, kind := range []doctor.Kind{
		doctor.Missing, doctor.Lost, doctor.Damaged, doctor.FoundAgain, doctor.WrongSize, doctor.Unreferenced, doctor.Orphan,
		doctor.Stray, doctor.WrongUsage,
	} {
		f := doctor.Finding{
			Kind: kind, Path: "blobs/a", Account: "anna", Detail: "seen", References: 5,
			Images: []doctor.ImageRef{{"a", "anna"}, {"b", "bert"}, {"c", "cleo"}, {"d", "dora"}, {"e", "emil"}},
		}
		texts := []string{f.String()}
		if kind != doctor.Lost && kind != doctor.Stray {
			f.Repaired = true
			texts = append(texts, f.String())
		}
		for _, text := range texts {
			if !strings.HasPrefix(text, string(kind)+": ") || !strings.HasSuffix(text, ".") || strings.Contains(text, "..") ||
				strings.Contains(text, "\n") || len(text) < 60 {
				t.Errorf("%q", text)
			}
			if strings.Contains(text, "need it") && !strings.Contains(text, "5 pictures need it: a of anna, b of bert, c of cleo and 2 more") {
				t.Errorf("%q", text)
			}
		}
		if len(texts) == 2 && texts[0] == texts[1] {
			t.Errorf("a repair makes no difference to %q", texts[0])
		}
	}
	alone := doctor.Finding{Kind: doctor.Missing, Path: "p", References: 1, Images: []doctor.ImageRef{{"a", "anna"}}}
	if text := alone.String(); !strings.Contains(text, "the picture a of anna needs it") {
		t.Error(text)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for want, sum := range map[string]doctor.Summary{
		"nothing is wrong":      {Blobs: 3},
		"2 found, all repaired": {Findings: 2, Repaired: 2},
		"3 found, 1 repaired":   {Findings: 3, Repaired: 1},
	} {
		if text := sum.String(); !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
		if sum.Clean() != (sum.Findings == 0) {
			t.Errorf("%+v: clean is %v", sum, sum.Clean())
		}
	}
}
