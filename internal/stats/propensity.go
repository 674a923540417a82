package stats

import "math"

// PropensitySums are the sums of a log in which rows were shown with a known
// probability π, over all rows, with r = shown/π.
type PropensitySums struct {
	N          int64   // rows, shown or not
	Shown      int64   // rows shown
	Random     int64   // rows with π inside (0, 1)
	Clipped    float64 // Σr of shown rows whose π was raised to 0.01
	R          float64 // Σr
	Prediction float64 // Σrp
	Observed   float64 // Σry
	RR         float64 // Σr²
	RRY        float64 // Σr²y
	RRYY       float64 // Σr²y²
	RRPY       float64 // Σr²py
	RRPP       float64 // Σr²p²
}

// minPropensity is what a smaller π is raised to: a row has at most a weight
// of 100.
const minPropensity = 0.01

// AddRow adds a row. One whose propensity is not in [0, 1], or shown without a
// prediction in (0, 1), does not count.
func (s *PropensitySums) AddRow(shown bool, propensity, p, y float64) {
	if !(propensity >= 0 && propensity <= 1) {
		return
	}
	row := PropensitySums{N: 1}
	if propensity > 0 && propensity < 1 {
		row.Random = 1
	}
	if shown {
		if !(p > 0 && p < 1) || !finite(y) {
			return
		}
		r := 1 / math.Max(propensity, minPropensity)
		if propensity < minPropensity {
			row.Clipped = r
		}
		row.Shown, row.R, row.Prediction, row.Observed = 1, r, r*p, r*y
		row.RR, row.RRY, row.RRYY, row.RRPY, row.RRPP = r*r, r*r*y, r*r*y*y, r*r*p*y, r*r*p*p
	}
	s.Add(row)
}

// Add adds the rows of o.
func (s *PropensitySums) Add(o PropensitySums) {
	s.N += o.N
	s.Shown += o.Shown
	s.Random += o.Random
	s.Clipped += o.Clipped
	s.R += o.R
	s.Prediction += o.Prediction
	s.Observed += o.Observed
	s.RR += o.RR
	s.RRY += o.RRY
	s.RRYY += o.RRYY
	s.RRPY += o.RRPY
	s.RRPP += o.RRPP
}

// ESS is the effective number of rows shown, (Σr)²/Σr².
func (s PropensitySums) ESS() (float64, bool) {
	if !(s.R > 0) {
		return 0, false
	}
	return Ratio(s.R, s.RR/s.R)
}

// ClippedShare is the share of Σr of rows whose propensity was raised.
func (s PropensitySums) ClippedShare() (float64, bool) { return Ratio(s.Clipped, s.R) }

// IPW are the means over all rows of p and y, Σrp/n and Σry/n (Horvitz and
// Thompson 1952).
func (s PropensitySums) IPW() (meanP, meanY float64, ok bool) {
	meanP, okP := Ratio(s.Prediction, float64(s.N))
	meanY, okY := Ratio(s.Observed, float64(s.N))
	return meanP, meanY, okP && okY
}

// minESS is the effective number of rows below which the estimates are too
// unsteady to be used.
const minESS = 100

// status is that of both estimates below.
func (s PropensitySums) status() Status {
	ess, ok := s.ESS()
	switch {
	case !ok || s.Random == 0:
		return Undefined
	case ess < minESS:
		return LowData
	}
	return OK
}

// Rate is the self-normalised share of conversions among all rows, Σry/Σr, with
// V = Σr²(y − m)²/(Σr)² (Swaminathan and Joachims 2015, NIPS). See Ratio for
// when it is known.
func (s PropensitySums) Rate(level float64) (Estimate, bool) {
	m, ok := Ratio(s.Observed, s.R)
	status := s.status()
	if !ok || status == Undefined {
		return undefined(s.Shown, Undefined)
	}
	v := math.Max(0, s.RRYY-2*m*s.RRY+m*m*s.RR) / s.R / s.R
	half := twoSidedZ(level) * math.Sqrt(v)
	e, ok := estimate(m, m-half, m+half, s.Shown, status)
	e.Effective, _ = s.ESS()
	return e, ok
}

// LogRatioVariance is the variance of ln Q of Ratio, Σ(r(y − Qp))²/(Σry)².
func (s PropensitySums) LogRatioVariance() (float64, bool) {
	q, ok := Ratio(s.Observed, s.Prediction)
	if !ok || !(s.Observed > 0) {
		return 0, false
	}
	v := math.Max(0, s.RRYY-2*q*s.RRPY+q*q*s.RRPP) / s.Observed / s.Observed
	return checked(v, v)
}

// Ratio is Q = Σry/Σrp, the observed over the expected conversions of all rows,
// estimated from those shown, with Q·exp(±z·√V) and V of LogRatioVariance. It is
// undefined where no row was shown by chance, for then nothing is known of
// those that were not: an auction without exploration does not identify it. It
// is low_data below an effective number of 100 rows, and without conversions.
func (s PropensitySums) Ratio(level float64) (Estimate, bool) {
	q, ok := Ratio(s.Observed, s.Prediction)
	status := s.status()
	if !ok || status == Undefined {
		return undefined(s.Shown, Undefined)
	}
	v, ok := s.LogRatioVariance()
	if !ok {
		return estimate(q, 0, inf, s.Shown, LowData)
	}
	half := twoSidedZ(level) * math.Sqrt(v)
	e, ok := estimate(q, q*math.Exp(-half), q*math.Exp(half), s.Shown, status)
	e.Effective, _ = s.ESS()
	return e, ok
}
