package stats

import "math"

// Cell is what one cluster, or one hash bucket of clusters, has observed and
// what was expected of it: Σwy and Σwp. Cells with neither are no clusters.
type Cell struct {
	Observed, Expected float64
}

// Add adds the rows of o.
func (c *Cell) Add(o Cell) {
	c.Observed += o.Observed
	c.Expected += o.Expected
}

// Correction is how the variance of few clusters is treated.
type Correction uint8

const (
	// SmallSample multiplies the variance by G/(G−1) and uses Student's t at
	// G−1 degrees of freedom: for hash buckets, of which there are few.
	SmallSample Correction = iota
	// LargeSample uses neither: for single users, of which there are many. It
	// is what statsmodels calls use_correction=False.
	LargeSample
)

// quantile is the factor of the standard error of an interval.
func (c Correction) quantile(level float64, clusters int) float64 {
	if c == LargeSample {
		return twoSidedZ(level)
	}
	return studentQuantile(level, float64(clusters-1))
}

// factor multiplies the plain variance.
func (c Correction) factor(clusters int) float64 {
	if c == LargeSample {
		return 1
	}
	return float64(clusters) / float64(clusters-1)
}

// totals are the sums over the cells and the number of those that have any.
func totals(cells []Cell) (sum Cell, clusters int) {
	for _, c := range cells {
		if c != (Cell{}) {
			sum.Add(c)
			clusters++
		}
	}
	return sum, clusters
}

// residuals is Σ(O_g − Q·E_g)², in units of the observed sum squared, which is
// the variance of ln Q without correction.
func residuals(cells []Cell, sum Cell) float64 {
	v := 0.0
	for _, c := range cells {
		// Shares instead of sums: squares of sums could overflow.
		r := c.Observed/sum.Observed - c.Expected/sum.Expected
		v += r * r
	}
	return v
}

// LogRatioVariance is the cluster-robust variance of ln(O/E),
// Σ_g(O_g − Q·E_g)²/O², which equals the sandwich of a Poisson regression with
// offset ln p (Liang and Zeger 1986, Biometrika 73). Not ok below two clusters,
// without conversions or predictions, and for sums that are not finite.
func LogRatioVariance(cells []Cell, correction Correction) (float64, bool) {
	sum, clusters := totals(cells)
	if clusters < 2 || !(sum.Observed > 0) || !(sum.Expected > 0) {
		return 0, false
	}
	v := residuals(cells, sum) * correction.factor(clusters)
	return checked(v, v)
}

// minLogDelta is the observed sum from which ln Q is near enough to normal.
const minLogDelta = 10

// fewClustersFactor multiplies what a design effect from few conversions has
// above 1.
const fewClustersFactor = 3

// ClusteredRatio is Q = O/E with an interval that does not take the rows of a
// cluster as independent. From 10 effective conversions up, 1/V of
// LogRatioVariance but no more than the observed ones, it is Q·exp(±t·√V), where
// t has one degree of freedom less than there are cells with conversions: the
// others bear hardly any of the variance. Below, it is Garwood's at the observed
// count over a design effect of which what exceeds 1 counts threefold, which is
// the 95 % upper bound of a variance from nine clusters: few of them show few of
// the larger ones. No fewer than one conversion counts, and the status is then
// low_data.
//
// Where no larger cluster happens to have converted, a sample is that of
// independent rows, and its interval too: with few conversions in clusters of
// several it can then be too short. In one cell, where nothing is known of how
// clusters differ, the status is low_data. n is the number of conversions.
func ClusteredRatio(cells []Cell, n int64, level float64, correction Correction) (Estimate, bool) {
	sum, clusters := totals(cells)
	count := sum.Observed
	if n > 0 {
		count = min(count, float64(n)) // weights make no conversions
	}
	v, ok := LogRatioVariance(cells, correction)
	if !ok {
		e, ok := exactRatio(count, sum.Observed, sum.Expected, n, level)
		if ok && clusters < 2 {
			e.Status = LowData
		}
		return e, ok
	}
	effective := count
	if v > 0 {
		effective = min(effective, 1/v)
	}
	if effective < minLogDelta {
		few := max(min(1, count), count/(1+fewClustersFactor*(count/effective-1)))
		e, ok := exactRatio(few, sum.Observed, sum.Expected, n, level)
		if ok && e.Status == OK {
			e.Status = LowData
		}
		return e, ok
	}
	q := sum.Observed / sum.Expected
	half := correction.quantile(level, max(convertedCells(cells), 2)) * math.Sqrt(v)
	e, ok := estimate(q, q*math.Exp(-half), q*math.Exp(half), n, OK)
	e.Effective = effective
	if !e.HasHigh() {
		e.Status = Inconclusive
	}
	return e, ok
}

