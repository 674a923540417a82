package stats

import "math"

// RatioOf is a/b of two independent estimates of positive numbers, with the
// interval that follows from theirs: on the logarithmic scale the distances of
// the limits that pull the same way, squared and added (MOVER; Zou and Donner
// 2008, Statistics in Medicine 27). It holds the level that the two hold, skewed
// intervals included, and is wider than need be for estimates that err together.
//
// A limit is missing where one that it needs is. The status is the worse of both,
// and low_data at best where the interval has one limit. Not ok unless both values
// are known and above 0.
func RatioOf(a, b Estimate) (Estimate, bool) {
	n := addCounts(a.N, b.N)
	status := a.Status
	if status == OK {
		status = b.Status
	}
	if !a.HasValue() || !b.HasValue() || !(a.Value > 0) || !(b.Value > 0) {
		if status == OK {
			status = Undefined
		}
		return undefined(n, status)
	}
	up := func(e Estimate) float64 { return logDistance(e.High, e.Value, e.HasHigh()) }
	down := func(e Estimate) float64 { return logDistance(e.Value, e.Low, e.HasLow() && e.Low > 0) }
	d := math.Log(a.Value) - math.Log(b.Value)
	low := math.Exp(d - math.Hypot(down(a), up(b)))
	high := math.Exp(d + math.Hypot(up(a), down(b)))
	if low == 0 { // no limit: a ratio of positive numbers says nothing by being above 0
		low = math.Inf(-1)
	}
	e, ok := estimate(math.Exp(d), low, high, n, status)
	if ok && e.Known != KnownAll && e.Status == OK {
		e.Status = LowData
	}
	return e, ok
}

// logDistance is ln(far/near) of a limit and its value, and infinite where the
// limit is not known.
func logDistance(far, near float64, known bool) float64 {
	if !known {
		return inf
	}
	return math.Max(0, math.Log(far)-math.Log(near))
}

// addCounts is the sum of two counts, at most the largest int64.
func addCounts(a, b int64) int64 {
	if n := a + b; n >= a && n >= b {
		return n
	}
	return math.MaxInt64
}
