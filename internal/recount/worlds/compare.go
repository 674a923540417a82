package worlds

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// diffs collects what two results differ in.
type diffs struct {
	place string
	list  []string
}

func (d *diffs) at(place string) *diffs { return &diffs{place: d.place + place + " "} }

func (d *diffs) take(o *diffs) { d.list = append(d.list, o.list...) }

func (d *diffs) addf(format string, args ...any) {
	d.list = append(d.list, d.place+fmt.Sprintf(format, args...))
}

func (d *diffs) count(what string, got, want int64) {
	if got != want {
		d.addf("%s: got %d, want %d", what, got, want)
	}
}

// sum compares to 1e-8, relative to the value or to scale where that is more.
func (d *diffs) sum(what string, got, want, scale float64) {
	if !(math.Abs(got-want) <= 1e-8*max(math.Abs(want), scale)) {
		d.addf("%s: got %v, want %v", what, got, want)
	}
}

func (d *diffs) number(what string, got aggregator.Number, want recount.Number, scale float64) {
	if got.OK != want.OK {
		d.addf("%s: got %+v, want %+v", what, got, want)
		return
	}
	d.sum(what, got.Value, want.Value, scale)
}

func (d *diffs) quantile(what string, got aggregator.Number, want recount.Quantile) {
	if got.OK != want.OK || got.OK && (got.Value < want.Low*0.99 || got.Value > want.High*1.01) {
		d.addf("%s: got %+v, want %+v within 1 %%", what, got, want)
	}
}

func numbers[V any](d *diffs, what string, got map[string]V, want map[string]recount.Number, value func(V) aggregator.Number) {
	for k, w := range want {
		g, ok := got[k]
		if !ok {
			d.addf("%s[%q]: missing, want %v", what, k, w)
			continue
		}
		d.number(fmt.Sprintf("%s[%q]", what, k), value(g), w, 0)
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			d.addf("%s[%q]: not wanted", what, k)
		}
	}
}

func asIs(n aggregator.Number) aggregator.Number { return n }

// Compare says where a summary is not what the recount of the same
// records gives.
func Compare(got Summary, want map[string]*recount.Arm) []string {
	var d diffs
	if len(got.Arms) != len(want) {
		d.addf("got %d arms, want %d", len(got.Arms), len(want))
	}
	for _, a := range got.Arms {
		arm := d.at(a.Arm)
		w := want[a.Arm]
		if w == nil {
			arm.addf("arm not wanted")
			d.take(arm)
			continue
		}
		if !slices.Equal(a.RampPercents, w.RampPercents) {
			arm.addf("ramp percents: got %v, want %v", a.RampPercents, w.RampPercents)
		}
		compareReading(arm, a.Total, w.Total)
		if len(a.Slices) != len(w.Slices) {
			arm.addf("got %d slices, want %d", len(a.Slices), len(w.Slices))
		}
		for _, row := range a.Slices {
			compareRow(arm, row, w)
		}
		d.take(arm)
	}
	return d.list
}

func compareRow(arm *diffs, row Row, w *recount.Arm) {
	var parts []string
	for _, l := range row.Labels {
		parts = append(parts, l.Name+"="+l.Value)
	}
	key := strings.Join(parts, ",")
	r := arm.at(key)
	if n := w.Slices[key]; n != nil {
		compareReading(r, row.Row, n)
	} else {
		r.addf("slice not wanted")
	}
	arm.take(r)
}

func compareReading(d *diffs, got aggregator.Reading, want *recount.Numbers) {
	c := d.at("candidates")
	compareCandidates(c, got.Candidates, &want.Candidates)
	d.take(c)
	w := d.at("winners")
	compareWinners(w, got.Winners, &want.Winners)
	d.take(w)
	if len(got.Serving) != len(want.Serving) {
		d.addf("got %d towers, want %d", len(got.Serving), len(want.Serving))
	}
	for name, t := range want.Serving {
		g := got.Serving[name]
		d.count(name+" calls", g.Calls, t.Calls)
		d.number(name+" success", g.SuccessRatio, t.SuccessRatio, 0)
		d.number(name+" timeout", g.TimeoutRatio, t.TimeoutRatio, 0)
		for q, v := range t.Latency {
			d.quantile(name+" latency "+q, g.LatencyUs[q], v)
		}
	}
}

