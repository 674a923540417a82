package stats

import "math"

// CovariateSums are the sums of an outcome y with a covariate x of the same unit,
// from before the experiment, or its predicted conversions for its observed ones.
// They are sums of the values less something that is near their means, where the
// means are large: products lose their digits otherwise.
type CovariateSums struct {
	N          int64
	X, Y       float64
	XX, XY, YY float64
}

// AddUnit adds a unit.
func (s *CovariateSums) AddUnit(x, y float64) {
	s.Add(CovariateSums{1, x, y, x * x, x * y, y * y})
}

// Add adds the units of o.
func (s *CovariateSums) Add(o CovariateSums) {
	s.N += o.N
	s.X += o.X
	s.Y += o.Y
	s.XX += o.XX
	s.XY += o.XY
	s.YY += o.YY
}

// moments are the variances and the covariance.
func (s CovariateSums) moments() (xx, xy, yy float64, ok bool) {
	if s.N < 2 {
		return 0, 0, 0, false
	}
	n := float64(s.N)
	xx, yy = math.Max(0, s.XX-s.X/n*s.X), math.Max(0, s.YY-s.Y/n*s.Y)
	xy = s.XY - s.X/n*s.Y
	d := n - 1
	xx, xy, yy = xx/d, xy/d, yy/d
	return xx, xy, yy, finite(xx, xy, yy)
}

// CUPED is the adjustment of an outcome by its covariate.
type CUPED struct {
	Theta     float64 // cov(x, y)/var(x)
	Reduction float64 // corr², the share of the variance that goes
}

// CUPED is θ over all arms together (Deng et al. 2013, WSDM). Not ok below two
// units and for a covariate that does not vary.
func (s CovariateSums) CUPED() (CUPED, bool) {
	xx, xy, yy, ok := s.moments()
	if !ok || !(xx > 0) {
		return CUPED{}, false
	}
	c := CUPED{Theta: xy / xx}
	if yy > 0 {
		c.Reduction = clamp(xy/xx*xy/yy, 0, 1)
	}
	return checked(c, c.Theta, c.Reduction)
}

// AdjustedDifference is the mean of y in the treatment less that in the control,
// each less θ times the mean of x, with ± z of the variances that are left. θ is
// that of both arms' sums added. Not ok where an arm has fewer than two units;
// with a covariate that does not vary it is the plain difference.
func AdjustedDifference(treatment, control CovariateSums, level float64) (Estimate, bool) {
	all := treatment
	all.Add(control)
	c, _ := all.CUPED()
	n := all.N
	difference, variance := 0.0, 0.0
	for i, s := range []CovariateSums{treatment, control} {
		xx, xy, yy, ok := s.moments()
		if !ok {
			return undefined(max(n, 0), Undefined)
		}
		units := float64(s.N)
		mean := s.Y/units - c.Theta*(s.X/units)
		if i == 1 {
			mean = -mean
		}
		difference += mean
		variance += math.Max(0, yy-2*c.Theta*xy+c.Theta*c.Theta*xx) / units
	}
	half := twoSidedZ(level) * math.Sqrt(variance)
	return estimate(difference, difference-half, difference+half, n, OK)
}
