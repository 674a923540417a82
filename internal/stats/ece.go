package stats

import (
	"cmp"
	"math"
	"slices"
)

// ECE is the expected calibration error over bins of predictions. It is biased
// upwards, by far where conversions are rare: a perfect model has NullMean. It
// is for display and never for alerts.
type ECE struct {
	L1          float64 // Σ(n_b/n)·|p̄_b − ȳ_b|
	L2          float64 // √Σ(n_b/n)·(p̄_b − ȳ_b)²
	DebiasedSq  float64 // Σ(n_b/n)·[(p̄_b − ȳ_b)² − ȳ_b(1−ȳ_b)/(n_b−1)], which can be negative
	DebiasedL2  float64 // √ of that, 0 where it is negative
	DebiasedL1  float64 // L1 less what its noise adds, where bins without conversions have the noise of a right model
	NormalL1    float64 // the same where such bins have no noise, as the Monte Carlo of the paper's package has it
	NullMean    float64 // what L1 is expected to be if the model is right
	Excess      float64 // (L1 − NullMean) in standard deviations of a right model's L1
	Bins        int     // bins with rows
	Rows        int64
	Conversions float64
}

// foldedMean is E|X| for X ~ N(mean, sd²), s·√(2/π)·e^(−d²/2s²) + d·(1 − 2Φ(−d/s)).
func foldedMean(mean, sd float64) float64 {
	d := math.Abs(mean)
	if !(sd > 0) {
		return d
	}
	z := d / sd
	return sd*math.Sqrt(2/math.Pi)*math.Exp(-z*z/2) + d*math.Erf(z/math.Sqrt2)
}

// ExpectedCalibrationError is the ECE of bins. The debiased squares are those
// of Kumar, Liang and Ma (2019, arXiv:1909.10155); the debiased L1 is
// 2·L1 − Σ(n_b/n)·E|N(d_b, s_b²)| in closed form, with d = p̄ − ȳ and
// s² = ȳ(1−ȳ)/n_b, which is what their Monte Carlo converges to. Where no
// label of a bin is 1 that variance is 0, though the noise is not: DebiasedL1
// takes v_b there. Not ok without rows.
//
// NullMean is Σ(n_b/n)·√(2v_b/π) with v_b = Σp(1−p)/n_b².
func ExpectedCalibrationError(bins []Bin) (ECE, bool) {
	e := ECE{}
	n := 0.0
	for _, b := range bins {
		if b.valid() {
			n += float64(b.N)
			e.Rows += b.N
			e.Conversions += b.Observed
			e.Bins++
		}
	}
	if e.Bins == 0 {
		return ECE{}, false
	}
	folded, normal, variance := 0.0, 0.0, 0.0
	for _, b := range bins {
		if !b.valid() {
			continue
		}
		share := float64(b.N) / n
		d := b.meanP() - b.meanY()
		noise := math.Max(0, b.meanY()*(1-b.meanY()))
		e.L1 += share * math.Abs(d)
		e.L2 += share * d * d
		e.DebiasedSq += share * (d*d - noise/math.Max(float64(b.N)-1, 1))
		v := b.nullVariance()
		s2 := noise / float64(b.N)
		normal += share * foldedMean(d, math.Sqrt(s2))
		if b.Observed == 0 {
			s2 = v
		}
		folded += share * foldedMean(d, math.Sqrt(s2))
		e.NullMean += share * math.Sqrt(2*v/math.Pi)
		variance += share * share * v * (1 - 2/math.Pi)
	}
	e.L2 = math.Sqrt(e.L2)
	e.DebiasedL2 = math.Sqrt(math.Max(0, e.DebiasedSq))
	e.DebiasedL1, e.NormalL1 = 2*e.L1-folded, 2*e.L1-normal
	if z, ok := Ratio(e.L1-e.NullMean, math.Sqrt(variance)); ok {
		e.Excess = z
	}
	return checked(e, e.L1, e.L2, e.DebiasedSq, e.DebiasedL1, e.NormalL1, e.NullMean)
}

// Labelled is a prediction with what became of it.
type Labelled struct {
	P, Y float64
}

// sortRows are the rows with a prediction in [0, 1] and a label, by prediction
// and then by label.
func sortRows(rows []Labelled) []Labelled {
	sorted := slices.DeleteFunc(slices.Clone(rows), func(r Labelled) bool { return !(r.P >= 0 && r.P <= 1) || !finite(r.Y) })
	slices.SortStableFunc(sorted, func(a, b Labelled) int {
		return cmp.Or(cmp.Compare(a.P, b.P), cmp.Compare(a.Y, b.Y))
	})
	return sorted
}

// split are the k parts of sorted rows, the first len%k of them with one row
// more.
func split(sorted []Labelled, k int) [][]Labelled {
	parts := make([][]Labelled, 0, k)
	size, more := len(sorted)/k, len(sorted)%k
	for i := range k {
		n := size
		if i < more {
			n++
		}
		parts = append(parts, sorted[:n])
		sorted = sorted[n:]
	}
	return parts
}

func binOf(rows []Labelled) Bin {
	b := Bin{}
	for _, r := range rows {
		b.Add(Bin{1, r.P, r.P * (1 - r.P), r.Y})
	}
	return b
}

// EqualMassBins are k bins of as many rows each, of rows at hand: for offline
// data. Streams have frozen Edges.
func EqualMassBins(rows []Labelled, k int) []Bin {
	if k < 1 {
		return nil
	}
	bins := make([]Bin, 0, k)
	for _, part := range split(sortRows(rows), k) {
		bins = append(bins, binOf(part))
	}
	return bins
}

// SweepBins are the most equal-mass bins whose shares of conversions do not
// fall: the bins of ECE_sweep (Roelofs et al. 2022, arXiv:2012.08668), counted
// up from 1 until the first that do fall. Offline.
func SweepBins(rows []Labelled) []Bin {
	sorted := sortRows(rows)
	var best []Bin
	for k := 1; k <= len(sorted); k++ {
		bins := make([]Bin, 0, k)
		for _, part := range split(sorted, k) {
			bins = append(bins, binOf(part))
		}
		if !slices.IsSortedFunc(bins, func(a, b Bin) int { return cmp.Compare(a.meanY(), b.meanY()) }) {
			break
		}
		best = bins
	}
	return best
}
