package stats

import "math"

// Wilson is k/n with the score interval of Wilson 1927 (JASA 22), the q with
// |k − nq| ≤ z·√(nq(1−q)). k and n may be effective counts: those of clustered
// rows are divided by their design effect before. Not ok unless 0 ≤ k ≤ n and
// n > 0.
func Wilson(k, n, level float64) (Estimate, bool) {
	low, high, ok := wilson(k, n, twoSidedZ(level))
	if !ok {
		return undefined(0, Undefined)
	}
	e, ok := estimate(k/n, low, high, int64(math.Min(n, maxCount)), OK)
	e.Effective = n
	return e, ok
}

func wilson(k, n, z float64) (low, high float64, ok bool) {
	if !(k >= 0) || !(k <= n) || !(n > 0) || !finite(n) {
		return 0, 0, false
	}
	q, r, a := k/n, (n-k)/n, z*z/n
	root := math.Sqrt(a * (q*r + a/4))
	low, high = (q+a/2-root)/(1+a), (q+a/2+root)/(1+a)
	// The limits of 0 and of all are exact; the difference above leaves crumbs.
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return clamp(low, 0, 1), clamp(high, 0, 1), true
}

// Proportion is k of n, such as rows in which a feature family is present.
type Proportion struct {
	K, N float64
}

// ProportionDifference is p_a − p_b of two independent proportions with
// Newcombe's hybrid of Wilson intervals (method 10; Newcombe 1998, Statistics in
// Medicine 17): the distances of the limits that pull the same way, squared and
// added. It holds at 0 and at n, where score intervals do not. Not ok where a
// proportion is not.
func ProportionDifference(a, b Proportion, level float64) (Estimate, bool) {
	z := twoSidedZ(level)
	la, ha, ok := wilson(a.K, a.N, z)
	lb, hb, okB := wilson(b.K, b.N, z)
	if !ok || !okB {
		return undefined(0, Undefined)
	}
	pa, pb := a.K/a.N, b.K/b.N
	d := pa - pb
	n := int64(math.Min(a.N+b.N, maxCount))
	return estimate(d, d-math.Hypot(pa-la, hb-pb), d+math.Hypot(ha-pa, pb-lb), n, OK)
}

// ScoreDifference is p_a − p_b with the score interval of Miettinen and Nurminen
// 1985 (Statistics in Medicine 4): the differences δ with
// |p_a − p_b − δ| ≤ z·√V(δ), V from the proportions that fit best among those that
// differ by δ, times n/(n−1). It is the more exact one in the middle. Not ok where
// a proportion is not, and below two rows.
func ScoreDifference(a, b Proportion, level float64) (Estimate, bool) {
	return scoreDifference(a, b, level, fittingProportions)
}

func scoreDifference(a, b Proportion, level float64, fitting func(a, b Proportion, delta float64) (p, q float64)) (Estimate, bool) {
	z := twoSidedZ(level)
	_, _, ok := wilson(a.K, a.N, z)
	_, _, okB := wilson(b.K, b.N, z)
	n := a.N + b.N
	if !ok || !okB || !finite(n) || n <= 1 {
		return undefined(0, Undefined)
	}
	d := a.K/a.N - b.K/b.N
	excess := func(delta float64) float64 {
		p, q := fitting(a, b, delta)
		v := (p*(1-p)/a.N + q*(1-q)/b.N) * (n / (n - 1))
		return math.Abs(d-delta) - z*math.Sqrt(math.Max(0, v))
	}
	low, high := -1.0, 1.0
	if excess(d) < 0 {
		if excess(-1) > 0 {
			low = bisect(excess, -1, d)
		}
		if excess(1) > 0 {
			high = bisect(excess, d, 1)
		}
	} else {
		// Both proportions are 0 or 1 and the variance at d is 0: the limits are
		// where it first is not.
		low, high = bisectFrom(excess, d, -1), bisectFrom(excess, d, 1)
	}
	return estimate(d, low, high, int64(math.Min(n, maxCount)), OK)
}

// bisectFrom is the x between start and end at which f turns positive, for an f
// that is 0 at start and negative from there to x; start where it is positive all
// along. How close to start x is depends on the number of rows: the search goes
// there by halves.
func bisectFrom(f func(float64) float64, start, end float64) float64 {
	far := end
	for i := 0; i < 50; i++ {
		x := start + math.Ldexp(end-start, -i)
		if f(x) < 0 {
			switch {
			case x == end:
				return end
			case x < far:
				return bisect(f, x, far)
			}
			return bisect(f, far, x)
		}
		far = x
	}
	return start
}

// fittingProportions maximise the likelihood of both counts under p − q = δ. Its
// logarithm is concave in q, so that the sign of the slope leads to it; the cubic
// of the paper has the same root and loses digits where counts are small.
func fittingProportions(a, b Proportion, delta float64) (p, q float64) {
	low, high := math.Max(0, -delta), math.Min(1, 1-delta)
	over := func(k, x float64) float64 {
		if k == 0 {
			return 0
		}
		return k / math.Max(0, x) // infinite at the edge
	}
	for range 60 {
		mid := low + (high-low)/2
		slope := over(a.K, mid+delta) + over(b.K, mid) - over(a.N-a.K, 1-mid-delta) - over(b.N-b.K, 1-mid)
		if slope > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	q = low + (high-low)/2
	return clamp(q+delta, 0, 1), q
}
