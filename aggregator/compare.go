package aggregator

import (
	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// Comparison is an arm beside the control arm, over the same time and the same
// slice. A ratio is the arm's number over the control's, a difference the arm's
// less the control's.
type Comparison struct {
	// CalibrationRatio compares winners of the same age and optimization type, by
	// the labels that have had time to come: whatever the delay curve, it cancels.
	CalibrationRatio            Estimate            `json:"calibration_ratio"`
	CalibrationVsReferenceRatio Estimate            `json:"calibration_vs_reference_ratio"` // of candidates
	LogMAEDifference            Estimate            `json:"log_mae_difference"`
	LogBiasDifference           Estimate            `json:"log_bias_difference"`
	LogLossDifference           Estimate            `json:"log_loss_difference"`
	NormalizedEntropyDifference Estimate            `json:"normalized_entropy_difference"` // under the control's base rate in both
	BrierDifference             Estimate            `json:"brier_difference"`
	AUCDifference               Estimate            `json:"auc_difference"`
	CandidateCoverageDifference map[string]Estimate `json:"candidate_coverage_difference"`
	WinnerCoverageDifference    map[string]Estimate `json:"winner_coverage_difference"`
	ServingSuccessDifference    map[string]Estimate `json:"serving_success_difference"`
}

// Compare compares an arm with the control arm, whose readings r and control are.
func (s *Sums) Compare(control *Sums, r, controls *Reading) Comparison {
	c := Comparison{CandidateCoverageDifference: map[string]Estimate{}, WinnerCoverageDifference: map[string]Estimate{}, ServingSuccessDifference: map[string]Estimate{}}
	c.CalibrationRatio = s.Winners.calibrationRatio(&control.Winners)
	rc, cc := &r.Candidates.Estimates, &controls.Candidates.Estimates
	c.CalibrationVsReferenceRatio = counted(stats.RatioOf(rc.CalibrationVsReference.Estimate, cc.CalibrationVsReference.Estimate))
	c.LogMAEDifference = difference(rc.LogMAE, cc.LogMAE)
	c.LogBiasDifference = difference(rc.LogBias, cc.LogBias)
	rw, cw := &r.Winners.Estimates, &controls.Winners.Estimates
	c.LogLossDifference = difference(rw.LogLoss, cw.LogLoss)
	c.BrierDifference = difference(rw.Brier, cw.Brier)
	c.AUCDifference = difference(rw.AUC, cw.AUC)
	c.NormalizedEntropyDifference = control.Winners.entropyDifference(c.LogLossDifference)
	differences(c.CandidateCoverageDifference, rc.Coverage, cc.Coverage)
	differences(c.WinnerCoverageDifference, rw.Coverage, cw.Coverage)
	for tower, t := range r.Serving {
		if o, both := controls.Serving[tower]; both {
			c.ServingSuccessDifference[tower] = difference(t.Estimates.SuccessRatio, o.Estimates.SuccessRatio)
		}
	}
	return c
}

func difference(a, b Estimate) Estimate { return counted(stats.Difference(a.Estimate, b.Estimate)) }

func differences(to map[string]Estimate, a, b map[string]Estimate) {
	for name, e := range a {
		if o, both := b[name]; both {
			to[name] = difference(e, o)
		}
	}
}

// calibrationRatio is C of w over C of the control, by strata of age and
// optimization type. Labels are counted without weights.
func (w *WinnerSums) calibrationRatio(control *WinnerSums) Estimate {
	own, others := w.clusterSums(), control.clusterSums()
	var strata []stats.Stratum
	for i := range w.Ages {
		a := &w.Ages[i]
		var b *AgeSums
		for k := range control.Ages {
			if control.Ages[k].OptimizationType == a.OptimizationType {
				b = &control.Ages[k]
			}
		}
		if b == nil {
			continue
		}
		for passed := 1; passed < len(a.Expected); passed++ {
			s := stats.Stratum{
				Treatment: stats.Arm{Observed: a.Seen[passed], Expected: a.Expected[passed].Float(fixed.ProbBits), DesignEffect: own.phi},
				Control:   stats.Arm{Observed: b.Seen[passed], Expected: b.Expected[passed].Float(fixed.ProbBits), DesignEffect: others.phi},
			}
			if s.Treatment.Expected > 0 && s.Control.Expected > 0 {
				strata = append(strata, s)
			}
		}
	}
	q, ok := stats.StratifiedArmRatio(strata, intervalLevel)
	if !ok {
		return Estimate{q}
	}
	q, ok = q.Exp()
	if !ok {
		return Estimate{q}
	}
	return counted(q.Invert())
}

// entropyDifference is a difference of log losses in units of the entropy of w's
// base rate: with a rate of its own for each arm, a difference in the mix of
// traffic would pass for one of the models.
func (w *WinnerSums) entropyDifference(loss Estimate) Estimate {
	rate, ok := stats.Ratio(w.Labels.Weight(), w.All.Weight())
	if !ok {
		return Estimate{stats.Estimate{N: loss.N}}
	}
	h, ok := stats.Entropy(rate)
	if !ok {
		return Estimate{stats.Estimate{N: loss.N}}
	}
	e := loss.Estimate
	e.Value, e.Low, e.High = e.Value/h, e.Low/h, e.High/h
	if w.Labels.N < leastForRanks && e.Status == stats.OK {
		e.Status = stats.LowData
	}
	return Estimate{e}
}
