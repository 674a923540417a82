package stats

import "math"

// Maturity is how much of the predicted conversions has had time to arrive.
type Maturity struct {
	Expected float64 // Σp
	Matured  float64 // Λ = Σp·F(age)
	Variance float64 // of Λ, from the delay curve's
}

// MaturityOf is the maturity of predicted conversions by bucket of age under a
// delay curve, with the variance Σ_a Σ_b E_a·E_b·Cov(F_a, F_b) in one pass:
// Σ_u d_u/(n_u(n_u−d_u))·(Σ_{a<u} E_a·F_a)². Ages beyond the curve's last bucket
// are added to it by the caller. Not ok unless there are predictions and as many
// ages as buckets at most.
func MaturityOf(expected []float64, curve DelayCurve) (Maturity, bool) {
	if len(expected) > len(curve.F) {
		return Maturity{}, false
	}
	m := Maturity{}
	for u, f := range curve.F {
		if u < len(curve.terms) { // a curve that was given has no variance
			m.Variance += curve.terms[u] * m.Matured * m.Matured
		}
		if u >= len(expected) {
			continue
		}
		e := expected[u]
		if !(e >= 0) {
			return Maturity{}, false
		}
		m.Expected += e
		m.Matured += e * f
	}
	return m.checked()
}

// IndependentMaturity is the maturity under an F given with variances that are
// independent of each other, as one fitted age by age has.
func IndependentMaturity(expected, f, variance []float64) (Maturity, bool) {
	if len(expected) != len(f) || len(f) != len(variance) {
		return Maturity{}, false
	}
	m := Maturity{}
	for a, e := range expected {
		if !(e >= 0) || !(f[a] >= 0 && f[a] <= 1) || !(variance[a] >= 0) {
			return Maturity{}, false
		}
		m.Expected += e
		m.Matured += e * f[a]
		m.Variance += e * e * variance[a]
	}
	return m.checked()
}

func (m Maturity) checked() (Maturity, bool) {
	if !(m.Expected > 0) {
		return Maturity{}, false
	}
	return checked(m, m.Expected, m.Matured, m.Variance)
}

// minMaturity is the share below which an adjusted number is not to be believed.
const minMaturity = 0.2

// Share is Λ/Σp, the share of conversions to come that has had time to, with
// what the delay curve leaves open, inside [0, 1].
func (m Maturity) Share(level float64) (Estimate, bool) {
	if !(m.Expected > 0) || !(m.Matured >= 0) || !finite(m.Expected, m.Matured) {
		return undefined(0, Undefined)
	}
	v := clamp(m.Matured/m.Expected, 0, 1)
	half := twoSidedZ(level) * math.Sqrt(m.Variance) / m.Expected
	status := OK
	if v < minMaturity {
		status = Immature
	}
	return estimate(v, math.Max(0, v-half), math.Min(1, v+half), 0, status)
}

// LogVariance is the variance of ln(O/Λ), φ/O + Var(Λ)/Λ². Not ok without
// conversions or matured predictions.
func (m Maturity) LogVariance(observed int64, phi float64) (float64, bool) {
	if observed <= 0 || !(m.Matured > 0) {
		return 0, false
	}
	relative := math.Sqrt(m.Variance) / m.Matured
	v := Arm{DesignEffect: phi}.phi()/float64(observed) + relative*relative
	return checked(v, v)
}

// Ratio is Q = O/Λ, the conversions seen over those predicted that have had time
// to be, with an interval for both sources of error: Q·exp(±z·√V) with
// LogVariance from 10 conversions up, and below Garwood's at the number of
// conversions that would have that variance. φ is the design effect. The status
// is immature while less than 20 % have had time, and low_data without
// conversions.
func (m Maturity) Ratio(observed int64, phi, level float64) (Estimate, bool) {
	switch {
	case observed < 0 || !(m.Matured >= 0) || !finite(m.Matured, m.Expected) || !(m.Variance >= 0):
		return undefined(max(observed, 0), Undefined)
	case m.Matured == 0:
		if m.Expected > 0 {
			return undefined(observed, Immature)
		}
		if observed > 0 {
			return undefined(observed, PredictionMissing)
		}
		return undefined(0, Undefined)
	}
	o := float64(observed)
	v, ok := m.LogVariance(observed, phi)
	var e Estimate
	switch {
	case !ok:
		e, ok = exactRatio(0, 0, m.Matured, observed, level)
	case observed < minLogDelta:
		e, ok = exactRatio(math.Min(o, 1/v), o, m.Matured, observed, level)
	default:
		q := o / m.Matured
		half := twoSidedZ(level) * math.Sqrt(v)
		e, ok = estimate(q, q*math.Exp(-half), q*math.Exp(half), observed, OK)
		e.Effective = math.Min(o, 1/v)
	}
	if ok && m.Matured < minMaturity*m.Expected {
		e.Status = Immature
	}
	return e, ok
}

// Nowcast is how many conversions there will be once all have had time:
// O + Q·Σp(1−F). Limits are for that number, at least O: those still to come may
// be off as Q is, and by their own chance, whose variance is φ times their
// number; both are independent, and squared and added.
func (m Maturity) Nowcast(observed int64, phi, level float64) (Estimate, bool) {
	q, ok := m.Ratio(observed, phi, level)
	if !ok {
		return q, false
	}
	rest := math.Max(0, m.Expected-m.Matured)
	at := func(v float64, known bool, without float64) float64 {
		if !known {
			return without
		}
		return float64(observed) + v*rest
	}
	e, ok := estimate(at(q.Value, q.HasValue(), inf), at(q.Low, q.HasLow(), float64(observed)), at(q.High, q.HasHigh(), inf), observed, q.Status)
	e.Effective = q.Effective
	if chance := twoSidedZ(level) * math.Sqrt(Arm{DesignEffect: phi}.phi()*q.Value*rest); ok && q.HasValue() && finite(chance) {
		if e.HasLow() {
			e.Low = math.Max(float64(observed), e.Value-math.Hypot(e.Value-e.Low, chance))
		}
		if e.HasHigh() {
			e.High = e.Value + math.Hypot(e.High-e.Value, chance)
		}
		return checked(e, e.Low, e.High)
	}
	return e, ok
}

// Arm is the arm of a test on immature data: the conversions seen are a count
// whose mean under Q = 1 is Λ at any time, so that RatioE and the detectors may
// be used with it. They rest on the delay curve then: one that is twice too slow
// turns 5 % of false alarms into 56 %. Arms are compared by SameAge instead,
// where the curve cancels.
func (m Maturity) Arm(observed int64, phi float64) Arm {
	return Arm{Observed: observed, Expected: m.Matured, DesignEffect: phi}
}
