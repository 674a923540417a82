package aggregator

import "math"

// ExcessBits are the binary places of a score histogram's excess weights. A bin
// takes 10^8 candidates of the largest weight, and 10^11 of weight 1000.
const ExcessBits = 16

// ranks finds quantiles of a histogram. It counts the octaves once.
type ranks struct {
	counts, excess *Histogram
	n              int64
	below          [octaves]int64 // values in lower octaves, by place
}

func (r *ranks) count() {
	for i := range r.counts.pages {
		r.below[i] = r.n
		for _, c := range r.counts.pages[i] {
			r.n += c
		}
	}
}

// quantile reads the q-quantile off the histogram. A value is taken as the middle
// of its bin, within 0.8 %. Without weights it is the linear interpolation
// between the order statistics around rank q(n−1), as statistics packages
// define it by default; with weights, the first value at which the weight up to
// it reaches q of the whole.
func (r *ranks) quantile(q float64) Number {
	if len(r.excess.octaves) > 0 {
		return weightedQuantile(r.counts, r.excess, q)
	}
	if r.n <= 0 {
		return Number{}
	}
	rank := q * float64(r.n-1)
	below := int64(math.Floor(rank))
	lower := r.orderStatistic(below)
	if rank == float64(below) {
		return known(lower)
	}
	upper := r.orderStatistic(min(below+1, r.n-1))
	return known(lower + (rank-float64(below))*(upper-lower))
}

// orderStatistic is the k-th smallest value, from 0.
func (r *ranks) orderStatistic(k int64) float64 {
	h := r.counts
	i := len(h.pages) - 1
	for i > 0 && r.below[i] > k {
		i--
	}
	k -= r.below[i]
	for j, c := range h.pages[i] {
		if k < c {
			return fineMiddle(uint32(h.octaves[i]), uint32(j))
		}
		k -= c
	}
	return 0
}

func weightedQuantile(counts, excess *Histogram, q float64) Number {
	weight := func(octave uint8, i, j int) float64 {
		w := float64(counts.pages[i][j])
		for k, o := range excess.octaves {
			if o == octave {
				w += math.Ldexp(float64(excess.pages[k][j]), -ExcessBits)
			}
		}
		return w
	}
	var total float64
	for i, octave := range counts.octaves {
		for j := range counts.pages[i] {
			total += weight(octave, i, j)
		}
	}
	if total <= 0 {
		return Number{}
	}
	var seen, last float64
	for i, octave := range counts.octaves {
		for j, c := range counts.pages[i] {
			if c == 0 {
				continue
			}
			seen += weight(octave, i, j)
			last = fineMiddle(uint32(octave), uint32(j))
			if seen >= q*total {
				return known(last)
			}
		}
	}
	return known(last)
}