// convertedCells is the number of cells with conversions.
func convertedCells(cells []Cell) int {
	n := 0
	for _, c := range cells {
		if c.Observed > 0 {
			n++
		}
	}
	return n
}

// SumRatio is O/E of two positive sums neither of which is a count, such as the
// predictions of two models for the same rows, with O/E·exp(±t·√V) and V of
// LogRatioVariance. n is the number of rows. It is low_data in one cluster, and
// undefined unless both sums are above 0.
func SumRatio(cells []Cell, n int64, level float64, correction Correction) (Estimate, bool) {
	sum, clusters := totals(cells)
	q, ok := Ratio(sum.Observed, sum.Expected)
	if !ok || !(sum.Observed > 0) || !(sum.Expected > 0) {
		return undefined(n, Undefined)
	}
	v, ok := LogRatioVariance(cells, correction)
	if !ok {
		return estimate(q, 0, inf, n, LowData)
	}
	half := correction.quantile(level, clusters) * math.Sqrt(v)
	e, ok := estimate(q, q*math.Exp(-half), q*math.Exp(half), n, OK)
	if !e.HasHigh() {
		e.Status = Inconclusive
	}
	return e, ok
}

// FiellerByClusters is Q = O/E with Fieller's interval from the means of the
// clusters and their covariance: for few clusters, where ln Q is not normal.
// Where the expected sum is within its own error of 0 the interval is
// unbounded and the status inconclusive. Low may be negative.
func FiellerByClusters(cells []Cell, n int64, level float64) (Estimate, bool) {
	sum, clusters := totals(cells)
	if clusters < 2 || !(sum.Expected > 0) || sum.Observed < 0 || !finite(sum.Observed, sum.Expected) {
		return undefined(n, Undefined)
	}
	g := float64(clusters)
	meanO, meanE := sum.Observed/g, sum.Expected/g
	// Relative to the expected mean, so that squares stay in range.
	m := Moments{A: meanO / meanE, B: 1}
	for _, c := range cells {
		if c != (Cell{}) {
			o, e := (c.Observed-meanO)/meanE, (c.Expected-meanE)/meanE
			m.VA += o * o
			m.AB += o * e
			m.VB += e * e
		}
	}
	scale := 1 / (g - 1) / g
	m.VA, m.AB, m.VB = m.VA*scale, m.AB*scale, m.VB*scale
	return FiellerRatio(m, level, g-1, n)
}

// DesignEffect is φ = Σ_g(O_g − Q·E_g)²/O · G/(G−1): how many times larger the
// variance of a count is than that of independent rows.
type DesignEffect struct {
	Value    float64
	Upper    float64 // its 95 % upper bound, φ·(G−1)/χ²(.05; G−1)
	Clusters int
}

// Tempering is what counts are divided by in a sequential test: the upper bound
// and at least 1. It must come from earlier epochs than the counts.
func (d DesignEffect) Tempering() float64 { return max(1, d.Upper) }

// DesignEffectOf estimates the design effect. Not ok below two clusters and
// without conversions or predictions.
func DesignEffectOf(cells []Cell) (DesignEffect, bool) {
	sum, clusters := totals(cells)
	v, ok := LogRatioVariance(cells, SmallSample)
	if !ok {
		return DesignEffect{Clusters: clusters}, false
	}
	phi := v * sum.Observed
	df := float64(clusters - 1)
	d := DesignEffect{Value: phi, Upper: phi * (df / chiSquaredQuantile(0.05, df)), Clusters: clusters}
	if !finite(d.Value, d.Upper) {
		return DesignEffect{Clusters: clusters}, false
	}
	return d, true
}
