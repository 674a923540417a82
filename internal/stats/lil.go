package stats

import "math"

// EmpiricalProcessBound is by how much an empirical distribution function of t
// values, at any x and any t from tMin on, is ever off with probability at most
// alpha: A·√((ln(1 + ln(t/tMin)) + C)/t) with A = 0.85 (Howard and Ramdas 2022,
// arXiv:1906.09712, theorem 2). It checks all quantiles at once. Not ok for
// t < tMin, tMin < 1 and alpha outside (0, 1).
func EmpiricalProcessBound(t, tMin, alpha float64) (float64, bool) {
	if !(tMin >= 1) || !(t >= tMin) || !finite(t) || !(alpha > 0 && alpha < 1) {
		return 0, false
	}
	// The error falls with C: from next to 1 at 1 to below e^-1000 at 1e4.
	c := math.Exp(bisect(func(logC float64) float64 { return lilError(math.Exp(logC)) - alpha }, 0, math.Log(1e4)))
	b := lilScale * math.Sqrt((math.Log1p(math.Log(t/tMin))+c)/t)
	return checked(b, b)
}

const lilScale = 0.85

// lilError is the least over η > 1 of 4·e^(−γ²C)·(1 + 1/((γ²−1)·ln η)) with
// γ² = 2/η·(A − √(2(η−1)/C))²: the error probability that goes with C.
func lilError(c float64) float64 {
	bound := func(logEta float64) float64 {
		eta := math.Exp(logEta)
		root := lilScale - math.Sqrt(2*math.Expm1(logEta)/c)
		gamma := 2 / eta * root * root
		if root <= 0 || gamma <= 1 {
			return inf
		}
		return -gamma*c + math.Log1p(1/((gamma-1)*logEta))
	}
	// One valley between two walls: golden sections in ln ln η, the walls' scale.
	low, high := math.Log(1e-12), math.Log(math.Log(2*lilScale*lilScale))
	ratio := (math.Sqrt(5) - 1) / 2
	for range 200 {
		x, y := high-ratio*(high-low), low+ratio*(high-low)
		// Where both are infinite, the valley is towards η = 1.
		if fx, fy := bound(math.Exp(x)), bound(math.Exp(y)); fx < fy || math.IsInf(fy, 1) {
			high = y
		} else {
			low = x
		}
	}
	return 4 * math.Exp(bound(math.Exp(low+(high-low)/2)))
}
