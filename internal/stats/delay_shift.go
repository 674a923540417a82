package stats

import "math"

// DelayShift compares how long the conversions of two arms take.
type DelayShift struct {
	Z        float64 // above 0 where the treatment's conversions take longer
	P        float64 // two-sided
	Observed float64 // conversions of the treatment, each at its delay
	Expected float64 // those expected, were the arms' delays alike
	N        int64   // conversions of both arms
	Status   Status  // low_data below 10 conversions in an arm
}

// CompareDelays is the log-rank test in reversed time, for delays that are
// right-truncated: at each delay u, of the conversions of both arms that could
// have had it and have at most it, n = n_T + n_C, d had it; under equal delays
// those of the treatment are hypergeometric with mean d·n_T/n and variance
// d·n_T·n_C·(n−d)/(n²(n−1)) (Mantel 1966; for truncated data Lagakos et al. 1988).
// φ is the design effect of the conversions. Where it fires, the arms must not
// share a delay curve, and SameAge does not cancel it.
//
// Not ok for triangles of different size and where nothing can be compared.
func CompareDelays(treatment, control DelayTriangle, phi float64) (DelayShift, bool) {
	if treatment.Buckets() != control.Buckets() {
		return DelayShift{}, false
	}
	dt, nt := treatment.events()
	dc, nc := control.events()
	s := DelayShift{Status: OK}
	variance, treated, controls := 0.0, 0.0, 0.0
	for u := range dt {
		d, n := dt[u]+dc[u], nt[u]+nc[u]
		treated += dt[u]
		controls += dc[u]
		if n < 2 {
			continue
		}
		st := nt[u] / n
		s.Observed += dt[u]
		s.Expected += d * st
		variance += d * st * (nc[u] / n) * ((n - d) / (n - 1))
	}
	s.N = int64(math.Min(treated+controls, maxCount))
	if !(variance > 0) {
		return DelayShift{N: s.N}, false
	}
	if min(treated, controls) < minLogDelta {
		s.Status = LowData
	}
	s.Z = (s.Observed - s.Expected) / math.Sqrt(variance*Arm{DesignEffect: phi}.phi())
	s.P = normalTwoSided(s.Z)
	return checked(s, s.Z, s.P, s.Observed, s.Expected)
}

// Conversion is a row of the delayed-feedback likelihood.
type Conversion struct {
	P         float64 // predicted probability of converting at all
	Rate      float64 // λ of the exponential delay, by unit of time
	Converted bool
	Delay     float64 // of the conversion
	Elapsed   float64 // since the impression, where there is none yet
}

// LogLikelihood is that of Chapelle 2014 (KDD): ln p + ln λ − λ·delay of a row
// that has converted, and ln(1 − p + p·e^{−λ·elapsed}) of one that has not yet,
// the latter through expm1, for a young row's is 1 but for a little. Not ok
// unless 0 < p < 1, λ > 0 and times are not negative.
func (c Conversion) LogLikelihood() (float64, bool) {
	if !(c.P > 0 && c.P < 1) || !(c.Rate > 0) || !finite(c.Rate) {
		return 0, false
	}
	if c.Converted {
		if !(c.Delay >= 0) {
			return 0, false
		}
		v := math.Log(c.P) + math.Log(c.Rate) - c.Rate*c.Delay
		return checked(v, v)
	}
	if !(c.Elapsed >= 0) {
		return 0, false
	}
	v := math.Log1p(c.P * math.Expm1(-c.Rate*c.Elapsed))
	return checked(v, v)
}
