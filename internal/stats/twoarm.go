package stats

import (
	"math"
	"slices"
)

// defaultGrid are the log rate ratios that the two-arm test and the detectors
// mix.
var defaultGrid = [...]float64{-0.7, -0.4, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.4, 0.7}

// DefaultGrid returns the ten log rate ratios ±{0.05, 0.1, 0.2, 0.4, 0.7}.
func DefaultGrid() []float64 { return slices.Clone(defaultGrid[:]) }

// gridPlaces are the binary places of the sums of a TwoArm. A term is rounded
// by n·2^-45 nats at most.
const gridPlaces = 44

// maxLogRatio bounds the grid, so that a term of 2^62 events fits the sums.
const maxLogRatio = 30

// TwoArm is the two-arm conditional e-process against equal Q in both arms: in
// a cell of o_T and o_C conversions with E_T and E_C predicted, given
// n = o_T+o_C, a rate ratio r changes the likelihood by
//
//	ln e_r = o_T·ln r − n·ln(1 + θ(r−1)),  θ = E_T/(E_T+E_C),
//
// and the e-value is the mean over a grid of ln r. What multiplies both arms'
// rates in a cell cancels: season, outages of the tracking, the label delay of
// impressions of one age, and, as θ is the cell's own, ramp steps. It is exact
// for Poisson counts and valid for Bernoulli rows of any predictions, for
// ln E e_r ≤ n·ln 1 by concavity of ln. After Lindon and Malek 2022
// (arXiv:2011.03567).
//
// The sums are integers: cells may be added in any order and partition. A cell
// is added once, with all that is known of it.
type TwoArm struct {
	Grid      []float64 // ln r
	Sums      []Wide    // Σ ln e_r in units of 2^-44, by grid point
	Treatment Wide      // Σ o_T
	Control   Wide      // Σ o_C
	Cells     int64     // cells with conversions
}

// NewTwoArm is an empty process over a grid of log ratios, of which those
// beyond ±30 are moved there.
func NewTwoArm(grid []float64) *TwoArm {
	t := &TwoArm{Grid: make([]float64, len(grid)), Sums: make([]Wide, len(grid))}
	for i, g := range grid {
		if math.IsNaN(g) {
			g = 0
		}
		t.Grid[i] = clamp(g, -maxLogRatio, maxLogRatio)
	}
	return t
}

// share is θ of a cell. ok is false where an arm has no predictions: such a
// cell compares nothing.
func share(treatment, control Arm) (theta float64, ok bool) {
	if treatment.Observed < 0 || control.Observed < 0 || !finite(treatment.Expected, control.Expected) {
		return 0, false
	}
	if !(treatment.Expected > 0 && control.Expected > 0) {
		return 0, false
	}
	theta = 1 / (1 + control.Expected/treatment.Expected)
	return theta, theta > 0 && theta < 1
}

// conditional is ln(1 + θ(e^g − 1)) and its slope in g.
func conditional(theta, g float64) float64 { return math.Log1p(theta * math.Expm1(g)) }

// Add takes a cell in, and reports whether it compares the arms: it does not
// where an arm has no predictions. The design effects of its arms are not read.
func (t *TwoArm) Add(cell Stratum) bool {
	theta, ok := share(cell.Treatment, cell.Control)
	if !ok {
		return false
	}
	o, c := cell.Treatment.Observed, cell.Control.Observed
	if o == 0 && c == 0 {
		return true
	}
	for i, g := range t.Grid {
		base := quantized(conditional(theta, g), gridPlaces)
		// o·g − (o+c)·base, in parts that do not overflow.
		t.Sums[i] = t.Sums[i].plus(wideProduct(o, quantized(g, gridPlaces)-base)).plus(wideProduct(c, -base))
	}
	t.Treatment = t.Treatment.plus(Wide{Lo: uint64(o)})
	t.Control = t.Control.plus(Wide{Lo: uint64(c)})
	t.Cells++
	return true
}

// Merge adds the cells of o, which must have the same grid: otherwise it does
// nothing and reports false.
func (t *TwoArm) Merge(o *TwoArm) bool {
	if !slices.Equal(t.Grid, o.Grid) || len(t.Sums) != len(o.Sums) {
		return false
	}
	for i := range t.Sums {
		t.Sums[i] = t.Sums[i].plus(o.Sums[i])
	}
	t.Treatment, t.Control = t.Treatment.plus(o.Treatment), t.Control.plus(o.Control)
	t.Cells += o.Cells
	return true
}

// LogE is the evidence against equal Q. Tempering divides the counts by a design
// effect φ ≥ 1 known before them, which is what alerts use: clusters of rows
// would break the test otherwise. φ that is less or no number counts as 1. Not
// ok with an empty grid.
func (t *TwoArm) LogE(phi float64) (LogE, bool) {
	return t.mean(phi, func(float64) bool { return true })
}

// LogEAbove is the evidence against Q_T ≤ Q_C, over the ratios above 1: it grows
// with every conversion of the treatment and falls with every one of the
// control.
func (t *TwoArm) LogEAbove(phi float64) (LogE, bool) {
	return t.mean(phi, func(g float64) bool { return g > 0 })
}

// LogEBelow is the evidence against Q_T ≥ Q_C, over the ratios below 1.
func (t *TwoArm) LogEBelow(phi float64) (LogE, bool) {
	return t.mean(phi, func(g float64) bool { return g < 0 })
}

func (t *TwoArm) mean(phi float64, use func(g float64) bool) (LogE, bool) {
	phi = Arm{DesignEffect: phi}.phi()
	// In two passes over the grid instead of one over a copy: this runs for each
	// slice at each refresh.
	top, n := math.Inf(-1), 0
	for i, g := range t.Grid {
		if use(g) {
			top = math.Max(top, t.Sums[i].float(gridPlaces)/phi)
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	sum := 0.0
	for i, g := range t.Grid {
		if use(g) {
			sum += math.Exp(t.Sums[i].float(gridPlaces)/phi - top)
		}
	}
	return checkedE(top + math.Log(sum/float64(n)))
}

// ConditionalE is the e-value of counts whose θ has been the same all along, by
// the Beta(κθ, κ(1−θ)) mixture over the treatment's share of the conversions, in
// closed form: a beta-binomial likelihood over the null's binomial one. κ is how
// many conversions the alternative is thought to be off like; 50 is usual. The
// larger design effect tempers it.
func ConditionalE(treatment, control Arm, kappa float64) (LogE, bool) {
	theta, ok := share(treatment, control)
	if !ok {
		return 0, false
	}
	phi := max(treatment.phi(), control.phi())
	counts := [2]float64{float64(treatment.Observed) / phi, float64(control.Observed) / phi}
	return dirichletE(counts[:], []float64{theta, 1 - theta}, kappa)
}
