package stats

import "math"

// defaultShapes are the shapes a of the Gamma(a, a) priors that RatioE mixes:
// wide, medium and narrow around a ratio of 1.
var defaultShapes = [...]float64{0.5, 10, 100}

// gammaPoisson is ln e_a(N, Λ) of the Gamma(a, a) mixture over the ratio R of
// the martingales R^N·e^(−(R−1)Λ),
//
//	a·ln a − ln Γ(a) + ln Γ(a+N) − (a+N)·ln(a+Λ) + Λ.
//
// With x = a+N, m = a+Λ and Stirling's form of ln Γ the large terms are one
// deviance, x·ln(x/m) − x + m, and nothing cancels at any count: as it stands,
// the formula has lost all digits at 1e9 conversions.
func gammaPoisson(a, n, lambda float64) float64 {
	x := a + n
	return deviance(x, a+lambda) + 0.5*math.Log(a/x) + stirlingError(x) - stirlingError(a)
}

// GammaPoissonE is the e-value of a Gamma(a, a) mixture against Q = 1, after
// Howard et al. 2021 (arXiv:1810.08240): for Bernoulli rows of any predictions
// exp(θN − (e^θ−1)Λ) is a supermartingale without approximation, and for Poisson
// counts a martingale. Not ok unless a > 0 and the sums are sensible.
func GammaPoissonE(arm Arm, a float64) (LogE, bool) {
	n, lambda, ok := arm.tempered()
	if !ok || !(a > 0) || !finite(a) {
		return 0, false
	}
	return checkedE(gammaPoisson(a, n, lambda))
}

// tempered are the sums divided by the design effect.
func (a Arm) tempered() (n, lambda float64, ok bool) {
	if a.Observed < 0 || !finite(a.Expected) || a.Expected < 0 || a.Expected == 0 && a.Observed > 0 {
		return 0, 0, false
	}
	phi := a.phi()
	return float64(a.Observed) / phi, a.Expected / phi, true
}

// mixed is ln of the mean of e_a over the shapes, and its slope in Λ.
func mixed(n, lambda float64, shapes []float64) (value, slope float64) {
	var logs [8]float64
	top := math.Inf(-1)
	for i, a := range shapes {
		logs[i] = gammaPoisson(a, n, lambda)
		top = math.Max(top, logs[i])
	}
	if math.IsInf(top, 0) {
		return top, 0
	}
	sum := 0.0
	for i, a := range shapes {
		w := math.Exp(logs[i] - top)
		sum += w
		slope += w * ((lambda - n) / (a + lambda))
	}
	return top + math.Log(sum/float64(len(shapes))), slope / sum
}

// RatioE is the default test of one arm's calibration: the evidence against
// Q = 1, the mean of GammaPoissonE over a of 0.5, 10 and 100. Its state is two
// sums, so that it survives restarts, merges by adding and does not depend on
// the order of events.
//
// The arm's design effect tempers it: both sums are divided by φ, which must come
// from data before those tested (DesignEffect.Tempering). Without that, clusters
// of rows break it. It assumes nothing of the predictions, but a shock that
// reaches all arms moves Q as well: for the difference of arms there is TwoArm.
// Not ok without predictions where there are conversions.
func RatioE(arm Arm) (LogE, bool) {
	n, lambda, ok := arm.tempered()
	if !ok {
		return 0, false
	}
	e, _ := mixed(n, lambda, defaultShapes[:])
	return checkedE(e)
}

// RatioEOutside is the evidence against low ≤ Q ≤ high: that of RatioE against
// the Q in that margin which fits best. Every term of the mixture is least at
// N/Λ, so that is the Q nearest to it. Not ok unless 0 < low ≤ high.
func RatioEOutside(arm Arm, low, high float64) (LogE, bool) {
	n, lambda, ok := arm.tempered()
	if !ok || !(low > 0) || !(high >= low) || !finite(high) {
		return 0, false
	}
	nearest := low
	if lambda > 0 {
		nearest = clamp(n/lambda, low, high)
	}
	e, _ := mixed(n, nearest*lambda, defaultShapes[:])
	return checkedE(e)
}

// RatioSequence is Q with the confidence sequence {R: e(N, RΛ) < 1/α}: at
// confidence level 1−α the true Q stays inside at all times at once, however
// often one looks. It is an interval, for the mixture is convex in R with its
// minimum at N/Λ. The status is low_data without conversions.
func RatioSequence(arm Arm, level float64) (Estimate, bool) {
	return ratioSequence(arm, level, defaultShapes[:])
}

func ratioSequence(arm Arm, level float64, shapes []float64) (Estimate, bool) {
	n, lambda, ok := arm.tempered()
	switch {
	case arm.Expected == 0 && arm.Observed > 0:
		return undefined(arm.Observed, PredictionMissing)
	case !ok || lambda == 0:
		return undefined(max(arm.Observed, 0), Undefined)
	}
	target := logThreshold(level)
	f := func(m float64) (float64, float64) { return mixed(n, m, shapes) }
	// Of the normal approximation, ln e = (m−n)²/2n − ln(1+n)/2. e grows as
	// e^m/m^(a+N): it passes any threshold.
	near := math.Sqrt(2 * (n + 1) * (target + 0.5*math.Log1p(n)))
	high, ok := convexRoot(f, n, near, math.MaxFloat64/4, target)
	if !ok {
		high = inf
	}
	low, _ := convexRoot(f, n, near, 0, target)
	status := OK
	if arm.Observed == 0 {
		status = LowData
	}
	e, ok := estimate(n/lambda, low/lambda, high/lambda, arm.Observed, status)
	e.Effective = n
	return e, ok
}

// RatioEAbove is the evidence against Q ≤ q0, the mean of e^(gN − (e^g−1)·q0·Λ)
// over the log ratios g of DefaultGrid above 0. Unlike RatioE it grows with
// every conversion and falls with every one that was expected and did not come.
func RatioEAbove(arm Arm, q0 float64) (LogE, bool) { return oneSided(arm, q0, 1) }

// RatioEBelow is the evidence against Q ≥ q0, over the log ratios below 0. It
// grows with what was expected and falls with every conversion. For rows that
// are Bernoulli it is valid for Q ≥ q0 as that of Poisson counts is.
func RatioEBelow(arm Arm, q0 float64) (LogE, bool) { return oneSided(arm, q0, -1) }

func oneSided(arm Arm, q0, sign float64) (LogE, bool) {
	n, lambda, ok := arm.tempered()
	if !ok || !(q0 > 0) || !finite(q0) {
		return 0, false
	}
	var logs [len(defaultGrid) / 2]float64
	for i := range logs {
		g := sign * math.Abs(defaultGrid[i])
		logs[i] = g*n - math.Expm1(g)*(q0*lambda)
	}
	return checkedE(logSumExp(logs[:]) - math.Log(float64(len(logs))))
}
