package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

func with(e aggregator.Estimate, s stats.Status) aggregator.Estimate {
	e.Status = s
	return e
}

// compared is what is said of two arms with these calibrations, the last being
// the ratio of winners at the same age.
func compared(winners, candidates [2]aggregator.Estimate, sameAge aggregator.Estimate) []string {
	var r [2]aggregator.Reading
	for i := range r {
		r[i].Winners.Estimates.Calibration = winners[i]
		r[i].Winners.Estimates.CalibrationAdjusted = winners[i]
		if winners[i].Status == stats.Immature {
			r[i].Winners.Estimates.CalibrationAdjusted = aggregator.Estimate{Estimate: stats.Estimate{Status: stats.Immature}}
			r[i].Winners.Estimates.LabelMaturity = with(bounded(0.1, 0.05, 0.15), stats.Immature)
		}
		r[i].Candidates.Estimates.CalibrationVsReference = candidates[i]
	}
	c := aggregator.Comparison{CalibrationRatio: sameAge}
	if e, ok := ratioOf(candidates[1], candidates[0]); ok {
		c.CalibrationVsReferenceRatio = e
	}
	var out []string
	for _, f := range (pair{"c", "t"}).compare(&r[0], &r[1], &c) {
		out = append(out, f.Text)
	}
	return out
}

