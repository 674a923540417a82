package stats

import "math"

// WinnerCalibration is the calibration C that an unbiased model shows on the
// rows that it was chosen by: of K candidates whose true log probabilities are
// N(m, τ²), predictions have independent log-normal noise with mean 1 and
// standard deviation s in logs, and the highest prediction wins. With
// v = τ² + s² and ρ = τ²/v it is
//
//	e^(−s²/2 − τ²s²/2v) · E[e^(√v·z)] / E[e^(ρ√v·z)],
//
// z being the largest of K standard normal variables; 1 at K = 1. It depends
// on K and s, and not on the share of traffic: the winner's curse is no
// exposure bias. The derivation is the specification's and holds for
// log-normal predictions; for the effect see Fan, Si and Zhang (2023,
// arXiv:2205.09809). s can be had from the log predictions of two retrains:
// the standard deviation of their difference over √2.
//
// Not ok for candidates below 1, or τ or s not in [0, 10].
func WinnerCalibration(candidates, tau, s float64) (float64, bool) {
	if !(candidates >= 1) || math.IsInf(candidates, 1) || !(tau >= 0 && tau <= 10) || !(s >= 0 && s <= 10) {
		return 0, false
	}
	v := tau*tau + s*s
	if v == 0 {
		return 1, true
	}
	root := math.Sqrt(v)
	rho := tau * tau / v
	c := math.Exp(-s*s/2 - tau*tau*s*s/(2*v) + logMomentOfMax(candidates, root) - logMomentOfMax(candidates, rho*root))
	return checked(c, c)
}

// logMomentOfMax is ln E[e^(tz)] for z the largest of k standard normal
// variables, ln ∫ e^(tz)·kφ(z)Φ(z)^(k−1) dz, by the trapezoidal rule, which for
// integrands that vanish at both ends converges faster than any power of its
// step. The exponents are summed in logs.
func logMomentOfMax(k, t float64) float64 {
	const step = 0.02
	// Between them is all but e^-40 of the mass, tilted by t and for any k.
	low, high := -10.0, 14+t
	terms := make([]float64, 0, int((high-low)/step)+2)
	for i := 0; ; i++ {
		z := low + float64(i)*step
		if z > high {
			break
		}
		// ln Φ from the upper tail, where Φ is nearly 1.
		logPhi := math.Log1p(-normalCDF(-z))
		if z < 0 {
			logPhi = math.Log(normalCDF(z))
		}
		terms = append(terms, t*z-z*z/2-halfLnTwoPi+math.Log(k)+(k-1)*logPhi)
	}
	return logSumExp(terms) + math.Log(step)
}
