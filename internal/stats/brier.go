package stats

import "math"

// BrierBin is the sums of the rows of one bin of predictions.
type BrierBin struct {
	N           float64 // Σw
	Prediction  float64 // Σwp
	Squares     float64 // Σwp²
	Observed    float64 // Σwy
	Cross       float64 // Σwpy
	SquaredErrs float64 // Σw(p−y)²
}

// AddRow adds a row; one without a prediction in [0, 1] or a positive weight
// does not count.
func (b *BrierBin) AddRow(p, y, w float64) {
	if !(p >= 0 && p <= 1) || !(w > 0) || !finite(y, w) {
		return
	}
	b.Add(BrierBin{w, w * p, w * p * p, w * y, w * p * y, w * (p - y) * (p - y)})
}

// Add adds the rows of o.
func (b *BrierBin) Add(o BrierBin) {
	b.N += o.N
	b.Prediction += o.Prediction
	b.Squares += o.Squares
	b.Observed += o.Observed
	b.Cross += o.Cross
	b.SquaredErrs += o.SquaredErrs
}

// Brier is the Brier score and its parts.
type Brier struct {
	Score       float64 // mean (p − y)², summed as such
	Reliability float64 // Σ(n_b/n)(p̄_b − ȳ_b)²: the cost of being off
	Resolution  float64 // Σ(n_b/n)(ȳ_b − ȳ)²: what telling bins apart brings
	Uncertainty float64 // ȳ(1−ȳ)
	WithinVar   float64 // WBV: the variance of predictions inside bins
	WithinCov   float64 // WBC: their covariance with labels inside bins
}

// Composed is Reliability − Resolution + Uncertainty + WBV − 2·WBC, which is
// the Score for labels of 0 and 1, whatever the bins are.
func (b Brier) Composed() float64 {
	return b.Reliability - b.Resolution + b.Uncertainty + b.WithinVar - 2*b.WithinCov
}

// DecomposeBrier splits the Brier score over bins (Murphy 1973), with the two
// terms inside bins without which the identity holds only for constant
// predictions in each (Stephenson, Coelho and Jolliffe 2008, Weather and
// Forecasting 23). Labels are 0 and 1. Not ok without rows.
func DecomposeBrier(bins []BrierBin) (Brier, bool) {
	var all BrierBin
	for _, b := range bins {
		all.Add(b)
	}
	mean, ok := Ratio(all.Observed, all.N)
	if !ok || all.N < 0 {
		return Brier{}, false
	}
	r := Brier{Score: all.SquaredErrs / all.N, Uncertainty: mean * (1 - mean)}
	for _, b := range bins {
		if !(b.N > 0) {
			continue
		}
		share := b.N / all.N
		p, y := b.Prediction/b.N, b.Observed/b.N
		r.Reliability += share * (p - y) * (p - y)
		r.Resolution += share * (y - mean) * (y - mean)
		// Predictions are at most 1, and the mean square exceeds the square of
		// the mean: below 0 is rounding.
		r.WithinVar += share * math.Max(0, b.Squares/b.N-p*p)
		r.WithinCov += share * (b.Cross/b.N - p*y)
	}
	return checked(r, r.Score, r.Reliability, r.Resolution, r.Uncertainty, r.WithinVar, r.WithinCov)
}
