package stats

import (
	"cmp"
	"math"
	"slices"
)

// VersionPair counts scored pairs by the builds that their two embeddings are of.
type VersionPair struct {
	Query, Item int64 // build numbers
	Count       int64
}

// LagCount counts pairs by lag, the query's build less the item's.
type LagCount struct {
	Lag, Count int64
}

// Lags are the counts by lag in ascending order; pairs with a count that is not
// positive do not count.
func Lags(pairs []VersionPair) []LagCount {
	byLag := map[int64]int64{}
	for _, p := range pairs {
		if p.Count > 0 {
			byLag[p.Query-p.Item] += min(p.Count, math.MaxInt64-byLag[p.Query-p.Item])
		}
	}
	out := make([]LagCount, 0, len(byLag))
	for lag, n := range byLag {
		out = append(out, LagCount{lag, n})
	}
	slices.SortFunc(out, func(a, b LagCount) int { return cmp.Compare(a.Lag, b.Lag) })
	return out
}

// LagDistribution describes how far apart versions are.
type LagDistribution struct {
	SameVersion float64 // share of lag 0
	MeanLag     float64 // in builds
	P95         int64   // the least lag that 95 % of pairs do not exceed
	Entropy     float64 // −Σs·ln s, in nats
	Agreement   float64 // Σs², the chance that two pairs have the same lag
	N           int64
}

// DescribeLags reads the distribution off counts by ascending lag. The same-version
// share has its interval from ClusteredMean over hash buckets of items. Not ok
// without pairs and for negative counts.
func DescribeLags(lags []LagCount) (LagDistribution, bool) {
	n := 0.0
	for _, l := range lags {
		if l.Count < 0 {
			return LagDistribution{}, false
		}
		n += float64(l.Count)
	}
	if n == 0 {
		return LagDistribution{}, false
	}
	d := LagDistribution{N: int64(math.Min(n, maxCount))}
	seen, found := 0.0, false
	for _, l := range lags {
		s := float64(l.Count) / n
		if l.Lag == 0 {
			d.SameVersion += s
		}
		d.MeanLag += s * float64(l.Lag)
		d.Entropy -= xlogy(s, s)
		d.Agreement += s * s
		seen += float64(l.Count)
		if !found && seen >= 0.95*n {
			d.P95, found = l.Lag, true
		}
	}
	return d, true
}

// LagMetric is a metric at one lag, LogMAE or ln C, within comparable strata.
type LagMetric struct {
	Lag      int64
	Share    float64 // of pairs
	Value    float64
	Variance float64
}

// SkewCost is by how much the metric is off because versions differ,
// Δ = Σ s_l·(m_l − m_0), with V = Σ_{l≠0} s_l²·V_l + (1−s_0)²·V_0. Shares are
// scaled to sum to 1. n is the number of pairs. Undefined without pairs at lag 0,
// or where a share or a variance is negative; lags with the same number are
// summed as they stand.
func SkewCost(lags []LagMetric, n int64, level float64) (Estimate, bool) {
	total, zero := 0.0, -1
	for i, l := range lags {
		if !(l.Share >= 0) || !(l.Variance >= 0) || !finite(l.Share, l.Value, l.Variance) {
			return undefined(n, Undefined)
		}
		total += l.Share
		if l.Lag == 0 && l.Share > 0 {
			zero = i
		}
	}
	if zero < 0 || !finite(total) {
		return undefined(n, Undefined)
	}
	base := lags[zero]
	cost, v, away := 0.0, 0.0, 0.0
	for _, l := range lags {
		if l.Lag == 0 {
			continue
		}
		s := l.Share / total
		away += s
		cost += s * (l.Value - base.Value)
		v += s * s * l.Variance
	}
	half := twoSidedZ(level) * math.Sqrt(v+away*away*base.Variance)
	return estimate(cost, cost-half, cost+half, n, OK)
}

// StaleShare is the share of values older than what bin last ends at, of counts
// by ascending bins of age, with the confidence sequence of ProportionSequence.
// Alerts on the 95th percentile of the age are QuantileLimits of the same counts,
// and drift is Drift.Wasserstein over the logarithms of the ages.
func StaleShare(counts []int64, last int, phi, level float64) (Estimate, bool) {
	var n, stale int64
	for i, c := range counts {
		if c < 0 || n > math.MaxInt64-c {
			return undefined(0, Undefined)
		}
		n += c
		if i > last {
			stale += c
		}
	}
	return ProportionSequence(stale, n, phi, level)
}
