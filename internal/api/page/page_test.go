package page

import (
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/stats"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

func TestFormats(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"}, {count(-1000), "−1,000"},
		{number(0), "0"}, {number(0.08115), "0.08115"}, {number(0.5), "0.5000"}, {number(-0.0123456), "−0.01235"},
		{number(12.3456), "12.346"}, {number(1234.56), "1234.6"}, {number(3.2e-7), "3.20e−07"},
		{ratio(1.1934), "1.193"}, {ratio(0.98), "0.980"}, {ratio(0.001234), "0.001234"}, {ratio(12345), "12345.0"},
		{percent(0), "0.0 %"}, {percent(1), "100.0 %"}, {percent(0.97), "97.0 %"},
		{percent(0.00001), "<0.1 %"}, {percent(0.99999), ">99.9 %"}, {percent(0.9994), "99.9 %"},
		{ramp(0.5), "0.5 %"}, {ramp(70), "70 %"},
		{milliseconds(12345), "12.3 ms"}, {micros(6_930_000), "6.93"},
		{makeStamp(1793610000123).Text, "2026-11-02 09:00:00 UTC"}, {makeStamp(1793610000123).ISO, "2026-11-02T09:00:00.123Z"}, {makeStamp(0).Text, ""},
		{experimentPath("a/b?c#d e%"), "/experiments/a%2Fb%3Fc%23d%20e%25"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func reading(candidates, winners, conversions int64, maturity stats.Status) *aggregator.Reading {
	r := &aggregator.Reading{
		Candidates: aggregator.CandidateReading{Count: candidates},
		Winners:    aggregator.WinnerReading{Count: winners, Conversions: conversions},
	}
	r.Winners.Estimates.LabelMaturity.Status = maturity
	return r
}

func TestArmsWaitForEvidence(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    *aggregator.Reading
		kind string
		text string
	}{
		{"nothing", reading(0, 0, 0, stats.Undefined), "waiting", "waiting: no candidates yet"},
		{"candidates only", reading(9, 0, 0, stats.Undefined), "waiting", "waiting: no winners yet"},
		{"no labels", reading(9, 5, 0, stats.OK), "waiting", "waiting: no conversions yet"},
		{"labels too young", reading(9, 5, 2, stats.Immature), "waiting", "waiting: labels too young"},
		{"old enough", reading(9, 5, 2, stats.OK), "measuring", "measuring"},
	} {
		if s := armState(tc.r); s.Kind != tc.kind || s.Text != tc.text {
			t.Errorf("%s: %s %q, want %s %q", tc.name, s.Kind, s.Text, tc.kind, tc.text)
		}
	}
}

func TestFreshness(t *testing.T) {
	for _, tc := range []struct {
		name string
		h    Health
		kind string
		text string
	}{
		{"starting", Health{}, "waiting", "waiting: partitions are being assigned and restored"},
		{"empty topics", Health{Ready: true, Status: telemetry.Status{CaughtUp: true}}, "waiting", "waiting: no event yet"},
		{"behind", Health{Ready: true, NewestMs: 1, Status: telemetry.Status{LagRecords: 12345}}, "behind", "12,345 records behind"},
		{"nearly there", Health{Ready: true, NewestMs: 1}, "behind", "catching up"},
		{"brokers away", Health{Ready: true, NewestMs: 1, LagUnknown: true, Status: telemetry.Status{CaughtUp: true}}, "behind", "lag unknown: the brokers do not answer"},
		{"caught up", Health{Ready: true, NewestMs: 1, Status: telemetry.Status{CaughtUp: true}}, "current", "caught up"},
	} {
		if s := freshness(&tc.h); s.Kind != tc.kind || s.Text != tc.text {
			t.Errorf("%s: %s %q, want %s %q", tc.name, s.Kind, s.Text, tc.kind, tc.text)
		}
	}
}

func TestExperimentWaitsForItsLastArm(t *testing.T) {
	good, young := *reading(9, 5, 2, stats.OK), *reading(9, 5, 2, stats.Immature)
	arms := func(names ...string) []aggregator.ArmSums {
		var out []aggregator.ArmSums
		for _, n := range names {
			out = append(out, aggregator.ArmSums{Arm: n, Total: &aggregator.Sums{}})
		}
		return out
	}
	for _, tc := range []struct {
		name     string
		arms     []aggregator.ArmSums
		readings []aggregator.Reading
		want     string
	}{
		{"none", nil, nil, "waiting: no auction yet"},
		{"control missing", arms("a", "b"), []aggregator.Reading{good, good}, `waiting: no auction of control arm "control"`},
		{"control alone", arms("control"), []aggregator.Reading{good}, `waiting: no auction of another arm than "control"`},
		{"one arm young", arms("control", "t"), []aggregator.Reading{good, young}, "waiting: labels too young in t"},
		{"all there", arms("control", "t"), []aggregator.Reading{good, good}, "measuring"},
	} {
		e := Experiment{Control: "control", Summary: &aggregator.Summary{Arms: tc.arms}}
		if s := experimentState(&e, tc.readings); s.Text != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, s.Text, tc.want)
		}
	}
}