func compareCandidates(d *diffs, got aggregator.CandidateReading, want *recount.Candidates) {
	d.count("count", got.Count, want.Count)
	d.count("reference_count", got.ReferenceCount, want.ReferenceCount)
	d.sum("prediction_sum", got.PredictionSum, want.PredictionSum, 0)
	d.sum("reference_sum", got.ReferenceSum, want.ReferenceSum, 0)
	d.number("calibration_vs_reference", got.CalibrationVsReference, want.CalibrationVsReference, 0)
	d.number("log_mae", got.LogMAE, want.LogMAE, 0)
	d.number("log_bias", got.LogBias, want.LogBias, want.LogMAE.Value)
	numbers(d, "coverage", got.Coverage, want.Coverage, asIs)
	numbers(d, "item_embedding_versions", got.ItemEmbeddingVersions, want.ItemVersions, asIs)
	for q, v := range want.Quantiles {
		d.quantile("quantile "+q, got.PredictionQuantiles[q], v)
	}
	if len(got.Stages) != len(want.Stages) {
		d.addf("stages: got %v, want %v", got.Stages, want.Stages)
	}
	for s, n := range want.Stages {
		d.count("stage "+s, got.Stages[s], n)
	}
	if len(got.ScoreBins) != len(want.Bins) {
		d.addf("got %d score bins, want %d", len(got.ScoreBins), len(want.Bins))
	}
	for _, b := range got.ScoreBins {
		compareBin(d, b, want.Bins[b.Lower])
	}
}

func compareBin(d *diffs, got aggregator.ScoreBin, want recount.Bin) {
	d.count(fmt.Sprintf("bin %v count", got.Lower), got.Count, want.Count)
	d.sum(fmt.Sprintf("bin %v prediction_sum", got.Lower), got.PredictionSum, want.PredictionSum, 0)
	d.sum(fmt.Sprintf("bin %v reference_sum", got.Lower), got.ReferenceSum, want.ReferenceSum, 0)
}

func compareWinners(d *diffs, got aggregator.WinnerReading, want *recount.Winners) {
	d.count("count", got.Count, want.Count)
	d.count("conversions", got.Conversions, want.Conversions)
	d.sum("prediction_sum", got.PredictionSum, want.PredictionSum, 0)
	d.number("calibration", got.Calibration, want.Calibration, 0)
	d.number("log_loss", got.LogLoss, want.LogLoss, 0)
	d.number("normalized_entropy", got.NormalizedEntropy, want.NormalizedEntropy, 0)
	// Squares of tiny predictions end below the unit of 2^-60 that each is rounded to.
	d.number("brier", got.Brier, want.Brier, 1e-9)
	d.number("label_maturity", got.LabelMaturity, want.LabelMaturity, 0)
	d.number("calibration_low", got.CalibrationLow, want.CalibrationLow, 0)
	d.number("calibration_high", got.CalibrationHigh, want.CalibrationHigh, 0)
	d.sum("cost_micros", got.CostMicros, want.CostMicros, 0)
	d.sum("value_micros", got.ValueMicros, want.ValueMicros, 0)
	d.number("cost_per_conversion", got.CostPerConversionMicros, want.CostPerConversionMicros, 0)
	numbers(d, "coverage", got.Coverage, want.Coverage, asIs)
	if len(got.ScoreBins) != len(want.Bins) {
		d.addf("got %d score bins, want %d", len(got.ScoreBins), len(want.Bins))
	}
	for _, b := range got.ScoreBins {
		w := want.Bins[b.Lower]
		compareBin(d, b.ScoreBin, w)
		d.count(fmt.Sprintf("bin %v conversions", b.Lower), b.Conversions, w.Conversions)
	}
}
