package stats

import "math"

// Moments are two means or sums A and B with the variances and the covariance
// of their estimates.
type Moments struct {
	A, B       float64
	VA, VB, AB float64
}

// fieller are the limits of A/B where the set of ratios q with
// (A − qB)² ≤ c²·(VA − 2q·AB + q²·VB) is an interval (Fieller 1954, JRSS-B 16).
// It is not, and ok is false, where B is within c standard errors of 0: then
// nearly any ratio is compatible. All terms are relative to B, so that sums of
// any size neither overflow nor vanish.
func (m Moments) fieller(c float64) (low, high float64, ok bool) {
	q := m.A / m.B
	c2 := c * c
	lead := 1 - c2*m.VB/m.B/m.B
	half := q - c2*m.AB/m.B/m.B
	rest := q*q - c2*m.VA/m.B/m.B
	if !(lead > 0) || !finite(q, lead, half, rest) {
		return 0, 0, false
	}
	// At q = A/B the parabola is −c² times a variance: it has roots, and only
	// rounding makes the discriminant negative.
	root := math.Sqrt(math.Max(0, half*half-lead*rest))
	// The sum that does not cancel gives one root, the product of the roots the
	// other.
	far := half + math.Copysign(root, half)
	low, high = far/lead, far/lead
	if far != 0 {
		high = rest / far
	}
	if low > high {
		low, high = high, low
	}
	return low, high, finite(low, high)
}

// FiellerRatio is A/B with Fieller's interval at confidence level, with the
// Student quantile at df degrees of freedom, or the normal one where df is 0.
// Unlike the delta method it says when the denominator is too close to 0 for
// any limits: the estimate then has a value but no limits, and the status
// inconclusive. It is undefined at B = 0 and for negative variances.
func FiellerRatio(m Moments, level, df float64, n int64) (Estimate, bool) {
	if m.B == 0 || !finite(m.A, m.B, m.VA, m.VB, m.AB) || m.VA < 0 || m.VB < 0 {
		return undefined(n, Undefined)
	}
	c := twoSidedZ(level)
	if df > 0 {
		c = studentQuantile(level, df)
	}
	low, high, ok := m.fieller(c)
	if !ok {
		return estimate(m.A/m.B, -inf, inf, n, Inconclusive)
	}
	return estimate(m.A/m.B, low, high, n, OK)
}
