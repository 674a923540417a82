package stats

import "math"

// normalDensity is the density of the standard normal distribution at z.
func normalDensity(z float64) float64 { return math.Exp(-z*z/2 - halfLnTwoPi) }

// normalCDF is the standard normal distribution function, with full relative
// precision in the lower tail.
func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }

// normalTwoSided is Pr(|Z| ≥ |z|) of a standard normal Z: the two-sided p-value
// of a z score.
func normalTwoSided(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// normalQuantile is the z with normalCDF(z) = p. It is exact to the last digits
// in the lower tail too, down to 1e-300; callers that need the upper
// tail beyond 1−1e-12 ask for −normalQuantile(1−p) with 1−p as they know it. p
// outside [1e-300, 1−1e-16] is taken as the nearest p inside.
func normalQuantile(p float64) float64 {
	p = clamp(p, 1e-300, 1-1e-16)
	if p > 0.5 {
		return -normalQuantile(1 - p)
	}
	z := math.Sqrt2 * math.Erfinv(2*p-1)
	if p < 0.01 {
		// math.Erfinv of −1 + 2p has lost what p has below 1e-16.
		z = -math.Sqrt(-2 * math.Log(p))
	}
	// ln Φ is concave and nearly a parabola: Newton in it converges from there.
	target := math.Log(p)
	for range 50 {
		cdf := normalCDF(z)
		step := (math.Log(cdf) - target) * cdf / normalDensity(z)
		z -= step
		if math.Abs(step) <= 1e-15*(1+math.Abs(z)) {
			break
		}
	}
	return z
}

// twoSidedZ is the z of a two-sided normal interval at confidence level.
func twoSidedZ(level float64) float64 { return -normalQuantile((1 - clampLevel(level)) / 2) }

// clampLevel is a confidence level inside [0, 1−1e-15], and 0.95 for NaN: a
// level that cannot be meant must not turn limits into NaN.
func clampLevel(level float64) float64 {
	if math.IsNaN(level) {
		return 0.95
	}
	return clamp(level, 0, 1-1e-15)
}
