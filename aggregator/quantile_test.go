package aggregator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
)

// exactQuantile interpolates linearly between the order statistics around q(n−1).
func exactQuantile(sorted []float64, q float64) float64 {
	rank := q * float64(len(sorted)-1)
	below := int(rank)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (rank-float64(below))*(sorted[above]-sorted[below])
}

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	for seed := range uint64(300) {
		r := newRand(seed)
		var h Histogram
		var values []float64
		different := pick(r, 1, 2, 5, 1000)
		choices := make([]float32, different)
		for i := range choices {
			choices[i] = pick(r, float32(math.Exp(-12*r.Float64()))*0.999, float32(1+r.IntN(1_000_000)))
		}
		for range pick(r, 1, 2, 3, 10, 999) {
			v := pick(r, choices...)
			n := pick[int64](r, 1, 1, 7)
			h.Count(v, n)
			for range n {
				values = append(values, float64(v))
			}
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
			got, want := quantile(&h, &Histogram{}, q), exactQuantile(values, q)
			if !got.OK || math.Abs(got.Value-want) > 0.01*want {
				t.Fatalf("seed %d: %v-quantile of %d values = %+v, want %v", seed, q, len(values), got, want)
			}
		}
	}
}

func TestWeightedQuantilesAreWithinOnePercent(t *testing.T) {
	type weighted struct{ value, weight float64 }
	for seed := range uint64(300) {
		r := newRand(seed)
		var counts, excess Histogram
		var values []weighted
		total := 0.0
		for i := range pick(r, 1, 2, 10, 300) {
			v, w := float32(math.Exp(-12*r.Float64()))*0.999, pick(r, 1, 0.5, 3, 17.25)
			if i == 0 {
				w = 2
			}
			counts.Count(v, 1)
			if w != 1 {
				excess.Count(v, int64((w-1)*(1<<ExcessBits)))
			}
			values = append(values, weighted{float64(v), w})
			total += w
		}
		slices.SortFunc(values, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			want, seen := 0.0, 0.0
			for _, v := range values {
				if want, seen = v.value, seen+v.weight; seen >= q*total {
					break
				}
			}
			if got := quantile(&counts, &excess, q); !got.OK || math.Abs(got.Value-want) > 0.01*want {
				t.Fatalf("seed %d: %v-quantile of %d weighted values = %+v, want %v", seed, q, len(values), got, want)
			}
		}
	}
}

func TestQuantileOfNothing(t *testing.T) {
	var h, excess Histogram
	if got := quantile(&h, &excess, 0.5); got.OK {
		t.Errorf("without values: %+v, want none", got)
	}
	// Weights that make up for what they weigh.
	h.Count(0.5, 1)
	excess.Count(0.5, -1<<ExcessBits)
	if got := quantile(&h, &excess, 0.5); got.OK {
		t.Errorf("without weight: %+v, want none", got)
	}
}

// The bins of a float32 are where its bits say: each value lies in its bin, and
// bins follow each other without gaps.
func TestBinEdges(t *testing.T) {
	r := newRand(1)
	for range 100_000 {
		v := math.Float32frombits(1 + r.Uint32N(math.Float32bits(1<<40)))
		b := math.Float32bits(v)
		for _, bin := range []struct {
			i    uint32
			bits uint
		}{{fineOf(b), fineBits}, {coarseOf(b), coarseBits}} {
			lower, upper := edge(octaveOf(b), bin.i, bin.bits), edge(octaveOf(b), bin.i+1, bin.bits)
			if !(lower <= float64(v) && float64(v) < upper) {
				t.Fatalf("%v is not in its bin [%v, %v)", v, lower, upper)
			}
		}
		if m := fineMiddle(octaveOf(b), fineOf(b)); octaveOf(b) > 0 && math.Abs(m-float64(v)) > 0.008*float64(v) {
			t.Fatalf("the middle of %v's bin is %v: %s off", v, m, fmt.Sprintf("%.2f %%", 100*math.Abs(m/float64(v)-1)))
		}
	}
}

func quantile(counts, excess *Histogram, q float64) Number {
	r := ranks{counts: counts, excess: excess}
	r.count()
	return r.quantile(q)
}
