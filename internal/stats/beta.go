package stats

import "math"

// betaInc is the regularised incomplete beta function I_x(a, b) for a, b > 0
// and x in [0, 1]: the distribution function of a Beta(a, b) variable. Lentz's
// continued fraction (DLMF 8.17.22) from the side where it converges; above
// 1e8, where its terms would be too many, Wise's gamma form (1950) or the
// first two terms of the uniform expansion (Temme 1996, DLMF 8.18(ii)), both
// to about 1e-8 of the value.
func betaInc(a, b, x float64) float64 {
	switch {
	case x <= 0 || math.IsNaN(x):
		return 0
	case x >= 1:
		return 1
	case math.Max(a, b) > 1e8:
		return betaLarge(a, b, x)
	case x < (a+1)/(a+b+2):
		return math.Min(1, betaFront(a, b, x)*betaFraction(a, b, x)/a)
	default:
		return math.Max(0, 1-betaFront(b, a, 1-x)*betaFraction(b, a, 1-x)/b)
	}
}

// betaFront is x^a·(1−x)^b/B(a, b) with the powers as deviances, whose digits
// survive when a and b are large.
func betaFront(a, b, x float64) float64 {
	n := a + b
	rest := stirlingError(n) - stirlingError(a) - stirlingError(b)
	return math.Exp(rest-deviance(a, n*x)-deviance(b, n*(1-x))-halfLnTwoPi) * math.Sqrt(a/n*b)
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
		if math.Abs(step-1) < 1e-16 {
			break
		}
	}
	return h
}

func betaLarge(a, b, x float64) float64 {
	switch {
	case a < 1e4:
		return GammaP(a, -(b+(a-1)/2)*math.Log1p(-x))
	case b < 1e4:
		return GammaQ(b, -(a+(b-1)/2)*math.Log(x))
	}
	n := a + b
	x0, y0 := a/n, b/n
	half := deviance(x0, x) + deviance(y0, 1-x)
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
	switch {
	case p <= 0 || math.IsNaN(p):
		return 0
	case p >= 1:
		return 1
	}
	return bisect(func(x float64) float64 { return betaInc(a, b, x) - p }, 0, 1)
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
	alpha := 1 - level
	high := math.Max(1, z)
	for studentTwoSided(high, df) > alpha && high < 1e300 {
		high *= 2
	}
	return bisect(func(t float64) float64 { return alpha - studentTwoSided(t, df) }, 0, high)
}
