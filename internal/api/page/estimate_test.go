package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// TestNoBareNumber holds the cells of estimates: what is not ok says so beside
// the number, or instead of it.
func TestNoBareNumber(t *testing.T) {
	part := func(known stats.Known, s stats.Status) aggregator.Estimate {
		e := bounded(2, 1, 4)
		e.Known, e.Status = known, s
		return e
	}
	plain := aggregator.Number{Value: 3, OK: true}
	for _, tc := range []struct {
		name                string
		e                   aggregator.Estimate
		plain               aggregator.Number
		text, limits, doubt string
	}{
		{"ok", part(stats.KnownAll, stats.OK), plain, "2.000", "1.000 to 4.000", ""},
		{"low data", part(stats.KnownAll, stats.LowData), plain, "2.000", "1.000 to 4.000", "low data"},
		{"one limit and no value", part(stats.KnownLow, stats.LowData), aggregator.Number{}, "waiting", "≥ 1.000", "low data"},
		{"limit above", part(stats.KnownValue|stats.KnownHigh, stats.LowData), plain, "2.000", "≤ 4.000", "low data"},
		{"immature", part(0, stats.Immature), aggregator.Number{}, "waiting", "", "labels too young"},
		{"predictions missing", part(0, stats.PredictionMissing), aggregator.Number{}, "waiting", "", "predictions missing"},
		{"nothing", part(0, stats.Undefined), aggregator.Number{}, "waiting", "", ""},
		{"no estimate of what is known", part(0, stats.Undefined), plain, "3.000", "", "no interval"},
	} {
		c := estimated(tc.e, tc.plain, ratio, "rest")
		word := ""
		if c.Doubt != nil {
			word = c.Doubt.Word
		}
		if got, want := []string{c.Text, c.Range, word, c.N}, []string{tc.text, tc.limits, tc.doubt, "rest"}; !cmp.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tc.name, got, want)
		}
		if c.Waiting != (tc.text == "waiting") {
			t.Errorf("%s: waiting is %v", tc.name, c.Waiting)
		}
	}
}

func TestOf(t *testing.T) {
	for _, tc := range []struct {
		effective float64
		want      string
	}{{0, "n = 340,000"}, {340_000, "n = 340,000"}, {330_000, "n = 340,000"}, {10_000.4, "n = 340,000, as good as 10,000"}} {
		if got := of(aggregator.Estimate{Estimate: stats.Estimate{N: 340_000, Effective: tc.effective}}); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.effective, got, tc.want)
		}
	}
}

func TestDelaysTable(t *testing.T) {
	triangle := stats.NewDelayTriangle(2)
	triangle.AddConversions(1, 0, 12)
	triangle.AddConversions(1, 1, 4)
	curve, _ := stats.FitDelayCurve(triangle, 1)
	e := Experiment{Summary: &aggregator.Summary{Curves: &aggregator.Curves{
		EdgesMs: []int64{30_000, 3600_000},
		Types:   []aggregator.TypeCurve{{OptimizationType: "ocpm", Delay: curve, Known: true}, {Delay: curve}},
	}}}
	a := makeArms(&e)
	got := a.delays()
	if got.Columns[2].Title != "30 s" || got.Columns[3].Title != "1 h" || len(got.Rows) != 2 {
		t.Fatalf("got %+v", got)
	}
	if c := got.Rows[0].Cells; c[0].Text != "16" || c[1].Text != "75.0 %" || c[1].Range != "53.8 % to 96.2 %" || c[2].Text != "100.0 %" || c[2].Range != "" {
		t.Errorf("known: %+v", c)
	}
	if c := got.Rows[1].Cells; !c[1].Waiting || c[1].Doubt == nil {
		t.Errorf("not known: %+v, want it to wait", c[1])
	}
}

func TestSomeEdges(t *testing.T) {
	if diff := cmp.Diff([]int{0, 1, 2}, someEdges(3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 3, 7, 10, 14, 18}, someEdges(19)); diff != "" {
		t.Error(diff)
	}
	for ms, want := range map[int64]string{10_000: "10 s", 1500: "1.5 s", 120_000: "2 min", 3600_000: "1 h", 5400_000: "90 min", 86400_000: "24 h", 3 * 86400_000: "3 d"} {
		if got := age(ms); got != want {
			t.Errorf("age(%d) = %q, want %q", ms, got, want)
		}
	}
}

func TestRampTable(t *testing.T) {
	e := Experiment{Summary: &aggregator.Summary{}, RampSteps: map[string][]aggregator.RampStep{
		"control":   {{TimeMs: apitest.StartMs, RampPercent: 80}, {TimeMs: apitest.StartMs + 60_000, RampPercent: 30}},
		"treatment": {{TimeMs: apitest.StartMs + 1000, RampPercent: 20}, {TimeMs: apitest.StartMs + 60_000, RampPercent: 70}},
	}}
	lines := func() (out []string) {
		a := makeArms(&e)
		for _, r := range a.rampTable().Rows {
			out = append(out, r.Heads[0].Text+" "+r.Cells[0].Text+" "+r.Cells[1].Text+" "+r.Cells[2].Text)
		}
		return out
	}
	want := []string{
		"2026-11-02 09:01:00 UTC control 80 % 30 %",
		"2026-11-02 09:01:00 UTC treatment 20 % 70 %",
		"2026-11-02 09:00:01 UTC treatment – 20 %",
		"2026-11-02 09:00:00 UTC control – 80 %",
	}
	if diff := cmp.Diff(want, lines()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i := range 40 {
		e.RampSteps["treatment"] = append(e.RampSteps["treatment"], aggregator.RampStep{TimeMs: apitest.StartMs + 100_000 + int64(i), RampPercent: float64(i)})
	}
	a := makeArms(&e)
	if table := a.rampTable(); len(table.Rows) != maxSteps || !strings.Contains(table.Note, "The 20 newest of 44 steps") {
		t.Errorf("%d rows, note %q", len(table.Rows), table.Note)
	}
}
