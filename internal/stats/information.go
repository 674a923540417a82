package stats

import "math"

// Information is I₁(r) = r·ln r − r + 1, the nats of evidence that one expected
// conversion of a single arm brings in the mean against Q = 1 when Q is r. No
// test that errs with probability α and stops surely stops before ln(1/α)/I₁
// expected conversions in the mean (Wald 1945). Not ok unless r > 0.
func Information(r float64) (float64, bool) {
	if !(r > 0) {
		return 0, false
	}
	i := deviance(r, 1)
	return checked(i, i)
}

// TwoArmInformation is I₂(r, s) = (rs + 1−s)·kl(θ₁‖θ₀), the same of one expected
// conversion of both arms with the treatment's share s: θ₀ = s and
// θ₁ = rs/(rs + 1−s). It is the sum of the deviances of rs and 1−s from what
// equal arms would have of the total; near r = 1, where it is a small difference
// of large terms, from r−1 itself. Not ok unless r > 0 and 0 < s < 1.
func TwoArmInformation(r, s float64) (float64, bool) {
	if !(r > 0) || !(s > 0 && s < 1) {
		return 0, false
	}
	if h := r - 1; math.Abs(h) < 0.5 {
		i := -r*s*log1pmx(-(1-s)*h/r) - (1-s)*log1pmx(s*h)
		return checked(i, i)
	}
	total := r*s + (1 - s)
	i := deviance(r*s, total*s) + deviance(1-s, total*(1-s))
	return checked(i, i)
}

// StoppingBound is ln(1/α) over the information: the expected conversions that
// the best test of its kind needs in the mean. Detection at an average run length
// c has the same form with α = 1/c, as its first-order limit only (Lorden 1971).
// Not ok without information and for α outside (0, 1).
func StoppingBound(information, alpha float64) (float64, bool) {
	if !(information > 0) || !(alpha > 0 && alpha < 1) {
		return 0, false
	}
	b := -math.Log(alpha) / information
	return checked(b, b)
}
