package stats

import "math"

// LabelLogMAE is LogMAE against labels, over bins of predictions: a single
// label has no logarithm.
type LabelLogMAE struct {
	PerBin   []float64 // |ln((E_b + ½)/(O_b + ½))|
	Mean     float64   // their mean
	Weighted float64   // their mean by E_b
	Debiased float64   // Weighted less what the noise of the labels adds, at least 0
}

// LogMAEOnLabels compares the conversions predicted and observed in each bin,
// |ln((E_b + ½)/(O_b + ½))|, weighted by those predicted. Noise alone makes it
// positive: Debiased takes E|N(d_b, s_b²)| − |d_b| off each bin, with
// s_b² = 1/(O_b + ½). Not ok without predictions.
func LogMAEOnLabels(bins []Bin) (LabelLogMAE, bool) {
	m := LabelLogMAE{}
	expected, folded, n := 0.0, 0.0, 0.0
	for _, b := range bins {
		if !b.valid() {
			m.PerBin = append(m.PerBin, 0)
			continue
		}
		d := math.Log((b.Prediction + 0.5) / (b.Observed + 0.5))
		m.PerBin = append(m.PerBin, math.Abs(d))
		m.Mean += math.Abs(d)
		m.Weighted += b.Prediction * math.Abs(d)
		folded += b.Prediction * (2*math.Abs(d) - foldedMean(d, math.Sqrt(1/(b.Observed+0.5))))
		expected += b.Prediction
		n++
	}
	if !(expected > 0) {
		return LabelLogMAE{}, false
	}
	m.Mean /= n
	m.Weighted /= expected
	m.Debiased = math.Max(0, folded/expected)
	return checked(m, m.Mean, m.Weighted, m.Debiased)
}

// RelativeChange is 1 − A_T/A_C, by how much of the control's the treatment's
// error is smaller, with Fieller's interval from the two means, their variances
// and, where they are of the same rows, their covariance. It is inconclusive
// where the control's is not clear of 0.
func RelativeChange(treatment, control, varTreatment, varControl, covariance, level float64, n int64) (Estimate, bool) {
	e, ok := FiellerRatio(Moments{A: treatment, B: control, VA: varTreatment, VB: varControl, AB: covariance}, level, 0, n)
	if !ok {
		return e, false
	}
	return e.oneMinus()
}

// oneMinus is 1 − e.
func (e Estimate) oneMinus() (Estimate, bool) {
	value, low, high := inf, -inf, inf
	if e.HasValue() {
		value = 1 - e.Value
	}
	if e.HasHigh() {
		low = 1 - e.High
	}
	if e.HasLow() {
		high = 1 - e.Low
	}
	r, ok := estimate(value, low, high, e.N, e.Status)
	r.Effective = e.Effective
	return r, ok
}
