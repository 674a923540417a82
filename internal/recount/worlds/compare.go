package worlds

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/recount"
)

func numbers[V any](d *Diffs, what string, got map[string]V, want map[string]recount.Number, value func(V) aggregator.Number) {
	for k, w := range want {
		g, ok := got[k]
		if !ok {
			d.Addf("%s[%q]: missing, want %v", what, k, w)
			continue
		}
		d.number(fmt.Sprintf("%s[%q]", what, k), value(g), w, 0)
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			d.Addf("%s[%q]: not wanted", what, k)
		}
	}
}

func asIs(n aggregator.Number) aggregator.Number { return n }

// Compare says where a summary is not what the recount of the same
// records gives.
func Compare(got Summary, want map[string]*recount.Arm) []string {
	var d Diffs
	if len(got.Arms) != len(want) {
		d.Addf("got %d arms, want %d", len(got.Arms), len(want))
	}
	for _, a := range got.Arms {
		arm := d.At(a.Arm)
		w := want[a.Arm]
		if w == nil {
			arm.Addf("arm not wanted")
			d.Take(arm)
			continue
		}
		if !slices.Equal(a.RampPercents, w.RampPercents) {
			arm.Addf("ramp percents: got %v, want %v", a.RampPercents, w.RampPercents)
		}
		if !slices.Equal(a.Units, w.Units()) {
			arm.Addf("units: got %v, want %v", a.Units, w.Units())
		}
		compareReading(arm, a.Total, w.Total)
		if len(a.Slices) != len(w.Slices) {
			arm.Addf("got %d slices, want %d", len(a.Slices), len(w.Slices))
		}
		for _, row := range a.Slices {
			compareRow(arm, row, w)
		}
		d.Take(arm)
	}
	return d.List
}

func compareRow(arm *Diffs, row Row, w *recount.Arm) {
	var parts []string
	for _, l := range row.Labels {
		parts = append(parts, l.Name+"="+l.Value)
	}
	key := strings.Join(parts, ",")
	r := arm.At(key)
	if n := w.Slices[key]; n != nil {
		compareReading(r, row.Row, n)
	} else {
		r.Addf("slice not wanted")
	}
	arm.Take(r)
}

func compareReading(d *Diffs, got aggregator.Reading, want *recount.Numbers) {
	c := d.At("candidates")
	compareCandidates(c, got.Candidates, &want.Candidates)
	d.Take(c)
	w := d.At("winners")
	compareWinners(w, got.Winners, &want.Winners)
	d.Take(w)
	if len(got.Serving) != len(want.Serving) {
		d.Addf("got %d towers, want %d", len(got.Serving), len(want.Serving))
	}
	for name, t := range want.Serving {
		g := got.Serving[name]
		d.Count(name+" calls", g.Calls, t.Calls)
		d.number(name+" success", g.SuccessRatio, t.SuccessRatio, 0)
		d.number(name+" timeout", g.TimeoutRatio, t.TimeoutRatio, 0)
		for q, v := range t.Latency {
			d.quantile(name+" latency "+q, g.LatencyUs[q], v)
		}
	}
}

func compareCandidates(d *Diffs, got aggregator.CandidateReading, want *recount.Candidates) {
	d.Count("count", got.Count, want.Count)
	d.Count("auctions", got.Auctions, want.Auctions)
	d.Count("reference_count", got.ReferenceCount, want.ReferenceCount)
	d.Sum("prediction_sum", got.PredictionSum, want.PredictionSum, 0)
	d.Sum("reference_sum", got.ReferenceSum, want.ReferenceSum, 0)
	d.number("calibration_vs_reference", got.CalibrationVsReference, want.CalibrationVsReference, 0)
	d.number("log_mae", got.LogMAE, want.LogMAE, 0)
	d.number("log_bias", got.LogBias, want.LogBias, want.LogMAE.Value)
	numbers(d, "coverage", got.Coverage, want.Coverage, asIs)
	numbers(d, "item_embedding_versions", got.ItemEmbeddingVersions, want.ItemVersions, asIs)
	for q, v := range want.Quantiles {
		d.quantile("quantile "+q, got.PredictionQuantiles[q], v)
	}
	if len(got.Stages) != len(want.Stages) {
		d.Addf("stages: got %v, want %v", got.Stages, want.Stages)
	}
	for s, n := range want.Stages {
		d.Count("stage "+s, got.Stages[s], n)
	}
	if len(got.ScoreBins) != len(want.Bins) {
		d.Addf("got %d score bins, want %d", len(got.ScoreBins), len(want.Bins))
	}
	for _, b := range got.ScoreBins {
		compareBin(d, b, want.Bins[b.Lower])
	}
}

func compareBin(d *Diffs, got aggregator.ScoreBin, want recount.Bin) {
	d.Count(fmt.Sprintf("bin %v count", got.Lower), got.Count, want.Count)
	d.Sum(fmt.Sprintf("bin %v prediction_sum", got.Lower), got.PredictionSum, want.PredictionSum, 0)
	d.Sum(fmt.Sprintf("bin %v reference_sum", got.Lower), got.ReferenceSum, want.ReferenceSum, 0)
}

func compareWinners(d *Diffs, got aggregator.WinnerReading, want *recount.Winners) {
	d.Count("count", got.Count, want.Count)
	d.Count("conversions", got.Conversions, want.Conversions)
	d.Sum("prediction_sum", got.PredictionSum, want.PredictionSum, 0)
	d.number("calibration", got.Calibration, want.Calibration, 0)
	d.number("log_loss", got.LogLoss, want.LogLoss, 0)
	d.number("normalized_entropy", got.NormalizedEntropy, want.NormalizedEntropy, 0)
	// Squares of tiny predictions end below the unit of 2^-60 that each is rounded to.
	d.number("brier", got.Brier, want.Brier, 1e-9)
	d.number("label_maturity", got.LabelMaturity, want.LabelMaturity, 0)
	compareEstimates(d, &got, want)
	d.Sum("cost_micros", got.CostMicros, want.CostMicros, 0)
	d.Sum("value_micros", got.ValueMicros, want.ValueMicros, 0)
	d.number("cost_per_conversion", got.CostPerConversionMicros, want.CostPerConversionMicros, 0)
	numbers(d, "coverage", got.Coverage, want.Coverage, asIs)
	if len(got.ScoreBins) != len(want.Bins) {
		d.Addf("got %d score bins, want %d", len(got.ScoreBins), len(want.Bins))
	}
	for _, b := range got.ScoreBins {
		w := want.Bins[b.Lower]
		compareBin(d, b.ScoreBin, w)
		d.Count(fmt.Sprintf("bin %v conversions", b.Lower), b.Conversions, w.Conversions)
	}
}
