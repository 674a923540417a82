package stats

import "math"

// LogE is the natural logarithm of an e-value: evidence against a null
// hypothesis under which the e-value's mean is at most 1. An e-process may be
// looked at after every event, and by Ville's inequality (1939) the probability
// that it ever reaches 1/α is at most α under the null. It is kept in logs
// because evidence of thousands of nats is common and e^710 overflows.
//
// E-values of independent, or one after the other conditionally valid, sets of
// data multiply: their LogE add.
type LogE float64

// Rejects reports whether the e-value has reached 1/α. α outside (0, 1) rejects
// nothing.
func (e LogE) Rejects(alpha float64) bool {
	return alpha > 0 && alpha < 1 && float64(e) >= -math.Log(alpha)
}

// P is the p-value min(1, e^−e). Of the largest value that an e-process has had
// it is valid at any time.
func (e LogE) P() float64 {
	if !(e > 0) {
		return 1
	}
	return math.Exp(-float64(e))
}

// alphaOf is the error probability of a confidence level, never 0.
func alphaOf(level float64) float64 { return 1 - clampLevel(level) }

// logThreshold is ln(1/α) of a confidence level: what an e-process must stay
// below for its parameter to lie in the confidence sequence.
func logThreshold(level float64) float64 { return -math.Log(alphaOf(level)) }

// checkedE is e where it is a number.
func checkedE(e float64) (LogE, bool) {
	if !finite(e) {
		return 0, false
	}
	return LogE(e), true
}

// convexRoot is the x between inside and outside where the convex f, given with
// its slope, reaches target: f(inside) < target, and outside may be on either
// side of inside. ok is false, and the answer outside, where f stays below
// target up to there. near is how far from inside the root may be; it saves
// steps from an end that is far away. Newton steps from the outer side of a convex function
// never pass its root: where one does, rounding has, and the root is there.
func convexRoot(f func(x float64) (value, slope float64), inside, near, outside, target float64) (float64, bool) {
	var v, slope float64
	center := inside
	for far := outside; ; near *= 2 {
		outside = far
		if near > 0 && near < math.Abs(far-inside) {
			outside = inside + math.Copysign(near, far-inside)
		}
		if v, slope = f(outside); v > target {
			break
		}
		if outside == far {
			return far, false
		}
		inside = outside
	}
	for range 400 {
		x := outside - (v-target)/slope
		if !(math.Min(inside, outside) < x && x < math.Max(inside, outside)) {
			x = inside + (outside-inside)/2
			if x == inside || x == outside {
				return outside, true
			}
		}
		value, s := f(x)
		if value > target {
			step := math.Abs(x - outside)
			outside, v, slope = x, value, s
			// The next step would be its square, relative to the way.
			if step <= math.Max(1e-7*math.Abs(x-center), 4e-16*math.Abs(x)) {
				break
			}
			continue
		}
		if target-value <= 1e-11*(1+math.Abs(target)) {
			return x, true
		}
		inside = x // a halving, or a slope of few digits
	}
	return outside, true
}
