package stats

import "math"

// ProportionSequence is k/n, such as the coverage of a feature family, with the
// confidence sequence {q: e(q) < 1/α} of the uniform mixture,
//
//	e(q) = B(1+k, 1+n−k)/B(1, 1)·q^−k·(1−q)^−(n−k) = 1/((n+1)·Pr(k | n, q)),
//
// by the deviances of the binomial probability (Robbins 1970, Annals of
// Mathematical Statistics 41). φ ≥ 1 is the design effect, of pins for coverage,
// known beforehand: it divides k and n. Not ok without rows and for k outside
// [0, n].
func ProportionSequence(k, n int64, phi, level float64) (Estimate, bool) {
	if n <= 0 || k < 0 || k > n {
		return undefined(max(n, 0), Undefined)
	}
	phi = Arm{DesignEffect: phi}.phi()
	a, m := float64(k)/phi, float64(n)/phi
	// ln e is convex in the logit u of q, with slope nq − k.
	f := func(u float64) (float64, float64) {
		q, r := logistic(u)
		v := deviance(a, m*q) + deviance(m-a, m*r)
		return v, a*-r + (m-a)*q
	}
	// What e(q) is at k/n, where both deviances are 0: the rest does not depend
	// on q.
	base := -math.Log1p(m) - binomialPeak(a, m)
	e, ok := proportionLimits(a, m, f, logThreshold(level)-base, n)
	e.Effective = m
	return e, ok
}

// binomialPeak is ln Pr(k | n, k/n).
func binomialPeak(k, n float64) float64 {
	if k <= 0 || k >= n {
		return 0
	}
	return stirlingError(n) - stirlingError(k) - stirlingError(n-k) - halfLnTwoPi + 0.5*math.Log(n/k/(n-k))
}

// logistic is 1/(1+e^−u) and its complement, each with its digits where it is
// small.
func logistic(u float64) (q, r float64) {
	e := math.Exp(-math.Abs(u))
	q, r = 1/(1+e), e/(1+e)
	if u < 0 {
		q, r = r, q
	}
	return q, r
}

// proportionLimits are the two q at which f, of the logit of q, reaches target.
func proportionLimits(a, m float64, f func(u float64) (float64, float64), target float64, n int64) (Estimate, bool) {
	const far = 700 // beyond, q is 0 or 1
	center := clamp(math.Log(a)-math.Log(m-a), -far, far)
	low, high := 0.0, 1.0
	near := math.Sqrt(2 * target / (1 + a*((m-a)/m))) // of the normal approximation
	if a > 0 {
		if u, ok := convexRoot(f, center, near, -far, target); ok {
			low, _ = logistic(u)
		}
	}
	if a < m {
		if u, ok := convexRoot(f, center, near, far, target); ok {
			high, _ = logistic(u)
		}
	}
	return estimate(a/m, low, high, n, OK)
}

// proportionTuning is α in the tuning of mixtures for proportions and quantiles.
const proportionTuning = 0.05

// tunedConcentration is the κ of a Beta(κq, κ(1−q)) mixture that is narrowest
// after tOpt rows, tOpt/(2·ln(1/α) + ln(1 + 2·ln(1/α))) − 1.
func tunedConcentration(tOpt, factor float64) float64 { return math.Max(tOpt/factor-1, 1e-3) }

// TunedProportionSequence is ProportionSequence with a mixture around each q
// that is narrowest after tOpt rows: Beta(κq, κ(1−q)), the two-sided
// beta-binomial mixture of Howard et al. 2021. It is the narrower one for
// proportions that have been near q for long.
func TunedProportionSequence(k, n int64, phi, tOpt, level float64) (Estimate, bool) {
	if n <= 0 || k < 0 || k > n || !(tOpt > 0) || !finite(tOpt) {
		return undefined(max(n, 0), Undefined)
	}
	phi = Arm{DesignEffect: phi}.phi()
	a, m := float64(k)/phi, float64(n)/phi
	kappa := tunedConcentration(tOpt, logFactor(proportionTuning))
	target := logThreshold(level)
	excess := func(u float64) float64 {
		q, r := logistic(u)
		e, ok := dirichletE([]float64{a, m - a}, []float64{q, r}, kappa)
		if !ok {
			return -target
		}
		return float64(e) - target
	}
	// Beyond these logits the shares times κ leave what float64 can tell apart.
	const far = 600
	center := clamp(math.Log(a)-math.Log(m-a), -far, far)
	low, high := 0.0, 1.0
	if a > 0 && excess(-far) > 0 && excess(center) < 0 {
		low, _ = logistic(bisect(excess, -far, center))
	}
	if a < m && excess(far) > 0 && excess(center) < 0 {
		high, _ = logistic(bisect(excess, center, far))
	}
	e, ok := estimate(a/m, low, high, n, OK)
	e.Effective = m
	return e, ok
}
