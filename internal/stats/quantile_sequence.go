package stats

import "math"

// QuantileMixture is the beta-binomial mixture for the number k of n values that
// are at or below the q-quantile: with S = k − nq and V = nq(1−q), tuned at
// TOpt values and error probability Alpha (Howard and Ramdas 2022,
// arXiv:1906.09712). It is dirichletE of the counts k and n−k with shares q and
// 1−q.
type QuantileMixture struct {
	Q, TOpt, Alpha float64
}

func (m QuantileMixture) valid() bool {
	return m.Q > 0 && m.Q < 1 && m.TOpt > 0 && finite(m.TOpt) && m.Alpha > 0 && m.Alpha < 1
}

// LogE is the two-sided evidence that the point with k of n values at or below it
// is not the q-quantile. k need not be whole. Not ok for k outside [0, n] and
// parameters outside their ranges.
func (m QuantileMixture) LogE(k, n float64) (LogE, bool) {
	if !m.valid() || !(k >= 0) || !(k <= n) {
		return 0, false
	}
	kappa := tunedConcentration(m.TOpt, logFactor(m.Alpha))
	return dirichletE([]float64{k, n - k}, []float64{m.Q, 1 - m.Q}, kappa)
}

// RankBound is by how many values k ever exceeds nq, with probability at most
// Alpha: the one-sided mixture over larger shares. From below it is the bound of
// 1−q. It is n(1−q), the whole, where n is too small for any bound.
func (m QuantileMixture) RankBound(n float64) (float64, bool) {
	if !m.valid() || !(m.Alpha < 0.5) || !(n > 0) || !finite(n) {
		return 0, false
	}
	q, r := m.Q, 1-m.Q
	kappa := tunedConcentration(m.TOpt, logFactor(2*m.Alpha))
	prior := betaInc(kappa*r, kappa*q, r)
	counts, shares := make([]float64, 2), []float64{q, r}
	return upcrossing(m.Alpha, math.Max(1, math.Sqrt(n*q*r)), n*r, func(s float64) (LogE, bool) {
		k := math.Min(n, n*q+s)
		counts[0], counts[1] = k, n-k
		e, ok := dirichletE(counts, shares, kappa)
		if !ok {
			return 0, false
		}
		return checkedE(float64(e) + math.Log(betaInc(kappa*r+n-k, kappa*q+k, r)/prior))
	})
}

// QuantileSequence are the bins in which the q-quantile of an exact histogram may
// lie: those from the bin of the (q−u)-quantile to that of the (q+u)-quantile,
// with u from RankBound at half the error probability on each side. ok is false
// without counts. A side whose bound reaches the end of the sample is open: for
// q = 0.99 the upper one is until there are some 500 values.
//
// A histogram with exact counts is needed; the ranks of a t-digest have no bound.
type QuantileSequence struct {
	Bin                int // of the sample quantile
	Low, High          int // bins of the limits
	OpenLow, OpenHigh  bool
	N                  int64
	RankLow, RankAbove float64 // nq less, and plus, the bounds
}

// QuantileLimits is the confidence sequence of the q-quantile of counts by
// ascending bins, tuned at tOpt values.
func QuantileLimits(counts []int64, q, tOpt, level float64) (QuantileSequence, bool) {
	n, ok := countSum(counts)
	alpha := alphaOf(level) / 2
	up, okUp := QuantileMixture{q, tOpt, alpha}.RankBound(n)
	down, okDown := QuantileMixture{1 - q, tOpt, alpha}.RankBound(n)
	if !ok || !okUp || !okDown {
		return QuantileSequence{}, false
	}
	s := QuantileSequence{N: int64(math.Min(n, maxCount)), RankLow: n*q - down, RankAbove: n*q + up}
	s.OpenLow, s.OpenHigh = s.RankLow <= 0, s.RankAbove >= n
	s.Bin, s.Low, s.High = binOfRank(counts, n*q), binOfRank(counts, s.RankLow), binOfRank(counts, s.RankAbove)
	return s, true
}

func countSum(counts []int64) (float64, bool) {
	n := 0.0
	for _, c := range counts {
		if c < 0 {
			return 0, false
		}
		n += float64(c)
	}
	return n, n > 0
}

// binOfRank is the first bin up to which there are at least rank values, of those
// that have any.
func binOfRank(counts []int64, rank float64) int {
	seen, last := 0.0, 0
	for i, c := range counts {
		if c == 0 {
			continue
		}
		seen += float64(c)
		last = i
		if seen >= rank {
			return i
		}
	}
	return last
}

// QuantileDifference is the evidence that the q-quantiles of two arms differ: the
// least, over the points x that both could share, of the two arms' evidence that
// x is not their quantile (Howard and Ramdas 2022, section 5). Both histograms have the
// same ascending bins; inside a bin each arm's share below x may be anything
// between those at its edges, and the least term is taken, which is
// conservative. Not ok for an arm without values and for unequal lengths.
func QuantileDifference(a, b []int64, m QuantileMixture) (LogE, bool) {
	na, okA := countSum(a)
	nb, okB := countSum(b)
	if !okA || !okB || len(a) != len(b) || !m.valid() {
		return 0, false
	}
	fa, fb := m.fitting(na), m.fitting(nb)
	least := inf
	var ka, kb float64
	for i := range a {
		ea, ok := m.LogE(clamp(fa, ka, math.Min(na, ka+float64(a[i]))), na)
		eb, okB := m.LogE(clamp(fb, kb, math.Min(nb, kb+float64(b[i]))), nb)
		if !ok || !okB {
			return 0, false
		}
		least = math.Min(least, float64(ea)+float64(eb))
		ka, kb = math.Min(na, ka+float64(a[i])), math.Min(nb, kb+float64(b[i]))
	}
	return checkedE(least)
}

// fitting is the k at which the evidence is least: ln e is convex in k, and near
// nq. By golden sections.
func (m QuantileMixture) fitting(n float64) float64 {
	low, high := 0.0, n
	ratio := (math.Sqrt(5) - 1) / 2
	f := func(k float64) float64 { e, _ := m.LogE(k, n); return float64(e) }
	x, y := high-ratio*(high-low), low+ratio*(high-low)
	fx, fy := f(x), f(y)
	for range 100 {
		if high-low <= 1e-9*n {
			break
		}
		if fx < fy {
			high, y, fy = y, x, fx
			x = high - ratio*(high-low)
			fx = f(x)
		} else {
			low, x, fx = x, y, fy
			y = low + ratio*(high-low)
			fy = f(y)
		}
	}
	return low + (high-low)/2
}
