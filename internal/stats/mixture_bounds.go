package stats

import "math"

// logFactor is 2·ln(1/α) + ln(1 + 2·ln(1/α)), by which a mixture of normals is
// tuned: ρ = v/logFactor gives nearly the narrowest boundary at variance v
// (Howard et al. 2021, arXiv:1810.08240).
func logFactor(alpha float64) float64 {
	l := -2 * math.Log(alpha)
	return l + math.Log1p(l)
}

// NormalMixture is the mixture of e^(λS − λ²V/2) over λ ~ N(0, 1/ρ): the
// boundary for sums S whose variance V is known, and the mSPRT of Johari et al.
// (arXiv:1512.04922).
type NormalMixture struct {
	Rho float64
}

// NormalMixtureAt is the mixture whose boundary at error probability alpha is
// narrowest around variance v.
func NormalMixtureAt(v, alpha float64) NormalMixture { return NormalMixture{Rho: v / logFactor(alpha)} }

// LogE is the two-sided evidence against a mean of 0,
// ½·ln(ρ/(V+ρ)) + S²/(2(V+ρ)). Not ok unless ρ > 0, V ≥ 0 and S are numbers.
func (m NormalMixture) LogE(s, v float64) (LogE, bool) {
	if !(m.Rho > 0) || !(v >= 0) || !finite(m.Rho, v, s) {
		return 0, false
	}
	total := v + m.Rho
	return checkedE(-0.5*math.Log1p(v/m.Rho) + s/total*s/2)
}

// Bound is what |S| ever exceeds with probability at most alpha,
// √((V+ρ)·(ln(1+V/ρ) + 2·ln(1/α))).
func (m NormalMixture) Bound(v, alpha float64) (float64, bool) {
	if !(m.Rho > 0) || !(v >= 0) || !(alpha > 0 && alpha <= 1) {
		return 0, false
	}
	b := math.Sqrt(v+m.Rho) * math.Sqrt(math.Log1p(v/m.Rho)-2*math.Log(alpha))
	return checked(b, b)
}

// OneSidedNormalMixture is the mixture over λ > 0, half a normal.
type OneSidedNormalMixture struct {
	Rho float64
}

// OneSidedNormalMixtureAt is tuned as NormalMixtureAt is, at twice alpha.
func OneSidedNormalMixtureAt(v, alpha float64) OneSidedNormalMixture {
	return OneSidedNormalMixture{Rho: v / logFactor(2*alpha)}
}

// LogE is the evidence against a mean of at most 0,
// ½·ln(4ρ/(V+ρ)) + S²/(2(V+ρ)) + ln Φ(S/√(V+ρ)).
func (m OneSidedNormalMixture) LogE(s, v float64) (LogE, bool) {
	if !(m.Rho > 0) || !(v >= 0) || !finite(m.Rho, v, s) {
		return 0, false
	}
	total := v + m.Rho
	z := s / math.Sqrt(total)
	e := math.Ln2 - 0.5*math.Log1p(v/m.Rho)
	if z < -30 {
		// z²/2 + ln Φ(z) by the first terms of Mills' ratio: Φ is below the
		// smallest float64 soon after.
		return checkedE(e - halfLnTwoPi - math.Log(-z) + math.Log1p(-1/z/z))
	}
	return checkedE(e + z*z/2 + math.Log(normalCDF(z)))
}

// Bound is what S ever exceeds with probability at most alpha.
func (m OneSidedNormalMixture) Bound(v, alpha float64) (float64, bool) {
	return upcrossing(alpha, math.Sqrt(v+m.Rho), inf, func(s float64) (LogE, bool) { return m.LogE(s, v) })
}

// SubGamma is the mixture for increments that are sub-exponential at scale c, as
// losses bounded on one side are: the gamma-exponential boundary of Howard et
// al. 2021, tuned at variance V and error probability Alpha.
type SubGamma struct {
	V, C, Alpha float64
}

// LogE is the evidence against a mean of at most 0 at sum s and variance v.
func (m SubGamma) LogE(s, v float64) (LogE, bool) {
	prior, k, ok := m.shapes(v)
	y := s/m.C + k
	if !ok || !(y > 0) || !finite(y) {
		return 0, false
	}
	e := stirlingGap(k) - stirlingGap(prior) + math.Log(GammaP(k, y)/GammaP(prior, prior)) + deviance(k, y)
	return checkedE(e)
}

// Bound is what the sum ever exceeds with probability at most alpha.
func (m SubGamma) Bound(v, alpha float64) (float64, bool) {
	return upcrossing(alpha, math.Sqrt(v)+m.C, inf, func(s float64) (LogE, bool) { return m.LogE(s, v) })
}

// SubPoisson is the one-sided mixture for centred counts of size c: the
// gamma-Poisson boundary of Howard et al. 2021, tuned like SubGamma. With c = 1,
// s = N−Λ and v = Λ it tests for more conversions than predicted.
type SubPoisson struct {
	V, C, Alpha float64
}

// LogE is the evidence against a mean of at most 0 at sum s and variance v.
func (m SubPoisson) LogE(s, v float64) (LogE, bool) {
	prior, k, ok := SubGamma(m).shapes(v)
	x := s/m.C + k
	if !ok || !(x > 0) || !finite(x) {
		return 0, false
	}
	e := stirlingGap(x) - stirlingGap(prior) + math.Log(GammaQ(x, k)/GammaQ(prior, prior)) + deviance(x, k)
	return checkedE(e)
}

// Bound is what the sum ever exceeds with probability at most alpha.
func (m SubPoisson) Bound(v, alpha float64) (float64, bool) {
	return upcrossing(alpha, math.Sqrt(v)+m.C, inf, func(s float64) (LogE, bool) { return m.LogE(s, v) })
}

// shapes are the shape of the prior, ρ/c², and that of the posterior, (v+ρ)/c².
func (m SubGamma) shapes(v float64) (prior, posterior float64, ok bool) {
	if !(m.V > 0) || !(m.C > 0) || !(m.Alpha > 0 && m.Alpha < 0.5) || !(v >= 0) {
		return 0, 0, false
	}
	rho := m.V / logFactor(2*m.Alpha)
	prior, posterior = rho/m.C/m.C, (v+rho)/m.C/m.C
	return prior, posterior, prior > 0 && finite(prior, posterior)
}

// stirlingGap is what is left of ln Γ(x) − x·ln x + x, but for a constant, once
// the deviances have taken the large terms.
func stirlingGap(x float64) float64 { return stirlingError(x) - 0.5*math.Log(x) }

// upcrossing is the s ≥ 0 where the evidence reaches ln(1/α); it must grow with
// s. The search begins at scale, and does not go beyond top, which is the answer
// where the evidence never gets there.
func upcrossing(alpha, scale, top float64, f func(s float64) (LogE, bool)) (float64, bool) {
	if !(alpha > 0 && alpha < 1) || !(scale > 0) || !finite(scale) {
		return 0, false
	}
	target := -math.Log(alpha)
	excess := func(s float64) float64 {
		e, ok := f(s)
		if !ok {
			return -1
		}
		return float64(e) - target
	}
	far := min(scale, top)
	for range 1100 {
		if far == top || excess(far) > 0 {
			break
		}
		far = min(2*far, top)
	}
	if !finite(far) || !(excess(far) > 0) {
		if _, ok := f(far); !ok || far != top || !finite(top) {
			return 0, false
		}
		return top, true
	}
	s := bisect(excess, 0, far)
	return checked(s, s)
}
