package stats

import "math"

// Entropy is that of a Bernoulli variable with mean p, in nats: not ok unless
// 0 < p < 1, where it is 0 or meaningless as a denominator.
func Entropy(p float64) (float64, bool) {
	if !(p > 0 && p < 1) {
		return 0, false
	}
	return -p*math.Log(p) - (1-p)*math.Log1p(-p), true
}

// LogLoss is −[y·ln p + (1−y)·ln(1−p)] in nats, with p clipped at 1e-7 and
// y in [0, 1].
func LogLoss(p, y float64) float64 {
	p = clipProbability(p)
	if !(y > 0) {
		return -math.Log1p(-p)
	}
	y = math.Min(y, 1)
	return -xlogy(y, p) - (1-y)*math.Log1p(-p)
}

// LossSums are the sums that the losses are read from.
type LossSums struct {
	N        int64
	Weight   float64 // Σw
	Loss     float64 // Σw·LogLoss
	Brier    float64 // Σw·(p − y)²
	Observed float64 // Σwy
}

// AddRow adds a row. One whose prediction is not in (0, 1), or without a
// positive weight, does not count.
func (s *LossSums) AddRow(p, y, w float64) {
	if !(p > 0 && p < 1) || !(w > 0) || !finite(y, w) {
		return
	}
	s.Add(LossSums{1, w, w * LogLoss(p, y), w * (p - y) * (p - y), w * y})
}

// Add adds the rows of o.
func (s *LossSums) Add(o LossSums) {
	s.N += o.N
	s.Weight += o.Weight
	s.Loss += o.Loss
	s.Brier += o.Brier
	s.Observed += o.Observed
}

// BaseRate is π = Σwy/Σw, the share of conversions.
func (s LossSums) BaseRate() (float64, bool) { return Ratio(s.Observed, s.Weight) }

// MeanLogLoss is Σwℓ/Σw, in nats.
func (s LossSums) MeanLogLoss() (float64, bool) { return Ratio(s.Loss, s.Weight) }

// MeanBrier is Σw(p−y)²/Σw.
func (s LossSums) MeanBrier() (float64, bool) { return Ratio(s.Brier, s.Weight) }

// NormalizedEntropy is the mean log loss over the entropy of the base rate π:
// 1 is what predicting π everywhere would get (He et al. 2014, ADKDD). Arms
// are compared with one π, that of the control in the same window: with its
// own, a difference in the mix of traffic passes for one of the models. Not ok
// without rows or unless 0 < π < 1.
func (s LossSums) NormalizedEntropy(baseRate float64) (float64, bool) {
	h, ok := Entropy(baseRate)
	if !ok {
		return 0, false
	}
	l, ok := s.MeanLogLoss()
	if !ok {
		return 0, false
	}
	return Ratio(l, h)
}

// RelativeInformationGain is RIG = 1 − NormalizedEntropy.
func (s LossSums) RelativeInformationGain(baseRate float64) (float64, bool) {
	ne, ok := s.NormalizedEntropy(baseRate)
	if !ok {
		return 0, false
	}
	return 1 - ne, true
}

// NormalizedEntropyByClusters is NormalizedEntropy with its jackknife interval
// over clusters or hash buckets, symmetric in its logarithm as that of
// ClusteredLoss. With shared true the base rate is a given
// constant; otherwise it is each sample's own, whose variance then counts.
func NormalizedEntropyByClusters(cells []LossSums, baseRate float64, shared bool, level float64) (Estimate, bool) {
	const columns = 3
	rows, flat := make([][]float64, len(cells)), make([]float64, 0, columns*len(cells))
	var all LossSums
	for i, c := range cells {
		flat = append(flat, c.Weight, c.Loss, c.Observed)
		rows[i] = flat[columns*i : columns*(i+1)]
		all.Add(c)
	}
	j, ok := Jackknife(rows, func(s []float64) (float64, bool) {
		sums := LossSums{Weight: s[0], Loss: s[1], Observed: s[2]}
		pi := baseRate
		if !shared {
			pi, _ = sums.BaseRate()
		}
		return sums.NormalizedEntropy(pi)
	})
	if !ok {
		return undefined(all.N, Undefined)
	}
	e, ok := j.Estimate(all.N, level)
	if !ok {
		return e, false
	}
	return e.onLogScale()
}

