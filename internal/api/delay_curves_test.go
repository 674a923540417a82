package api

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// TestDelayCurves checks a curve that follows on paper: of 16 conversions old
// enough to tell, 4 came in the second bucket, so that F(1) = 1 − 4/16.
func TestDelayCurves(t *testing.T) {
	triangle := stats.NewDelayTriangle(2)
	triangle.AddConversions(1, 0, 12)
	triangle.AddConversions(1, 1, 4)
	curve, ok := stats.FitDelayCurve(triangle, 1)
	if !ok {
		t.Fatal("no curve")
	}
	got := makeDelayCurves(&aggregator.Curves{EdgesMs: []int64{1000, 2000}, Types: []aggregator.TypeCurve{{
		OptimizationType: "ocpm", Delay: curve, Known: true,
		Conversions: []aggregator.ConversionCurve{{ConversionType: "checkout", Delay: curve}},
		Differs:     []aggregator.ArmShift{{Arm: "t", Shift: stats.DelayShift{Z: 4, P: 0.0001, Status: stats.OK}}},
	}}})
	half := 1.96 * 0.75 * math.Sqrt(4.0/16/12) // Greenwood's
	c := delayCurveJSON{
		Known: true, Conversions: 16, Status: stats.OK, EdgesMs: []int64{1000, 2000},
		Share: []float64{0.75, 1}, ShareLow: []float64{0.75 - half, 1}, ShareHigh: []float64{0.75 + half, 1},
	}
	unknown := c
	unknown.Known = false
	want := []typeCurveJSON{{
		OptimizationType: "ocpm", delayCurveJSON: c,
		ConversionTypes: []conversionCurveJSON{{"checkout", unknown}},
		ArmsDiffer:      []armShiftJSON{{"t", 4, 0.0001, stats.OK}},
	}}
	opts := cmp.Options{cmpopts.EquateApprox(0, 1e-4), cmp.AllowUnexported(typeCurveJSON{}, conversionCurveJSON{})}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, c := range map[string]*aggregator.Curves{"nothing": nil, "no type": {EdgesMs: []int64{1}}} {
		if got := makeDelayCurves(c); got == nil || len(got) != 0 {
			t.Errorf("%s: %+v, want an empty list", name, got)
		}
	}
}

// TestDelayCurveLimitsAreShares holds limits of few conversions inside [0, 1].
func TestDelayCurveLimitsAreShares(t *testing.T) {
	triangle := stats.NewDelayTriangle(3)
	triangle.AddConversions(2, 0, 1)
	triangle.AddConversions(2, 1, 8)
	triangle.AddConversions(2, 2, 1)
	curve, _ := stats.FitDelayCurve(triangle, 1)
	c := makeDelayCurve(curve, true, []int64{1, 2, 3})
	for i := range c.Share {
		if !(0 <= c.ShareLow[i] && c.ShareLow[i] <= c.Share[i] && c.Share[i] <= c.ShareHigh[i] && c.ShareHigh[i] <= 1) {
			t.Errorf("bucket %d: %v in [%v, %v]", i, c.Share[i], c.ShareLow[i], c.ShareHigh[i])
		}
	}
	if c.ShareLow[0] != 0 || c.ShareHigh[1] != 1 {
		t.Errorf("limits [%v, %v]: want those of a normal distribution beyond [0, 1] cut", c.ShareLow, c.ShareHigh)
	}
}
