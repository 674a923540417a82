package stats

import "math"

// MeanSums are the sums of independent, or nearly independent, units x: means of
// hash buckets by window, or, for a ratio O/E against Q₀, the values
// O_g − Q₀·E_g of clusters. A value that all x are near to is taken off before:
// the variance comes from the difference of two sums.
type MeanSums struct {
	N       int64
	Sum     float64 // Σx
	Squares float64 // Σx²
}

// Add adds the units of o.
func (s *MeanSums) Add(o MeanSums) {
	s.N += o.N
	s.Sum += o.Sum
	s.Squares += o.Squares
}

func (s MeanSums) moments() (mean, variance float64, ok bool) {
	if s.N < 2 || !finite(s.Sum, s.Squares) {
		return 0, 0, false
	}
	n := float64(s.N)
	mean = s.Sum / n
	variance = math.Max(0, s.Squares/n-mean*mean)
	return mean, variance, finite(mean, variance)
}

// minSequenceUnits is from how many units on the asymptotic sequence is near
// enough to its level.
const minSequenceUnits = 100

// AsymptoticRho2 is the ρ² at which the asymptotic confidence sequence is
// narrowest after tOpt units, (2·ln(1/α) + ln(1 + 2·ln(1/α)) )/tOpt but for terms
// of α²: (−α² − 2·ln α + ln(1 − 2·ln α − α²))/tOpt. Not ok unless 0 < α < 1 and
// tOpt > 0.
func AsymptoticRho2(tOpt, alpha float64) (float64, bool) {
	if !(alpha > 0 && alpha < 1) || !(tOpt > 0) {
		return 0, false
	}
	l := -2 * math.Log(alpha)
	rho2 := (l - alpha*alpha + math.Log(l+1-alpha*alpha)) / tOpt
	return checked(rho2, rho2)
}

// AsymptoticHalfWidth is √(2(tρ²+1)/(t²ρ²)·ln(√(tρ²+1)/α)) times sigma, by how
// far the mean of t units with standard deviation sigma is ever off. With
// ρ² = 10^−2.8 it is what Adobe's experiments use (arXiv:2302.10108).
func AsymptoticHalfWidth(t, rho2, sigma, alpha float64) (float64, bool) {
	if !(t > 0) || !(rho2 > 0) || !(sigma >= 0) || !(alpha > 0 && alpha < 1) {
		return 0, false
	}
	u := t * rho2
	// 1/t + 1/(t·u) instead of (u+1)/(t·u): the products could overflow.
	w := sigma * math.Sqrt((2/t+2/t/u)*(0.5*math.Log1p(u)-math.Log(alpha)))
	return checked(w, w)
}

// AsymptoticSequence is the mean with the asymptotic confidence sequence of
// Waudby-Smith et al. (arXiv:2103.06476), narrowest after tOpt units: for losses,
// LogMAE and their paired differences, which have no bounds. Its level holds as
// the number of units grows; below 100 the status is low_data. Not ok below two
// units.
func AsymptoticSequence(s MeanSums, tOpt, level float64) (Estimate, bool) {
	mean, variance, ok := s.moments()
	if !ok {
		return undefined(max(s.N, 0), Undefined)
	}
	alpha := alphaOf(level)
	if alpha >= 1 {
		return estimate(mean, mean, mean, s.N, LowData)
	}
	rho2, ok := AsymptoticRho2(tOpt, alpha)
	if !ok {
		return undefined(s.N, Undefined)
	}
	half, ok := AsymptoticHalfWidth(float64(s.N), rho2, math.Sqrt(variance), alpha)
	if !ok {
		return undefined(s.N, Undefined)
	}
	status := OK
	if s.N < minSequenceUnits {
		status = LowData
	}
	return estimate(mean, mean-half, mean+half, s.N, status)
}

// MeanE is the evidence against a mean of null: the normal mixture of the same
// sequence, with the variance as estimated. It is asymptotic too. Not ok below
// 100 units and where they do not vary.
func MeanE(s MeanSums, null, tOpt, alpha float64) (LogE, bool) {
	mean, variance, ok := s.moments()
	if !ok || s.N < minSequenceUnits || !(variance > 0) || !finite(null) || !(alpha > 0 && alpha < 1) || !(tOpt > 0) {
		return 0, false
	}
	n := float64(s.N)
	// In units of the standard deviation.
	return NormalMixtureAt(tOpt, alpha).LogE((mean-null)/math.Sqrt(variance)*n, n)
}
