package stats

import "math"

// Ratio is a/b, not ok when b is 0 or either is not finite.
func Ratio(a, b float64) (float64, bool) {
	q := a / b
	if b == 0 || math.IsNaN(q) || math.IsInf(q, 0) {
		return 0, false
	}
	return q, true
}

// PoissonInterval is the exact two-sided interval of a Poisson mean of which
// count events were seen, at confidence level (Garwood 1936, Biometrika 28):
// [χ²(α/2; 2n)/2, χ²(1−α/2; 2n+2)/2]. The lower limit is 0 at count 0.
func PoissonInterval(count int64, level float64) (low, high float64) {
	alpha := 1 - level
	n := float64(count)
	if count > 0 {
		low = GammaQuantile(n, alpha/2)
	}
	return low, GammaQuantile(n+1, 1-alpha/2)
}

// Entropy is that of a Bernoulli variable with mean p, in nats: not ok unless
// 0 < p < 1, where it is 0 or meaningless as a denominator.
func Entropy(p float64) (float64, bool) {
	if !(p > 0 && p < 1) {
		return 0, false
	}
	return -p*math.Log(p) - (1-p)*math.Log1p(-p), true
}
