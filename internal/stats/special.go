package stats

import "math"

// inf stands for a limit that does not exist until an estimate is assembled.
var inf = math.Inf(1)

// halfLnTwoPi is ½·ln 2π.
const halfLnTwoPi = 0.91893853320467274178

// maxCount is the largest count that is taken as it is, 2^62: beyond it the sum
// of two would not be an int64.
const maxCount = 1 << 62

// finite says whether v is neither infinite nor NaN.
func finite(vs ...float64) bool {
	for _, v := range vs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// clamp is v inside [low, high].
func clamp(v, low, high float64) float64 { return math.Max(low, math.Min(high, v)) }

// log1pmx is ln(1+x) − x for x > −1. Around 0 both terms agree in nearly all
// digits, and their difference times a count is the exponent of every tail
// here: it is summed from the series of ln((1+r)/(1−r)) in r = x/(2+x), where
// no digit is lost.
func log1pmx(x float64) float64 {
	if x < -0.5 || x > 0.5 {
		return math.Log1p(x) - x
	}
	r := x / (2 + x)
	y := r * r
	sum, power := 0.0, 1.0
	for k := 3.0; k < 101; k += 2 {
		term := power / k
		sum += term
		if term < sum*1e-17 {
			break
		}
		power *= y
	}
	return r * (2*y*sum - x)
}

// deviance is a·ln(a/b) + b − a ≥ 0 for a ≥ 0 and b > 0: half the deviance of a
// count a from its mean b. It keeps its digits where a and b are close
// (Loader 2000, Fast and accurate computation of binomial probabilities).
func deviance(a, b float64) float64 {
	if a <= 0 {
		return b
	}
	mu := (b - a) / a
	if mu < -0.5 || mu > 0.5 {
		return math.Max(0, a*math.Log(a/b)+b-a)
	}
	return -a * log1pmx(mu)
}

// stirlingError is ln Γ(x) − ((x−½)·ln x − x + ½·ln 2π) for x > 0, which is
// 1/12x and less. Where ln Γ(x) is in the billions, differences of such values
// are taken from their Stirling forms with this as the remainder.
func stirlingError(x float64) float64 {
	if x < 10 {
		lg, _ := math.Lgamma(x)
		return lg - ((x-0.5)*math.Log(x) - x + halfLnTwoPi)
	}
	y := 1 / (x * x)
	return (1.0/12 - y*(1.0/360-y*(1.0/1260-y*(1.0/1680-y*(1.0/1188-y*691.0/360360))))) / x
}

// lgamma is ln Γ(x) for x > 0.
func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// lbeta is ln B(a, b) = ln Γ(a) + ln Γ(b) − ln Γ(a+b) for a, b > 0, without the
// cancellation of the three where an argument is large.
func lbeta(a, b float64) float64 {
	p, q := math.Min(a, b), math.Max(a, b)
	switch {
	case q < 10:
		return lgamma(p) + lgamma(q) - lgamma(p+q)
	case p < 10:
		rest := stirlingError(q) - stirlingError(p+q)
		return lgamma(p) + rest + p - p*math.Log(p+q) + (q-0.5)*math.Log1p(-p/(p+q))
	default:
		rest := stirlingError(p) + stirlingError(q) - stirlingError(p+q)
		return halfLnTwoPi - 0.5*math.Log(q) + rest + (p-0.5)*math.Log(p/(p+q)) + q*math.Log1p(-p/(p+q))
	}
}

// xlogy is x·ln y, and 0 at x = 0 whatever y is.
func xlogy(x, y float64) float64 {
	if x == 0 {
		return 0
	}
	return x * math.Log(y)
}

// logAddExp is ln(e^a + e^b). Minus infinity stands for 0.
func logAddExp(a, b float64) float64 {
	high, low := math.Max(a, b), math.Min(a, b)
	if math.IsInf(low, -1) || math.IsInf(high, 1) {
		return high
	}
	return high + math.Log1p(math.Exp(low-high))
}

// logSumExp is ln Σ e^x, minus infinity without terms. The largest is taken out
// first, for e^710 overflows.
func logSumExp(xs []float64) float64 {
	high := math.Inf(-1)
	for _, x := range xs {
		high = math.Max(high, x)
	}
	if math.IsInf(high, 0) {
		return high
	}
	sum := 0.0
	for _, x := range xs {
		sum += math.Exp(x - high)
	}
	return high + math.Log(sum)
}

// bisect is an x in [low, high] where f changes its sign, to the last digits
// that float64 has there. f must have opposite signs at the ends, or be 0 at
// one; where it has not, the end with the smaller |f| is returned.
func bisect(f func(float64) float64, low, high float64) float64 {
	fl, fh := f(low), f(high)
	switch {
	case fl == 0:
		return low
	case fh == 0:
		return high
	case (fl > 0) == (fh > 0):
		if math.Abs(fl) < math.Abs(fh) {
			return low
		}
		return high
	}
	// 2000 halvings are more than there are steps between any two float64.
	for range 2000 {
		mid := low + (high-low)/2
		if mid <= low || mid >= high {
			break
		}
		if fm := f(mid); (fm > 0) == (fl > 0) {
			low = mid
		} else {
			high = mid
		}
	}
	return low + (high-low)/2
}
