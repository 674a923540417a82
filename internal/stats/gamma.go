package stats

import "math"

// GammaP is the regularised lower incomplete gamma function P(a, x) for a > 0
// and x ≥ 0: the distribution function of a Gamma(a, 1) variable. Series for
// x < a+1, Lentz's continued fraction for its complement otherwise (Abramowitz
// and Stegun 6.5.29 and 6.5.31), and from a = 500 the uniform expansion.
func GammaP(a, x float64) float64 {
	switch {
	case !(x > 0):
		return 0
	case math.IsInf(x, 1):
		return 1
	case a >= uniformFrom:
		return gammaUniform(a, x, -1)
	case x < a+1:
		return gammaSeries(a, x)
	default:
		return 1 - gammaFraction(a, x)
	}
}

// GammaQ is 1 − GammaP(a, x), with its digits where that is small.
func GammaQ(a, x float64) float64 {
	switch {
	case !(x > 0):
		return 1
	case math.IsInf(x, 1):
		return 0
	case a >= uniformFrom:
		return gammaUniform(a, x, 1)
	case x < a+1:
		return 1 - gammaSeries(a, x)
	default:
		return gammaFraction(a, x)
	}
}

// chiSquaredTail is Pr(χ² ≥ x) at df > 0 degrees of freedom.
func chiSquaredTail(x, df float64) float64 { return GammaQ(df/2, x/2) }

// chiSquaredQuantile is the x with Pr(χ² ≤ x) = p, for 0 < p < 1.
func chiSquaredQuantile(p, df float64) float64 { return 2 * GammaQuantile(df/2, p) }

// uniformFrom is the shape from which the uniform expansion is used: its first
// term left out is below 1e-14 there, and the series would take ten times as
// long.
const uniformFrom = 500

// uniformTerms are the Taylor coefficients in η of the first four c_k(η) of
// Temme's expansion (1979; DLMF 8.12.9 to 8.12.12). They are used for
// |η| < 1; from uniformFrom up, what is beyond has a tail below 1e-109.
var uniformTerms = [4][16]float64{
	{
		-0.3333333333333333, 0.08333333333333333, -0.014814814814814815, 0.0011574074074074073,
		0.0003527336860670194, -0.0001787551440329218, 3.919263178522438e-05, -2.185448510679992e-06,
		-1.85406221071516e-06, 8.296711340953087e-07, -1.7665952736826078e-07, 6.707853543401498e-09,
		1.0261809784240309e-08, -4.382036018453353e-09, 9.14769958223679e-10, -2.5514193994946248e-11,
	},
	{
		-0.001851851851851852, -0.003472222222222222, 0.0026455026455026454, -0.0009902263374485596,
		0.00020576131687242798, -4.018775720164609e-07, -1.8098550334489977e-05, 7.64916091608111e-06,
		-1.6120900894563446e-06, 4.647127802807434e-09, 1.378633446915721e-07, -5.752545603517705e-08,
		1.1951628599778148e-08, -1.7543241719747647e-11, -1.0091543710600413e-09, 4.162792991842583e-10,
	},
	{
		0.004133597883597883, -0.0026813271604938273, 0.0007716049382716049, 2.0093878600823047e-06,
		-0.0001073665322636516, 5.2923448829120125e-05, -1.2760635188618728e-05, 3.423578734096138e-08,
		1.3721957309062934e-06, -6.298992138380055e-07, 1.4280614206064242e-07, -2.0477098421990866e-10,
		-1.409252991086752e-08, 6.228974084922022e-09, -1.3670488396617114e-09, 9.428356159014678e-13,
	},
	{
		0.0006494341563786008, 0.00022947209362139917, -0.0004691894943952557, 0.00026772063206283885,
		-7.561801671883977e-05, -2.396505113867297e-07, 1.1082654115347302e-05, -5.6749528269915965e-06,
		1.4230900732435883e-06, -2.7861080291528143e-11, -1.6958404091930278e-07, 8.099464905388083e-08,
		-1.9111168485973655e-08, 2.3928620439808118e-12, 2.0620131815488797e-09, -9.460496661855133e-10,
	},
}

// gammaUniform is Q(a, x) for tail 1 and P(a, x) for tail −1:
// ½·erfc(±η·√(a/2)) ± e^(−aη²/2)/√(2πa)·Σ c_k(η)·a^−k, with
// ½η² = x/a − 1 − ln(x/a) and η of the sign of x − a.
func gammaUniform(a, x, tail float64) float64 {
	scaled := deviance(a, x) // a·η²/2
	eta := math.Copysign(math.Sqrt(2*scaled/a), x-a)
	value := normalCDF(-tail * math.Copysign(math.Sqrt(2*scaled), eta))
	if math.Abs(eta) < 1 {
		sum := 0.0
		for k := len(uniformTerms) - 1; k >= 0; k-- {
			c := 0.0
			for n := len(uniformTerms[k]) - 1; n >= 0; n-- {
				c = c*eta + uniformTerms[k][n]
			}
			sum = sum/a + c
		}
		value += tail * math.Exp(-scaled-halfLnTwoPi) / math.Sqrt(a) * sum
	}
	return clamp(value, 0, 1)
}

// gammaFront is x^a·e^-x/Γ(a). The power is taken as the deviance of a from x:
// a·ln x − x − ln Γ(a) would be a small difference of terms as large as a·ln a.
func gammaFront(a, x float64) float64 {
	if x <= 0 {
		return 0
	}
	return math.Exp(-deviance(a, x)-stirlingError(a)-halfLnTwoPi) * math.Sqrt(a)
}

func gammaSeries(a, x float64) float64 {
	term := 1 / a
	sum := term
	for n := 1.0; n < 1e5; n++ {
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
	for i := 1.0; i < 1e5; i++ {
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
		if math.Abs(step-1) < 3e-16 { // one step of float64 on either side
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
		if math.Abs(next-x) <= 4e-15*x {
			return next
		}
		x = next
	}
	return x
}