// bounded is a good estimate.
func bounded(value, low, high float64) aggregator.Estimate {
	return aggregator.Estimate{Estimate: stats.Estimate{Value: value, Low: low, High: high, Known: stats.KnownAll, N: 50, Status: stats.OK}}
}

func TestAxisPutsOneInTheMiddle(t *testing.T) {
	for _, tc := range []struct {
		name     string
		high, at float64
		want     string
	}{
		{"one", 1.01, 1, "50.0"},
		{"small differences stay small", 1.01, 1.01, "52.2"},
		{"wide intervals fit", 4, 4, "95.5"},
		{"what is far sticks to the edge", 1e6, 1e6, "100.0"},
		{"and to the other", 1e6, 1e-6, "0.0"},
	} {
		x := makeAxis([]aggregator.Estimate{{}, bounded(1, 1, tc.high)})
		if got := x.at(tc.at); got != tc.want {
			t.Errorf("%s: %v is at %s, want %s", tc.name, tc.at, got, tc.want)
		}
	}
}

func TestBreakdownKeepsTheLargestSlices(t *testing.T) {
	e := Experiment{Control: "control", Summary: &aggregator.Summary{Arms: []aggregator.ArmSums{{Arm: "control", Total: &aggregator.Sums{}}}}}
	for i := range maxSlices + 20 {
		sums := &aggregator.Sums{Candidates: aggregator.CandidateSums{All: aggregator.Tally{N: int64(1000 - i)}}}
		label := aggregator.Label{Name: "ad", Value: count(int64(10000 + i))}
		e.Summary.Arms[0].Slices = append(e.Summary.Arms[0].Slices, aggregator.SliceSums{Labels: []aggregator.Label{label}, Sums: sums})
	}
	e.Query.Slice = []string{"ad"}
	a := makeArms(&e)
	tables := a.breakdownTables()
	if n := len(tables[0].Rows); n != maxSlices {
		t.Errorf("%d rows, want %d", n, maxSlices)
	}
	if first := tables[0].Rows[0].Heads[0].Text; first != "ad: 10,000" {
		t.Errorf("first row %q, want the largest slice", first)
	}
	if !strings.Contains(tables[0].Note, "The 100 largest of 120 slices") {
		t.Errorf("note %q does not say that there are more", tables[0].Note)
	}
}

func TestControlComesFirst(t *testing.T) {
	e := Experiment{Control: "random", Summary: &aggregator.Summary{}}
	for _, name := range []string{"a", "bts", "random", "z"} {
		e.Summary.Arms = append(e.Summary.Arms, aggregator.ArmSums{Arm: name, Total: &aggregator.Sums{}})
	}
	a := makeArms(&e)
	var got []string
	for i := range a.readings {
		got = append(got, a.name(i))
	}
	if want := "random a bts z"; strings.Join(got, " ") != want {
		t.Errorf("arms in the order %v, want %s", got, want)
	}
	if e.Summary.Arms[0].Arm != "a" {
		t.Error("the summary that was passed in was reordered")
	}
}

func TestCoverageRestsOnWhoListsTheFamily(t *testing.T) {
	sums := &aggregator.Sums{Candidates: aggregator.CandidateSums{
		All:      aggregator.Tally{N: 9},
		Families: []aggregator.FamilyTally{{Family: "f", Listed: aggregator.Tally{N: 8}, Present: aggregator.Tally{N: 2}}},
	}}
	a := makeArms(&Experiment{Summary: &aggregator.Summary{Arms: []aggregator.ArmSums{{Arm: "control", Total: sums}}}})
	if c := a.coverage().Rows[0].Cells[0]; c.Text != "25.0 %" || c.N != "n = 8" || c.Range != "7.1 % to 59.1 %" || c.Bar.Width != "25.0" {
		t.Errorf("coverage %q, %q, %q, bar of %s; want 25.0 %%, Wilson's interval, n = 8, bar of 25.0", c.Text, c.Range, c.N, c.Bar.Width)
	}
}

func TestLinksKeepTheQuery(t *testing.T) {
	percent := 70.0
	q := aggregator.Query{Experiment: "a b", FromMs: 1, ToMs: 2, RampPercent: &percent, Slice: []string{"x", "y"}, Where: []aggregator.Label{{Name: "n", Value: "v:w"}}}
	if got, want := address(&q), "/experiments/a%20b?from=1&ramp_percent=70&slice=x%2Cy&to=2&where=n%3Av%3Aw"; got != want {
		t.Errorf("address %q, want %q", got, want)
	}
	e := Experiment{Query: aggregator.Query{Experiment: "e"}}
	e.FirstMs, e.Arms = apitest.StartMs, []aggregator.Arm{{Name: "c", SinceMs: apitest.StartMs}, {Name: "t", SinceMs: apitest.StartMs + 5000}}
	if got := spanLinks(&e); len(got) != 2 || got[1].URL != "/experiments/e?from=1793610005000" || !got[0].Current || got[1].Current {
		t.Errorf("spanLinks = %v", got)
	}
	e.Arms[1].SinceMs = apitest.StartMs
	if got := spanLinks(&e); got != nil {
		t.Errorf("spanLinks without a ramp step = %v, want none", got)
	}
}