func TestFindings(t *testing.T) {
	type pairOf = [2]aggregator.Estimate
	none := aggregator.Estimate{}
	one, same := bounded(1, 0.99, 1.01), bounded(1.05, 1.0, 1.1)
	for _, tc := range []struct {
		name                string
		winners, candidates pairOf
		sameAge             aggregator.Estimate
		want                []string
	}{
		{"nothing", pairOf{}, pairOf{}, none, nil},
		{"either side of 1, wide", pairOf{bounded(0.9, 0.6, 1.3), bounded(1.2, 0.8, 1.8)}, pairOf{same, same}, bounded(1.3, 0.8, 2.2), []string{
			"Winners, adjusted for label maturity: c 0.900 (0.600 to 1.300), t 1.200 (0.800 to 1.800). They lie on either side of 1, and both intervals contain 1: neither is shown to be off. t over c is 1.300 (0.800 to 2.200): no difference shows.",
			"Candidates, against the reference: c 1.050 (1.000 to 1.100), t 1.050 (1.000 to 1.100). t over c is 1.000 (0.935 to 1.070): no difference shows.",
			"Neither winners nor candidates tell these arms apart.",
		}},
		{"winners alone", pairOf{bounded(0.7, 0.6, 0.8), bounded(1.2, 1.1, 1.3)}, pairOf{one, one}, bounded(1.7, 1.5, 2), []string{
			"Winners, adjusted for label maturity: c 0.700 (0.600 to 0.800), t 1.200 (1.100 to 1.300). c is below 1, interval and all, t is above 1, interval and all. t over c is 1.700 (1.500 to 2.000): they differ, t is higher.",
			"Candidates, against the reference: c 1.000 (0.990 to 1.010), t 1.000 (0.990 to 1.010). t over c is 1.000 (0.986 to 1.014): no difference shows.",
			"Winners tell these arms apart and candidates do not, and the two comparisons disagree: the difference is more in what is shown than in what is scored.",
		}},
		{"winners alone, candidates too wide to disagree", pairOf{bounded(1, 0.9, 1.1), bounded(1.2, 1.1, 1.3)}, pairOf{bounded(1, 0.7, 1.4), bounded(1.1, 0.7, 1.5)}, bounded(1.2, 1.02, 1.4), []string{
			"Winners, adjusted for label maturity: c 1.000 (0.900 to 1.100), t 1.200 (1.100 to 1.300). c is not shown to be off 1, t is above 1, interval and all. t over c is 1.200 (1.020 to 1.400): they differ, t is higher.",
			"Candidates, against the reference: c 1.000 (0.700 to 1.400), t 1.100 (0.700 to 1.500). t over c is 1.100 (0.626 to 1.765): no difference shows.",
			"Winners tell these arms apart and candidates do not, but the two comparisons agree within their intervals: where the difference comes from is open.",
		}},
		{"both", pairOf{bounded(1, 0.9, 1.1), bounded(0.5, 0.4, 0.6)}, pairOf{one, bounded(0.5, 0.49, 0.51)}, bounded(0.5, 0.4, 0.6), []string{
			"Winners, adjusted for label maturity: c 1.000 (0.900 to 1.100), t 0.500 (0.400 to 0.600). c is not shown to be off 1, t is below 1, interval and all. t over c is 0.500 (0.400 to 0.600): they differ, t is lower.",
			"Candidates, against the reference: c 1.000 (0.990 to 1.010), t 0.500 (0.490 to 0.510). t over c is 0.500 (0.489 to 0.511): they differ, t is lower.",
			"Winners and candidates differ in the same direction: what is scored differs.",
		}},
		{"little data", pairOf{with(bounded(0.5, 0.1, 0.9), stats.LowData), bounded(2, 1.5, 2.5)}, pairOf{}, with(bounded(4, 2, 9), stats.LowData), []string{
			"Winners, adjusted for label maturity: c 0.500 (0.100 to 0.900 · low data), t 2.000 (1.500 to 2.500). c has too little to tell, t is above 1, interval and all. t over c is 4.000 (2.000 to 9.000 · low data): that cannot tell yet whether they differ.",
		}},
		{"neither to be relied on", pairOf{with(bounded(0.5, 0.1, 0.9), stats.LowData), with(bounded(2, 1.5, 2.5), stats.LowData)}, pairOf{}, with(bounded(4, 2, 9), stats.LowData), []string{
			"Winners, adjusted for label maturity: c 0.500 (0.100 to 0.900 · low data), t 2.000 (1.500 to 2.500 · low data). Neither can be held against 1 yet. t over c is 4.000 (2.000 to 9.000 · low data): that cannot tell yet whether they differ.",
		}},
		{"young labels", pairOf{with(bounded(8, 7, 9), stats.Immature), with(bounded(9, 8, 10), stats.Immature)}, pairOf{}, none, []string{
			"Winners as seen, with labels still to come: c 8.000 (7.000 to 9.000 · labels too young), t 9.000 (8.000 to 10.000 · labels too young). t over c is 1.125 (0.952 to 1.334 · labels too young): that cannot tell yet whether they differ. Labels are too young for this to count: 10.0 % of the conversions to come have had time to in c, 10.0 % of the conversions to come have had time to in t.",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, compared(tc.winners, tc.candidates, tc.sameAge)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDelayWarnings(t *testing.T) {
	shift := func(arm string, z, p float64, s stats.Status) aggregator.ArmShift {
		return aggregator.ArmShift{Arm: arm, Shift: stats.DelayShift{Z: z, P: p, Status: s}}
	}
	for _, tc := range []struct {
		name string
		of   []aggregator.ArmShift
		want []string // each part of one warning, in order
	}{
		{"alike", []aggregator.ArmShift{shift("control", 2, 0.04, stats.OK), shift("t", -2, 0.04, stats.OK)}, nil},
		{"two arms, said once", []aggregator.ArmShift{shift("control", -5, 1e-7, stats.OK), shift("t", 5, 1e-7, stats.OK)},
			[]string{"of optimization type ocpm take longer in t than in the other arms (z = 5.0, p < 0.000001)"}},
		{"quicker", []aggregator.ArmShift{shift("control", 4, 0.00006, stats.OK), shift("t", -4, 0.00006, stats.OK)},
			[]string{"take less long in t than in the other arms (z = −4.0, p = 0.000060)"}},
		{"few conversions", []aggregator.ArmShift{shift("control", -5, 1e-7, stats.LowData), shift("t", 5, 1e-7, stats.LowData)}, nil},
		{"three arms", []aggregator.ArmShift{shift("control", -5, 1e-7, stats.OK), shift("t", 5, 1e-7, stats.OK), shift("u", 1, 0.3, stats.OK)},
			[]string{"take less long in control", "take longer in t "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := Experiment{Control: "control", Summary: &aggregator.Summary{
				Arms:   []aggregator.ArmSums{{Arm: "control", Total: &aggregator.Sums{}}, {Arm: "t", Total: &aggregator.Sums{}}},
				Curves: &aggregator.Curves{Types: []aggregator.TypeCurve{{OptimizationType: "ocpm", Differs: tc.of}}},
			}}
			a := makeArms(&e)
			got := a.delayWarnings()
			if len(got) != len(tc.want) {
				t.Fatalf("got %d warnings, want %d: %+v", len(got), len(tc.want), got)
			}
			for i, f := range got {
				if f.Kind != "warning" || !strings.Contains(f.Text, tc.want[i]) {
					t.Errorf("%s %q, want a warning with %q", f.Kind, f.Text, tc.want[i])
				}
			}
		})
	}
}

// TestWithoutAControlArm compares with the first arm, so that a log whose control
// arm nobody named is still compared.
func TestWithoutAControlArm(t *testing.T) {
	e := Experiment{Control: "control", Summary: &aggregator.Summary{Arms: []aggregator.ArmSums{
		{Arm: "bts", Total: &aggregator.Sums{}}, {Arm: "random", Total: &aggregator.Sums{}},
	}}}
	a := makeArms(&e)
	if a.base() != 0 {
		t.Errorf("base arm %d, want 0", a.base())
	}
	e.Control = "random"
	if a = makeArms(&e); a.name(a.base()) != "random" {
		t.Errorf("base arm %s, want the control arm", a.name(a.base()))
	}
}
