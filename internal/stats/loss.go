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