// MeanCell is one cluster's, or hash bucket's, part of a weighted mean.
type MeanCell struct {
	Weight float64 // Σw
	Sum    float64 // Σw·x
}

// Add adds the rows of o.
func (c *MeanCell) Add(o MeanCell) {
	c.Weight += o.Weight
	c.Sum += o.Sum
}

// ClusteredMean is the mean m = Σwx/Σw with m ± t·√V and the cluster-robust
// V = Σ_g(S_g − m·W_g)²/W²·G/(G−1). It serves for losses, for LogMAE, and,
// where x is the difference of two models' losses on the same row, for their
// paired comparison: always prefer that to the difference of two means, whose
// variance is 2σ²(1−corr) of theirs. n is the number of rows.
//
// It is undefined without weight, and low_data with a value only in a single
// cluster.
func ClusteredMean(cells []MeanCell, n int64, level float64, correction Correction) (Estimate, bool) {
	m, v, clusters, ok := meanAndVariance(cells, correction)
	if !ok {
		return undefined(n, Undefined)
	}
	if clusters < 2 {
		return estimate(m, -inf, inf, n, LowData)
	}
	half := correction.quantile(level, clusters) * math.Sqrt(v)
	return estimate(m, m-half, m+half, n, OK)
}

// MeanVariance is the variance of the mean of ClusteredMean. Not ok without weight
// and in a single cluster.
func MeanVariance(cells []MeanCell, correction Correction) (float64, bool) {
	_, v, clusters, ok := meanAndVariance(cells, correction)
	if !ok || clusters < 2 {
		return 0, false
	}
	return checked(v, v)
}

// meanAndVariance has no variance below two clusters.
func meanAndVariance(cells []MeanCell, correction Correction) (m, v float64, clusters int, ok bool) {
	var weight, sum float64
	for _, c := range cells {
		if c != (MeanCell{}) {
			weight += c.Weight
			sum += c.Sum
			clusters++
		}
	}
	m, ok = Ratio(sum, weight)
	if !ok || weight < 0 {
		return 0, 0, clusters, false
	}
	if clusters < 2 {
		return m, 0, clusters, true
	}
	for _, c := range cells {
		r := c.Sum/weight - m*(c.Weight/weight)
		v += r * r
	}
	return m, v * correction.factor(clusters), clusters, true
}

// ClusteredLoss is ClusteredMean for values that are not negative, with
// m·exp(±t·√V/m): the delta method for ln m. Most of a loss is that of the few
// rows that converted, so that it is as skewed as their number, and m ± t·√V
// holds the truth in 92 % of samples with 10 of them instead of 95.
func ClusteredLoss(cells []MeanCell, n int64, level float64, correction Correction) (Estimate, bool) {
	e, ok := ClusteredMean(cells, n, level, correction)
	if !ok {
		return e, false
	}
	return e.onLogScale()
}

// onLogScale makes a symmetric interval around a positive value one that is
// symmetric, and as long to first order, around its logarithm. One whose upper
// limit is beyond what a float64 holds is inconclusive.
func (e Estimate) onLogScale() (Estimate, bool) {
	if !(e.Value > 0) || !e.HasHigh() {
		return e, true
	}
	half := (e.High - e.Value) / e.Value
	r, ok := estimate(e.Value, e.Value*math.Exp(-half), e.Value*math.Exp(half), e.N, e.Status)
	r.Effective = e.Effective
	if !r.HasHigh() {
		r.Status = Inconclusive
	}
	return r, ok
}

// Difference is a − b of two independent estimates with intervals of the same
// kind and level, each side's limit from the distances of the limits it comes
// from (the square-and-add of Newcombe 1998, which for symmetric intervals is
// the usual √(V_a + V_b)). A side with an unknown limit has none.
func Difference(a, b Estimate) (Estimate, bool) {
	n := a.N + b.N
	if n < 0 {
		n = math.MaxInt64
	}
	if !a.HasValue() || !b.HasValue() {
		return undefined(n, Undefined)
	}
	d := a.Value - b.Value
	low, high := -inf, inf
	if a.HasLow() && b.HasHigh() {
		low = d - math.Hypot(a.Value-a.Low, b.High-b.Value)
	}
	if a.HasHigh() && b.HasLow() {
		high = d + math.Hypot(a.High-a.Value, b.Value-b.Low)
	}
	status := a.Status
	if status == OK {
		status = b.Status
	}
	return estimate(d, low, high, n, status)
}
