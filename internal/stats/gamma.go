package stats

import "math"

// GammaP is the regularised lower incomplete gamma function P(a, x) for a > 0
// and x ≥ 0: the distribution function of a Gamma(a, 1) variable. Series for
// x < a+1, Lentz's continued fraction for its complement otherwise (Abramowitz
// and Stegun 6.5.29 and 6.5.31).
func GammaP(a, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x < a+1:
		return gammaSeries(a, x)
	default:
		return 1 - gammaFraction(a, x)
	}
}

// gammaFront is x^a e^-x / Γ(a), in logs because a can be in the millions.
func gammaFront(a, x float64) float64 {
	lg, _ := math.Lgamma(a)
	return math.Exp(a*math.Log(x) - x - lg)
}

func gammaSeries(a, x float64) float64 {
	term := 1 / a
	sum := term
	for n := 1.0; n < 1e7; n++ {
		term *= x / (a + n)
		sum += term
		if term < sum*1e-17 {
			break
		}
	}
	return math.Min(1, sum*gammaFront(a, x))
}

func gammaFraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	c := 1 / tiny
	d := 1 / b
	h := d
	for i := 1.0; i < 1e7; i++ {
		an := -i * (i - a)
		b += 2
		d = an*d + b
		if math.Abs(d) < tiny {
			d = tiny
		}
		c = b + an/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		step := d * c
		h *= step
		if math.Abs(step-1) < 1e-16 {
			break
		}
	}
	return math.Min(1, h*gammaFront(a, x))
}

// GammaQuantile is the x with GammaP(a, x) = p, for a > 0 and 0 < p < 1, and 0
// where that is below 1e-300: Newton steps from the Wilson–Hilferty
// approximation, inside a bracket that is halved where a step would leave it.
func GammaQuantile(a, p float64) float64 {
	z := math.Sqrt2 * math.Erfinv(2*p-1)
	k := 1 / (9 * a)
	x := a * math.Pow(math.Max(1-k+z*math.Sqrt(k), 1e-3), 3)
	lo, hi := 0.0, math.Inf(1)
	for range 1000 {
		if x < 1e-300 {
			return 0
		}
		excess := GammaP(a, x) - p
		if excess < 0 {
			lo = x
		} else {
			hi = x
		}
		next := x - excess*x/gammaFront(a, x)
		if !(next > lo && next < hi) {
			switch {
			case math.IsInf(hi, 1):
				next = 2 * x
			case lo == 0:
				next = x / 16
			default:
				next = (lo + hi) / 2
			}
		}
		if math.Abs(next-x) <= 4e-16*x {
			return next
		}
		x = next
	}
	return x
}
