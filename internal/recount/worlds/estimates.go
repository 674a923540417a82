package worlds

import (
	"fmt"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/recount"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// coarse is the unit that the terms of sums are rounded to which serve
// variances, or weigh by propensities.
const coarse = 0x1p-40

func compareEstimates(d *Diffs, got *aggregator.WinnerReading, want *recount.Winners) {
	e := &got.Estimates
	d.number("estimated label_maturity", e.LabelMaturity.ValueNumber(), want.LabelMaturity, 0)
	d.number("calibration_adjusted", e.CalibrationAdjusted.ValueNumber(), want.CalibrationAdjusted, 0)
	d.Count("calibration_adjusted n", e.CalibrationAdjusted.N, want.Matured)
	// Predictions as small as the unit are rounded: how far sums may be off in all.
	rounded := 1e-6
	if want.Count > 0 {
		rounded += 20 * coarse * float64(want.Count) / want.PredictionSum
	}
	d.near("calibration_low", got.CalibrationLow, want.CalibrationLow, rounded)
	d.near("calibration_high", got.CalibrationHigh, want.CalibrationHigh, rounded)
	d.Count("calibration_by_propensity n", e.CalibrationByPropensity.N, want.Exposed)
	d.near("calibration_by_propensity", e.CalibrationByPropensity.ValueNumber(), want.CalibrationByPropensity, rounded)
	compareAUC(d, e.AUC, want)
}

// compareAUC has slack for the rounding of quotients alone.
func compareAUC(d *Diffs, got aggregator.Estimate, want *recount.Winners) {
	const slack = 1e-12
	d.near("auc", got.ValueNumber(), want.BinnedAUC, slack)
	exact := want.AUC.Value
	if want.AUC.OK && (exact < got.Value-want.AUCHalfWidth-slack || exact > got.Value+want.AUCHalfWidth+slack) {
		d.Addf("auc: got %v, want %v within %v", got.Value, exact, want.AUCHalfWidth)
	}
	if want.AUC.OK && !(got.Low <= got.Value && got.Value <= got.High) {
		d.Addf("auc: got [%v, %v], want %v in it", got.Low, got.High, got.Value)
	}
}

// CompareCurves says where delay curves are not those of the recount. Types
// without a conversion that has had time to come may have a curve that says so.
func CompareCurves(got *aggregator.Curves, want map[string]*recount.Curve) []string {
	var d Diffs
	seen := 0
	for _, t := range got.Types {
		at := d.At("curve " + t.OptimizationType)
		w := want[t.OptimizationType]
		if w == nil {
			w = &recount.Curve{}
		} else {
			seen++
		}
		compareCurve(at, t.Delay, t.Known, w)
		kinds := 0
		for _, c := range t.Conversions {
			of, wc := at.At(c.ConversionType), w.Types[c.ConversionType]
			if wc == nil {
				wc = &recount.Curve{}
			} else {
				kinds++
			}
			compareCurve(of, c.Delay, c.Known, wc)
			at.Take(of)
		}
		at.Count("conversion types", int64(kinds), int64(len(w.Types)))
		d.Take(at)
	}
	d.Count("optimization types with a curve", int64(seen), int64(len(want)))
	return d.List
}

func compareCurve(d *Diffs, got stats.DelayCurve, known bool, want *recount.Curve) {
	d.Count("conversions", got.N, want.N)
	if known != want.Known {
		d.Addf("known: got %v, want %v", known, want.Known)
	}
	if len(got.F) != len(want.F) {
		d.Addf("got %d buckets, want %d", len(got.F), len(want.F))
		return
	}
	for u, f := range want.F {
		d.near(fmt.Sprintf("share by the end of bucket %d", u), aggregator.Number{Value: got.F[u], OK: true}, recount.Number{Value: f, OK: true}, 1e-9)
	}
}
