package stats

import "math"

// Slice is one slice in both arms: its weight in each, such as its predicted
// conversions, and a metric in each, such as Q or ln C.
type Slice struct {
	WeightT, WeightC float64
	MetricT, MetricC float64
}

// MixShift splits the difference of an average between two arms.
type MixShift struct {
	Total float64 // M_T − M_C, each arm's weighted mean
	Mix   float64 // Σ(f_T − f_C)·m̄, what other shares of the slices account for
	Rate  float64 // Σ(m_T − m_C)·f̄, what other values in the slices account for

	MixBySlice  []float64 // relative to the mean of m̄, so that a slice which grows and is average is 0
	RateBySlice []float64
}

// SplitMix is Kitagawa's split (1955, JASA 50): with shares f and values m of the
// slices, and bars for the mean of both arms, M_T − M_C is exactly
// Σ(f_T − f_C)·m̄ + Σ(m_T − m_C)·f̄. Not ok for an arm without weight, and for
// weights that are negative.
func SplitMix(slices []Slice) (MixShift, bool) {
	wt, wc := 0.0, 0.0
	for _, s := range slices {
		if !(s.WeightT >= 0) || !(s.WeightC >= 0) {
			return MixShift{}, false
		}
		wt += s.WeightT
		wc += s.WeightC
	}
	if !(wt > 0) || !(wc > 0) || !finite(wt, wc) {
		return MixShift{}, false
	}
	m := MixShift{MixBySlice: make([]float64, len(slices)), RateBySlice: make([]float64, len(slices))}
	center := 0.0
	for _, s := range slices {
		center += (s.WeightT/wt + s.WeightC/wc) / 2 * (s.MetricT/2 + s.MetricC/2)
	}
	for i, s := range slices {
		ft, fc := s.WeightT/wt, s.WeightC/wc
		mean := s.MetricT/2 + s.MetricC/2
		m.MixBySlice[i] = (ft - fc) * (mean - center)
		m.RateBySlice[i] = (s.MetricT - s.MetricC) * ((ft + fc) / 2)
		m.Mix += (ft - fc) * mean
		m.Rate += m.RateBySlice[i]
	}
	m.Total = m.Mix + m.Rate
	all := append(append([]float64{m.Mix, m.Rate, m.Total}, m.MixBySlice...), m.RateBySlice...)
	return checked(m, all...)
}

// MixOfQ is the split of the difference of Q between arms.
type MixOfQ struct {
	MixShift
	QT, QC       float64
	RateVariance float64
	RateZ        float64
	N            int64 // conversions
}

// SplitQ splits Q_T − Q_C with shares of predicted conversions, for which it is
// exact: Q = Σf_s·Q_s. The variance of the rate part is
// Σ f̄²·(φ_T·O_T/E_T² + φ_C·O_C/E_C²). A slice that has no predictions in one arm
// has no Q there: it is taken as equal to that of the other arm, so that all of
// it is mix. Not ok without predictions in an arm or without conversions in both,
// and for conversions without predictions.
func SplitQ(strata []Stratum) (MixOfQ, bool) {
	slices := make([]Slice, len(strata))
	et, ec, n := 0.0, 0.0, 0.0
	for i, s := range strata {
		t, c := s.Treatment, s.Control
		if t.Observed < 0 || c.Observed < 0 || t.Expected == 0 && t.Observed > 0 || c.Expected == 0 && c.Observed > 0 {
			return MixOfQ{}, false
		}
		slices[i] = Slice{WeightT: t.Expected, WeightC: c.Expected}
		et += t.Expected
		ec += c.Expected
		n += float64(t.Observed) + float64(c.Observed)
		if t.Expected > 0 {
			slices[i].MetricT = t.q()
			slices[i].MetricC = slices[i].MetricT
		}
		if c.Expected > 0 {
			slices[i].MetricC = c.q()
			if t.Expected == 0 {
				slices[i].MetricT = slices[i].MetricC
			}
		}
	}
	split, ok := SplitMix(slices)
	if !ok || n == 0 {
		return MixOfQ{}, false
	}
	m := MixOfQ{MixShift: split, N: int64(math.Min(n, maxCount))}
	for i, s := range slices {
		ft, fc := s.WeightT/et, s.WeightC/ec
		m.QT += ft * s.MetricT
		m.QC += fc * s.MetricC
		mean := (ft + fc) / 2
		for _, a := range []Arm{strata[i].Treatment, strata[i].Control} {
			if a.Expected > 0 {
				m.RateVariance += mean * a.phi() * (a.q() / a.Expected) * mean
			}
		}
	}
	if m.RateVariance > 0 {
		m.RateZ = m.Rate / math.Sqrt(m.RateVariance)
	}
	return checked(m, m.QT, m.QC, m.RateVariance, m.RateZ)
}

// RateEstimate is the rate part with ± z·√V: whether there is a difference that
// no mix explains.
func (m MixOfQ) RateEstimate(level float64) (Estimate, bool) {
	if m.N <= 0 || !(m.RateVariance >= 0) {
		return undefined(max(m.N, 0), Undefined)
	}
	half := twoSidedZ(level) * math.Sqrt(m.RateVariance)
	status := OK
	if m.N < minLogDelta {
		status = LowData
	}
	return estimate(m.Rate, m.Rate-half, m.Rate+half, m.N, status)
}
