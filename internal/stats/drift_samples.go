package stats

import (
	"math"
	"slices"
)

// Samples compares two samples at hand, value by value: for offline data, and to
// compare with tools that keep all rows. Streams have histograms, see Drift.
type Samples struct {
	Reference, Current []float64
}

// sorted are both samples in order, without values that are not finite. Not ok
// where one is then empty.
func (s Samples) sorted() (a, b []float64, ok bool) {
	clean := func(xs []float64) []float64 {
		out := slices.DeleteFunc(slices.Clone(xs), func(v float64) bool { return !finite(v) })
		slices.Sort(out)
		return out
	}
	a, b = clean(s.Reference), clean(s.Current)
	return a, b, len(a) > 0 && len(b) > 0
}

// steps calls f at each distinct value with the shares of both samples that are
// at most it, and the distance to the next value, 0 at the last.
func steps(a, b []float64, f func(atA, atB, width float64)) {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		x := math.Inf(1)
		if i < len(a) {
			x = a[i]
		}
		if j < len(b) {
			x = min(x, b[j])
		}
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		next := math.Inf(1)
		if i < len(a) {
			next = a[i]
		}
		if j < len(b) {
			next = min(next, b[j])
		}
		width := 0.0
		if !math.IsInf(next, 1) {
			width = next - x
		}
		f(float64(i)/float64(len(a)), float64(j)/float64(len(b)), width)
	}
}

// Wasserstein is W1, the area between both distribution functions, and the same
// over the reference's standard deviation (that of its rows, not of a
// population), 0 where that is 0. Not ok where a sample is empty.
func (s Samples) Wasserstein() (Wasserstein, bool) {
	a, b, ok := s.sorted()
	if !ok {
		return Wasserstein{}, false
	}
	w := Wasserstein{}
	steps(a, b, func(f, g, width float64) { w.Value += math.Abs(f-g) * width })
	_, variance := meanVariance(a)
	n := float64(len(a))
	w.Scaled, _ = Ratio(w.Value, math.Sqrt(variance*(n-1)/n))
	return checked(w, w.Value)
}

// maxExactPaths is the product of both sizes up to which the p-value of KS is
// exact: some 50 ms.
const maxExactPaths = 1e7

// KS is the two-sample Kolmogorov–Smirnov statistic sup|F − G| with its
// two-sided p-value: exact for continuous values, by counting lattice paths
// (Hodges 1957, Arkiv för Matematik 3), up to n·m = 10⁷, and Kolmogorov's
// limit beyond. Ties make it conservative. Not ok where a sample is empty.
func (s Samples) KS() (statistic, p float64, ok bool) {
	a, b, ok := s.sorted()
	if !ok {
		return 0, 0, false
	}
	steps(a, b, func(f, g, _ float64) { statistic = math.Max(statistic, math.Abs(f-g)) })
	n, m := float64(len(a)), float64(len(b))
	if n*m <= maxExactPaths {
		return statistic, outsideShare(len(a), len(b), statistic), true
	}
	lambda := statistic * math.Sqrt(n/(n+m)*m)
	sum, sign := 0.0, 2.0
	for k := 1.0; k < 100; k++ {
		sum += sign * math.Exp(-2*k*k*lambda*lambda)
		sign = -sign
	}
	if lambda < 0.2 {
		sum = 1 // the series has not converged where the limit is 1 to 1e-12
	}
	return statistic, clamp(sum, 0, 1), true
}

// outsideShare is the share of the lattice paths from (0, 0) to (n, m) that
// reach a point with |i/n − j/m| ≥ d. A path to (i, j) came from (i−1, j) with
// probability i/(i+j); all terms are positive, so that small shares keep their
// digits.
func outsideShare(n, m int, d float64) float64 {
	// The distances are multiples of 1/nm, and half of one keeps rounding out.
	limit := d*float64(n)*float64(m) - 0.5
	row := make([]float64, m+1)
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			switch {
			case math.Abs(float64(i)*float64(m)-float64(j)*float64(n)) >= limit:
				row[j] = 1
			case i == 0 && j == 0:
				row[j] = 0
			case i == 0:
				row[j] = row[j-1]
			case j > 0:
				row[j] = (row[j]*float64(i) + row[j-1]*float64(j)) / float64(i+j)
			}
		}
	}
	return clamp(row[m], 0, 1)
}

// Sturges are both samples in log2(n)+1 equal bins, rounded up, over the range
// of both together, n being the number of all their values: the bins of
// evidently 0.7.23. They move with the data, which is why streams have fixed
// ones. Not ok where a sample is empty.
func (s Samples) Sturges() (Drift, bool) {
	a, b, ok := s.sorted()
	if !ok {
		return Drift{}, false
	}
	low, high := min(a[0], b[0]), max(a[len(a)-1], b[len(b)-1])
	k := int(math.Ceil(math.Log2(float64(len(a)+len(b))) + 1))
	if low == high || !finite(high-low) {
		k = 1
	}
	// The last bin holds its upper edge too.
	edges := make(Edges, 0, k)
	for i := 1; i < k; i++ {
		edges = append(edges, low+(high-low)*(float64(i)/float64(k)))
	}
	d := Drift{make([]int64, k), make([]int64, k)}
	for _, x := range a {
		d.Reference[edges.Bin(x)]++
	}
	for _, x := range b {
		d.Current[edges.Bin(x)]++
	}
	return d, true
}
