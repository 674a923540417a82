package aggregator

import (
	"math"

	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// costs is the cost of a conversion, whose relative error is that of the
// calibration: both have the conversions below.
func costs(value Number, calibration Estimate) Estimate {
	e := stats.Estimate{N: calibration.N, Effective: calibration.Effective, Status: calibration.Status}
	if !value.OK || !calibration.HasValue() || calibration.Value == 0 {
		return Estimate{e}
	}
	e.Value, e.Known = value.Value, calibration.Known
	e.Low, e.High = value.Value*calibration.Low/calibration.Value, value.Value*calibration.High/calibration.Value
	return Estimate{e}
}

// adjust estimates what losses and costs will be once all labels are there. What
// does not depend on labels is known; what labels add grows by as much as there are
// more of them, if those to come are of winners like those of the ones that are there.
func (w *WinnerSums) adjust(e *WinnerEstimates) {
	weight, labels, n := w.All.Weight(), w.Labels.Weight(), float64(w.Labels.N)
	if !(n > 0) || !(weight > 0) || !e.ConversionsAdjusted.HasValue() {
		for _, to := range []*Estimate{&e.LogLossAdjusted, &e.NormalizedEntropyAdjusted, &e.BrierAdjusted, &e.CostPerConversionAdjustedMicros} {
			*to = Estimate{stats.Estimate{N: e.ConversionsAdjusted.N, Status: e.ConversionsAdjusted.Status}}
		}
		return
	}
	growth := growthOf(e.ConversionsAdjusted, n)
	none, some := w.LossOfNone.Float(fixed.LossBits)/weight, w.LogLoss.Sub(w.LossOfNone).Float(fixed.LossBits)/weight
	e.LogLossAdjusted = growth.apply(e.LogLoss, func(k float64) (float64, bool) { return none + some*k, true })
	e.NormalizedEntropyAdjusted = growth.apply(e.NormalizedEntropy, func(k float64) (float64, bool) {
		h, ok := stats.Entropy(labels * k / weight)
		if !ok {
			return 0, false
		}
		return stats.Ratio(none+some*k, h)
	})
	noneB, someB := w.BrierOfNone.Float(fixed.SquareBits)/weight, w.Brier.Sub(w.BrierOfNone).Float(fixed.SquareBits)/weight
	e.BrierAdjusted = growth.apply(e.Brier, func(k float64) (float64, bool) { return noneB + someB*k, true })
	cost, ok := stats.Ratio(w.Cost.Float(fixed.MicrosBits), labels*growth.value)
	e.CostPerConversionAdjustedMicros = costs(Number{cost, ok}, e.CalibrationAdjusted)
}

// growth is how many times as many labels there will be as there are, at least 1,
// with its limits.
type growth struct {
	value, low, high float64
	bounded          bool
	status           stats.Status
}

func growthOf(final Estimate, now float64) growth {
	g := growth{value: max(1, final.Value/now), status: final.Status, bounded: final.HasLow() && final.HasHigh()}
	if g.low, g.high = g.value, g.value; g.bounded {
		g.low, g.high = max(1, final.Low/now), max(1, final.High/now)
	}
	return g
}

// apply is f at the growth of labels. On either side what the number itself may
// be off and what the growth may be off are taken as independent.
func (g growth) apply(now Estimate, f func(k float64) (float64, bool)) Estimate {
	e := stats.Estimate{N: now.N, Status: now.Status}
	v, ok := f(g.value)
	if !ok {
		return Estimate{e}
	}
	e.Value, e.Known = v, stats.KnownValue
	if e.Status == stats.OK {
		e.Status = g.status
	}
	a, okA := f(g.low)
	b, okB := f(g.high)
	if !g.bounded || !now.HasLow() || !now.HasHigh() || !okA || !okB {
		if e.Status == stats.OK {
			e.Status = stats.LowData
		}
		return Estimate{e}
	}
	// f may rise or fall with the labels.
	below, above := max(0, v-min(a, b)), max(0, max(a, b)-v)
	e.Low = v - math.Hypot(below, g.value*(now.Value-now.Low))
	e.High = v + math.Hypot(above, g.value*(now.High-now.Value))
	e.Known = stats.KnownAll
	return Estimate{e}
}
