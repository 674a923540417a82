package stats

import "math"

// Arm is what one arm has observed and what was expected of it.
type Arm struct {
	Observed     int64   // conversions
	Expected     float64 // predicted conversions
	DesignEffect float64 // φ; below 1, or not known, it counts as 1
}

// q is O/E.
func (a Arm) q() float64 { return float64(a.Observed) / a.Expected }

func (a Arm) phi() float64 {
	if a.DesignEffect > 1 && finite(a.DesignEffect) {
		return a.DesignEffect
	}
	return 1
}

// check is the status of a comparison of the arms: OK where both can be
// compared.
func check(treatment, control Arm) Status {
	for _, a := range []Arm{treatment, control} {
		switch {
		case a.Observed < 0 || !finite(a.Expected) || a.Expected < 0:
			return Undefined
		case a.Expected == 0 && a.Observed > 0:
			return PredictionMissing
		case a.Expected == 0:
			return Undefined
		}
	}
	if treatment.Observed == 0 && control.Observed == 0 {
		return Undefined
	}
	return OK
}

func total(treatment, control Arm) int64 {
	n := treatment.Observed + control.Observed
	if n < 0 {
		return math.MaxInt64
	}
	return n
}

// LogArmRatio is D = ln(Q_T/Q_C), the logarithm of how much more of what its
// model predicts the treatment gets than the control, with D ± z·√V and
// V = φ_T/O_T + φ_C/O_C. Where an arm has fewer than 10 conversions the limits
// are those of ExactArmRatio and the status is low_data; without any in one arm
// there is no value, and a limit on one side only.
//
// ln(C_T/C_C) of the calibrations is −D.
func LogArmRatio(treatment, control Arm, level float64) (Estimate, bool) {
	n := total(treatment, control)
	if s := check(treatment, control); s != OK {
		return undefined(n, s)
	}
	if min(treatment.Observed, control.Observed) < minLogDelta {
		e, ok := ExactArmRatio(treatment, control, level)
		if !ok {
			return e, false
		}
		value, low, high := -inf, -inf, inf
		if e.HasValue() {
			value = math.Log(e.Value)
		}
		if e.HasLow() {
			low = math.Log(e.Low)
		}
		if e.HasHigh() {
			high = math.Log(e.High)
		}
		return estimate(value, low, high, n, LowData)
	}
	d := math.Log(treatment.q()) - math.Log(control.q())
	half := twoSidedZ(level) * math.Sqrt(ArmRatioVariance(treatment, control))
	return estimate(d, d-half, d+half, n, OK)
}

// ArmRatioVariance is the variance of LogArmRatio, φ_T/O_T + φ_C/O_C. An arm
// without conversions counts as one with a single one.
func ArmRatioVariance(treatment, control Arm) float64 {
	return treatment.phi()/float64(max(treatment.Observed, 1)) + control.phi()/float64(max(control.Observed, 1))
}

// ExactArmRatio is Q_T/Q_C with the exact conditional interval: given all
// conversions n, those of the treatment are Bin(n, θ) with
// θ = Q_T·E_T/(Q_T·E_T + Q_C·E_C), and the limits are those of Clopper and
// Pearson (1934, Biometrika 26) for θ as ratios (Przyborowski and Wilenski
// 1940, Biometrika 31). It takes rows as independent. A design effect shrinks
// the counts, which is then no longer exact.
func ExactArmRatio(treatment, control Arm, level float64) (Estimate, bool) {
	n := total(treatment, control)
	if s := check(treatment, control); s != OK {
		return undefined(n, s)
	}
	alpha := 1 - clampLevel(level)
	a := float64(treatment.Observed) / treatment.phi()
	b := float64(control.Observed) / control.phi()
	odds := control.Expected / treatment.Expected
	value, low, high := inf, 0.0, inf
	if b > 0 {
		value = a / b * treatment.phi() / control.phi() * odds
		high = odds / betaOdds(b, a+1, alpha/2)
	}
	if a > 0 {
		low = betaOdds(a, b+1, alpha/2) * odds
	}
	status := OK
	if a == 0 || b == 0 {
		status = LowData
	}
	return estimate(value, low, high, n, status)
}

