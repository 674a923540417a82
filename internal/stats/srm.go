package stats

import "math"

// dirichletE is ln of the Dirichlet-multinomial likelihood of counts, prior
// weights α_j = κθ_j, over the multinomial one with shares θ:
//
//	ln Γ(κ) − ln Γ(κ+n) + Σ(ln Γ(α_j+x_j) − ln Γ(α_j) − x_j·ln θ_j).
//
// With Stirling's form the terms that grow with the counts are deviances of the
// posterior weights from their means, which keep their digits; those of the
// prior cancel exactly. Shares must be positive; they are scaled to sum to 1.
func dirichletE(counts, shares []float64, kappa float64) (LogE, bool) {
	if len(counts) != len(shares) || len(counts) == 0 || !(kappa > 0) || !finite(kappa) {
		return 0, false
	}
	sum, n := 0.0, 0.0
	for j, s := range shares {
		if !(s > 0) || !(counts[j] >= 0) {
			return 0, false
		}
		sum += s
		n += counts[j]
	}
	all := kappa + n
	if !finite(sum, all) {
		return 0, false
	}
	e := 0.5*math.Log(all/kappa) - (stirlingError(all) - stirlingError(kappa))
	for j, s := range shares {
		theta := s / sum
		a := kappa * theta
		if !(a > 0) {
			return 0, false
		}
		x := a + counts[j]
		e += deviance(x, all*theta) - 0.5*math.Log(x/a) + stirlingError(x) - stirlingError(a)
	}
	return checkedE(e)
}

// Of the test of sample ratios: its error probability, and the concentration of
// its prior, in units.
const (
	SampleRatioAlpha         = 0.001
	SampleRatioConcentration = 1000
)

// SampleRatio is one epoch of the test of the sample ratio: the units first
// exposed to each arm, and the shares that they ought to come in.
type SampleRatio struct {
	Counts        []int64
	Shares        []float64 // positive; scaled to sum to 1
	Concentration float64   // κ; 0 is SampleRatioConcentration
}

// LogE is the evidence that units do not come in the shares they ought to, the
// Dirichlet-multinomial Bayes factor with prior κ·shares (Lindon and Malek 2022,
// arXiv:2011.03567). It may be read after every unit. A change of shares begins
// a new epoch, with a value of its own; the values multiply. Not ok for a
// negative count, a share that is not positive, or lists of unequal length: a
// unit in an arm that ought to have none is an error of another kind.
func (s SampleRatio) LogE() (LogE, bool) {
	counts := make([]float64, len(s.Counts))
	for j, c := range s.Counts {
		if c < 0 {
			return 0, false
		}
		counts[j] = float64(c)
	}
	kappa := s.Concentration
	if kappa == 0 {
		kappa = SampleRatioConcentration
	}
	return dirichletE(counts, s.Shares, kappa)
}

// SampleRatioOf is the evidence of several epochs together. Epochs without a
// value make it not ok, and an experiment without epochs too.
func SampleRatioOf(epochs []SampleRatio) (LogE, bool) {
	sum := 0.0
	for _, s := range epochs {
		e, ok := s.LogE()
		if !ok {
			return 0, false
		}
		sum += float64(e)
	}
	if len(epochs) == 0 {
		return 0, false
	}
	return checkedE(sum)
}
