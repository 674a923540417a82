package stats

import "math"

// Cohorts are the impressions of one arm by age: their predicted conversions, and
// their conversions by delay.
type Cohorts struct {
	Expected []float64 // by bucket of age
	Delays   DelayTriangle
}

// Add adds the cohorts of o, which must have as many buckets; otherwise it does
// nothing and reports false.
func (c Cohorts) Add(o Cohorts) bool {
	if len(c.Expected) != len(o.Expected) || !c.Delays.Add(o.Delays) {
		return false
	}
	for a, e := range o.Expected {
		c.Expected[a] += e
	}
	return true
}

// SameAge are the cells in which two arms have had the same time: for each age of
// at least limit, the predictions of both arms and their conversions with a
// delay of at most limit. Within one age the share of conversions that has come
// is the same in both arms and cancels, whatever the delay curve, if the arms do
// not differ in delay; the cells are those of TwoArm, and of Detector.AddArms.
// The cells of one age by delay have the same θ, so that their sum is enough.
// Not ok for arms with different numbers of buckets and a limit outside them.
func SameAge(treatment, control Cohorts, limit int) ([]Stratum, bool) {
	n := treatment.Delays.Buckets()
	if control.Delays.Buckets() != n || len(treatment.Expected) != n || len(control.Expected) != n || limit < 0 || limit >= n {
		return nil, false
	}
	var cells []Stratum
	for age := limit; age < n; age++ {
		cell := Stratum{treatment.upTo(age, limit), control.upTo(age, limit)}
		if cell != (Stratum{}) {
			cells = append(cells, cell)
		}
	}
	return cells, true
}

func (c Cohorts) upTo(age, limit int) Arm {
	arm := Arm{Expected: c.Expected[age]}
	for _, n := range c.Delays.Counts[age][:min(limit+1, len(c.Delays.Counts[age]))] {
		if n > 0 && arm.Observed > math.MaxInt64-n {
			arm.Observed = math.MaxInt64
			break
		}
		arm.Observed += n
	}
	return arm
}

// SameAgeRatio is ln(Q_T/Q_C) over the cells of SameAge, stratified by age. φ is
// the larger design effect of the arms. It does not decay as labels mature:
// a difference that is there at 1 day and gone at 30 is one of delay.
func SameAgeRatio(treatment, control Cohorts, limit int, phi, level float64) (Estimate, bool) {
	cells, ok := SameAge(treatment, control, limit)
	if !ok {
		return undefined(0, Undefined)
	}
	for i := range cells {
		cells[i].Treatment.DesignEffect, cells[i].Control.DesignEffect = phi, phi
	}
	return StratifiedArmRatio(cells, level)
}