// ConditionalTest is the exact two-sided p-value of equal Q in both arms: the
// probability, under Bin(n, E_T/(E_T+E_C)), of all numbers of treatment
// conversions that are at most as likely as the one seen. Not ok where the arms
// cannot be compared.
func ConditionalTest(treatment, control Arm) (float64, bool) {
	if check(treatment, control) != OK {
		return 0, false
	}
	theta := 1 / (1 + control.Expected/treatment.Expected)
	if !(theta > 0 && theta < 1) {
		return 0, false
	}
	return binomialTest(float64(treatment.Observed), float64(total(treatment, control)), theta), true
}

// binomialLogMass is ln Pr(X = k) for Bin(n, θ) with 0 < θ < 1, by deviances,
// which keep their digits at any count (Loader 2000).
func binomialLogMass(k, n, theta float64) float64 {
	switch k {
	case 0:
		return n * math.Log1p(-theta)
	case n:
		return n * math.Log(theta)
	}
	rest := stirlingError(n) - stirlingError(k) - stirlingError(n-k)
	return rest - deviance(k, n*theta) - deviance(n-k, n*(1-theta)) - halfLnTwoPi + 0.5*math.Log(n/k/(n-k))
}

// binomialTest is the two-sided p-value of k of n under θ, as scipy's binomtest
// has it: outcomes count as equally likely within 1e-7.
func binomialTest(k, n, theta float64) float64 {
	seen := binomialLogMass(k, n, theta) + 1e-7
	mode := math.Floor((n + 1) * theta)
	below := func(j float64) float64 { // Pr(X ≤ j)
		if j < 0 {
			return 0
		}
		return betaInc(n-j, j+1, 1-theta)
	}
	above := func(j float64) float64 { // Pr(X ≥ j)
		if j > n {
			return 0
		}
		if j <= 0 {
			return 1
		}
		return betaInc(j, n-j+1, theta)
	}
	switch {
	case k == mode:
		return 1
	case k < mode:
		// The mass falls from the mode up: the first j that is no likelier, which
		// may be the mode itself.
		j := firstWhole(mode-1, n+1, func(j float64) bool { return j > n || binomialLogMass(j, n, theta) <= seen })
		return math.Min(1, below(k)+above(j))
	default:
		j := -firstWhole(-mode-1, 1, func(j float64) bool { return -j < 0 || binomialLogMass(-j, n, theta) <= seen })
		return math.Min(1, above(k)+below(j))
	}
}

// firstWhole is the first whole number above low, at most high, for which is
// holds; is must be false and then true.
func firstWhole(low, high float64, is func(float64) bool) float64 {
	for high-low > 1 {
		mid := math.Floor(low + (high-low)/2)
		if mid <= low || mid >= high {
			break // beyond 2^53 not every whole number is a float64
		}
		if is(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// Stratum is both arms within one stratum, in which they are comparable.
type Stratum struct {
	Treatment, Control Arm
}

// StratifiedArmRatio is the Mantel–Haenszel log ratio of Q over strata,
// ln(Σ O_T·E_C/E ÷ Σ O_C·E_T/E) with E = E_T + E_C, and the variance of
// Greenland and Robins (1985, Biometrics 41), Σ(O·E_T·E_C/E²)/(RS), times the
// largest design effect of a stratum. A difference in the mix of strata between
// arms does not enter. Strata in which an arm has no predictions do not count.
//
// It is undefined where no stratum is left or an arm has no conversions in
// all, and low_data where an arm has fewer than 10.
func StratifiedArmRatio(strata []Stratum, level float64) (Estimate, bool) {
	var r, s, top float64
	var treated, controls float64
	phi := 1.0
	for _, k := range strata {
		t, c := k.Treatment, k.Control
		if t.Observed < 0 || c.Observed < 0 || !(t.Expected > 0) || !(c.Expected > 0) || !finite(t.Expected, c.Expected) {
			continue
		}
		ot, oc := float64(t.Observed), float64(c.Observed)
		// Shares of the expected; their sum could overflow.
		st, sc := 1/(1+c.Expected/t.Expected), 1/(1+t.Expected/c.Expected)
		r += ot * sc
		s += oc * st
		top += (ot + oc) * st * sc
		treated += ot
		controls += oc
		phi = max(phi, t.phi(), c.phi())
	}
	n := int64(min(treated+controls, maxCount))
	if !(r > 0) || !(s > 0) {
		return undefined(n, Undefined)
	}
	status := OK
	if min(treated, controls) < minLogDelta {
		status = LowData
	}
	d := math.Log(r) - math.Log(s)
	half := twoSidedZ(level) * math.Sqrt(phi*top/r/s)
	return estimate(d, d-half, d+half, n, status)
}
