package recount

import "math"

// finish derives the means, ratios and quantiles from the sums.
func (n *Numbers) finish(curves map[string]*Curve) {
	n.Candidates.finish()
	n.Winners.finish(curves)
	for _, t := range n.Serving {
		t.SuccessRatio = ratio(t.ok.value(), t.all.value())
		t.TimeoutRatio = ratio(t.timeout.value(), t.all.value())
		t.Latency = quantilesOf(t.values)
	}
}

func (n *Candidates) finish() {
	n.PredictionSum = n.prediction.value()
	n.ReferenceSum = n.reference.value()
	n.CalibrationVsReference = ratio(n.paired.value(), n.reference.value())
	n.LogMAE = ratio(n.absLog.value(), n.referenced.value())
	n.LogBias = ratio(n.log.value(), n.referenced.value())
	n.Coverage = coverageOf(n.families)
	n.Quantiles = quantilesOf(n.values)
	n.ItemVersions = map[string]Number{}
	for v, w := range n.versions {
		n.ItemVersions[v] = ratio(w.value(), n.versioned.value())
	}
	n.Bins = binsOf(n.bins)
}

func (n *Winners) finish(curves map[string]*Curve) {
	n.PredictionSum = n.prediction.value()
	labels, weight := n.labels.value(), n.weight.value()
	n.Calibration = ratio(n.PredictionSum, labels)
	n.LogLoss = ratio(n.loss.value(), weight)
	n.Brier = ratio(n.brier.value(), weight)
	n.CostMicros, n.ValueMicros = n.cost.value(), n.value.value()
	n.CostPerConversionMicros = ratio(n.CostMicros, labels)
	n.Coverage = coverageOf(n.families)
	n.Bins = binsOf(n.bins)
	if mean := ratio(labels, weight); mean.OK && mean.Value > 0 && mean.Value < 1 {
		entropy := -mean.Value*math.Log(mean.Value) - (1-mean.Value)*math.Log1p(-mean.Value)
		n.NormalizedEntropy = ratio(n.LogLoss.Value, entropy)
	}
	n.finishInterval()
	n.finishMaturity(curves)
	n.finishRanking()
	n.finishExposure()
}

func coverageOf(families map[string]*share) map[string]Number {
	out := map[string]Number{}
	for f, s := range families {
		out[f] = ratio(s.part.value(), s.whole.value())
	}
	return out
}

func quantilesOf(values []weighted) map[string]Quantile {
	out := map[string]Quantile{}
	for name, q := range quantiles {
		out[name] = quantileOf(values, q)
	}
	return out
}

func binsOf(bins map[float64]*bin) map[float64]Bin {
	out := map[float64]Bin{}
	for lower, b := range bins {
		out[lower] = Bin{b.count, b.conversions, b.prediction.value(), b.reference.value()}
	}
	return out
}
