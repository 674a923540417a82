package stats

import (
	"math"
	"sync"
)

// betaInc is the regularised incomplete beta function I_x(a, b) for a, b > 0
// and x in [0, 1]: the distribution function of a Beta(a, b) variable. Lentz's
// continued fraction (DLMF 8.17.22) from the side where it converges; above
// 1e8, where its terms would be too many, Wise's gamma form (1950) or the
// first two terms of the uniform expansion (Temme 1996, DLMF 8.18(ii)), both
// to about 1e-8 of the value.
func betaInc(a, b, x float64) float64 { return betaIncPair(a, b, x, 1-x) }

// betaIncPair is betaInc with y = 1 − x as well as it is known.
func betaIncPair(a, b, x, y float64) float64 {
	switch {
	case !(x > 0):
		return 0
	case !(y > 0):
		return 1
	case math.Max(a, b) > 1e8:
		return betaLarge(a, b, x, y)
	case x < (a+1)/(a+b+2):
		return math.Min(1, betaFront(a, b, x, y)*betaFraction(a, b, x)/a)
	default:
		return math.Max(0, 1-betaFront(b, a, y, x)*betaFraction(b, a, y)/b)
	}
}

// betaFront is x^a·y^b/B(a, b) with the powers as deviances, whose digits
// survive when a and b are large.
func betaFront(a, b, x, y float64) float64 {
	n := a + b
	rest := stirlingError(n) - stirlingError(a) - stirlingError(b)
	return math.Exp(rest-deviance(a, n*x)-deviance(b, n*y)-halfLnTwoPi) * math.Sqrt(a/n*b)
}

func betaFraction(a, b, x float64) float64 {
	const tiny = 1e-300
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c := 1.0
	d := 1 / away(1-(a+b)*x/(a+1))
	h := d
	for m := 1.0; m < 1e5; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / away(1+even*d)
		c = away(1 + even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / away(1+odd*d)
		c = away(1 + odd/c)
		step := d * c
		h *= step
		if math.Abs(step-1) < 3e-16 { // one step of float64 on either side
			break
		}
	}
	return h
}

func betaLarge(a, b, x, y float64) float64 {
	minusLog := func(v, rest float64) float64 { // −ln v for v = 1 − rest
		if rest < 0.5 {
			return -math.Log1p(-rest)
		}
		return -math.Log(v)
	}
	switch {
	case a < 1e4:
		return GammaP(a, (b+(a-1)/2)*minusLog(y, x))
	case b < 1e4:
		return GammaQ(b, (a+(b-1)/2)*minusLog(x, y))
	}
	n := a + b
	x0, y0 := a/n, b/n
	half := deviance(x0, x) + deviance(y0, y)
	eta := math.Copysign(math.Sqrt(2*half), x-x0)
	c0 := (1 - 2*x0) / (3 * math.Sqrt(x0*y0)) // the limit of what follows
	if math.Abs(eta) > 1e-6 {
		c0 = 1/eta - math.Sqrt(x0*y0)/(x-x0)
	}
	return clamp(normalCDF(eta*math.Sqrt(n))+math.Exp(-n*half-halfLnTwoPi)*c0/math.Sqrt(n), 0, 1)
}

// betaQuantile is the x with betaInc(a, b, x) = p, for a, b > 0 and p in
// [0, 1].
func betaQuantile(a, b, p float64) float64 {
	odds := betaOdds(a, b, p)
	if math.IsInf(odds, 1) {
		return 1
	}
	return odds / (1 + odds)
}

// betaOdds is x/(1−x) at the p quantile x of Beta(a, b): infinite at p = 1.
// Newton steps for ln I in the logit of x, where that is concave and, in the
// lower tail, a line; inside a bracket that is halved where a step would leave
// it. The upper half is the lower half of the mirrored distribution.
func betaOdds(a, b, p float64) float64 {
	switch {
	case !(p > 0):
		return 0
	case p >= 1:
		return inf
	case p > 0.5:
		return 1 / betaOdds(b, a, 1-p)
	}
	target := math.Log(p)
	low, high := -700.0, 700.0
	u := math.Log(a) - math.Log(b)
	for range 200 {
		e := math.Exp(-math.Abs(u))
		x, y := 1/(1+e), e/(1+e)
		if u < 0 {
			x, y = y, x
		}
		value := betaIncPair(a, b, x, y)
		miss := math.Log(value) - target
		if miss < 0 {
			low = u
		} else {
			high = u
		}
		next := u - miss*value/betaFront(a, b, x, y)
		if !(next > low && next < high) {
			next = low + (high-low)/2
		}
		if math.Abs(next-u) <= 1e-15*(1+math.Abs(u)) {
			u = next
			break
		}
		u = next
	}
	return math.Exp(u)
}

// studentTwoSided is Pr(|T| ≥ |t|) of a Student variable with df > 0 degrees of
// freedom.
func studentTwoSided(t, df float64) float64 {
	if df > 1e8 {
		return normalTwoSided(t)
	}
	return betaInc(df/2, 0.5, df/(df+t*t))
}

// studentQuantile is the t of a two-sided Student interval at confidence level
// with df degrees of freedom: Pr(|T| ≤ t) = level. df below 1 is taken as 1.
func studentQuantile(level, df float64) float64 {
	if k := int(df); level == usualLevel && float64(k) == df && k >= 1 && k < usualClusters {
		return usualQuantiles()[k]
	}
	return studentQuantileAt(level, df)
}

// Intervals of one level at the degrees of freedom of hash buckets are asked for
// by the ten thousand, and their quantile takes longer than all the rest.
const (
	usualLevel    = 0.95
	usualClusters = 256
)

var usualQuantiles = sync.OnceValue(func() (t [usualClusters]float64) {
	for k := 1; k < usualClusters; k++ {
		t[k] = studentQuantileAt(usualLevel, float64(k))
	}
	return t
})

func studentQuantileAt(level, df float64) float64 {
	level = clampLevel(level)
	z := twoSidedZ(level)
	if !(df >= 1) {
		df = 1
	}
	if df > 1e4 {
		// Cornish–Fisher (Abramowitz and Stegun 26.7.5); what is left out is
		// below 1e-14 here.
		z2 := z * z
		return z + z*((z2+1)/4+((5*z2+16)*z2+3)/(96*df)+(((3*z2+19)*z2+17)*z2-15)/(384*df*df))/df
	}
	// t² = df·y/x at the quantile x of Beta(df/2, ½) with Pr(X ≤ x) = 1 − level.
	if df < 3 || level < 0.5 || level > 0.9999 {
		return math.Sqrt(df / betaOdds(df/2, 0.5, 1-level))
	}
	// Here the first terms of Cornish and Fisher are close enough for two or
	// three steps of Newton in ln t: intervals ask for this thousands of times.
	z2 := z * z
	t := z + z*((z2+1)/4+((5*z2+16)*z2+3)/(96*df))/df
	target := math.Log(1 - level)
	for range 20 {
		x := df / (df + t*t)
		y := t * t / (df + t*t)
		tail := betaIncPair(df/2, 0.5, x, y)
		step := (math.Log(tail) - target) * tail / (2 * betaFront(df/2, 0.5, x, y))
		t *= math.Exp(step)
		if math.Abs(step) <= 1e-13 {
			break
		}
	}
	return t
}
