package stats

import (
	"math"
	"slices"
	"sort"
)

// Edges are the upper limits, ascending, of all bins of predictions but the
// last: bin i has the predictions in [edge i−1, edge i). They are taken once
// for a model and an epoch, from both arms together, and then kept: edges taken
// again, or for each arm, would move with a shift and hide it.
type Edges []float64

// Bins is their number.
func (e Edges) Bins() int { return len(e) + 1 }

// Bin is the bin of p, in [0, Bins()). What is not a number is in the last.
func (e Edges) Bin(p float64) int {
	return sort.Search(len(e), func(i int) bool { return p < e[i] })
}

// Version identifies the edges: the FNV-1a hash of their bits. Bins are
// comparable, and can be added, only where the versions agree.
func (e Edges) Version() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, v := range e {
		b := math.Float64bits(v)
		for range 8 {
			h = (h ^ b&0xff) * prime
			b >>= 8
		}
	}
	return h
}

// HistogramBin is a bin of a histogram of predictions: the number of those
// below Upper that are in no bin before.
type HistogramBin struct {
	Upper float64
	Count int64
}

// EqualMassEdges are edges for n bins that hold about the same number of the
// histogram's predictions each, which has its bins in ascending order. An edge
// is always one of the histogram's. Where one of its bins has the mass of
// several, there are fewer than n. Not ok without any count.
func EqualMassEdges(histogram []HistogramBin, n int) (Edges, bool) {
	total := 0.0
	for _, b := range histogram {
		total += float64(max(b.Count, 0))
	}
	if total == 0 || n < 1 {
		return nil, false
	}
	edges := Edges{}
	below := 0.0
	for _, b := range histogram {
		before := below
		below += float64(max(b.Count, 0))
		if below >= total || !finite(b.Upper) {
			break // the last bin has no upper limit
		}
		if next := float64(len(edges)+1) / float64(n) * total; before < next && below >= next {
			edges = append(edges, b.Upper)
		} else if below >= next && len(edges) < n-1 && below-before > 0 {
			edges = append(edges, b.Upper)
		}
	}
	return slices.Compact(edges), true
}

// Bin is the sums of the rows in one bin of predictions.
type Bin struct {
	N          int64   // rows
	Prediction float64 // Σp
	Variance   float64 // Σp(1−p), the variance of the labels if p is right
	Observed   float64 // Σy
}

// Add adds the rows of o.
func (b *Bin) Add(o Bin) {
	b.N += o.N
	b.Prediction += o.Prediction
	b.Variance += o.Variance
	b.Observed += o.Observed
}

// valid says whether the bin has rows and sums that can be theirs.
func (b Bin) valid() bool {
	return b.N > 0 && finite(b.Prediction, b.Variance, b.Observed) && b.Prediction >= 0 && b.Observed >= 0
}

// meanP and meanY are the mean prediction and the share of conversions.
func (b Bin) meanP() float64 { return b.Prediction / float64(b.N) }
func (b Bin) meanY() float64 { return b.Observed / float64(b.N) }

// nullVariance is the variance of the share of conversions if p is right.
func (b Bin) nullVariance() float64 {
	return math.Max(0, b.Variance) / float64(b.N) / float64(b.N)
}

// Sidak is the level of each of k intervals that hold together at level:
// 1 − (1−level) of them all, (level)^(1/k) each (Šidák 1967, JASA 62), which
// is exact for independent ones, as those of disjoint bins are.
func Sidak(level float64, k int) float64 {
	if k <= 1 {
		return clampLevel(level)
	}
	// As 1 − exp(ln(level)/k) would lose a level near 1.
	return clampLevel(math.Exp(math.Log(clampLevel(level)) / float64(k)))
}

// Reliability is the calibration C_b = Σp/Σy of each bin, with Garwood's
// intervals that hold for all bins together at level. A bin without rows is
// undefined, and one with fewer than 5 expected conversions low_data.
func Reliability(bins []Bin, level float64) []Estimate {
	used := 0
	for _, b := range bins {
		if b.valid() {
			used++
		}
	}
	each := Sidak(level, used)
	out := make([]Estimate, len(bins))
	for i, b := range bins {
		out[i].N = b.N
		if !b.valid() {
			continue
		}
		q, ok := exactRatio(b.Observed, b.Observed, b.Prediction, b.N, each)
		if ok {
			q, _ = q.Invert()
		}
		if q.Status == OK && b.Prediction < minExpected {
			q.Status = LowData
		}
		out[i] = q
	}
	return out
}

// minExpected is the expected number of conversions below which a bin is too
// small to be judged alone.
const minExpected = 5
