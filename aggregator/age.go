package aggregator

import (
	"cmp"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// AgeSums is about the winners of one optimization type by how old they were
// when the sums were read. Entry a is about those that the delays of the first
// a buckets have passed for in full: entry 0 about those too young for any.
type AgeSums struct {
	OptimizationType string
	Expected         [delayBuckets + 1]fixed.Int128 // Σwp, ProbBits
	// Seen counts the labels whose delay is one of those that have passed in full.
	// A later one may be there already, but not yet all of its like.
	Seen [delayBuckets + 1]int64
}

func compareAges(a, b *AgeSums) int { return cmp.Compare(a.OptimizationType, b.OptimizationType) }

func (a AgeSums) keyOnly() AgeSums { return AgeSums{OptimizationType: a.OptimizationType} }

func addAges(dst *[]AgeSums, src []AgeSums) {
	for i := range src {
		d := keyed(dst, &src[i], compareAges)
		for a := range d.Expected {
			d.Expected[a] = d.Expected[a].Add(src[i].Expected[a])
			d.Seen[a] += src[i].Seen[a]
		}
	}
}

// addCohort adds winners of one age, of which the delays of passed buckets have
// gone by.
func addCohort(dst *[]AgeSums, types []TypeSums, passed int) {
	for i := range types {
		t := &types[i]
		d := keyed(dst, &AgeSums{OptimizationType: t.OptimizationType}, compareAges)
		d.Expected[passed] = d.Expected[passed].Add(t.Prediction)
		for k := range t.Delays {
			for _, n := range t.Delays[k].Counts[:passed] {
				d.Seen[passed] += n
			}
		}
	}
}
