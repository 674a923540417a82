package aggregator

import (
	"cmp"
	"slices"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// delayEdgesMs are the upper edges, inclusive, of the buckets that the delays of
// conversions are counted in: what comes beyond the last one is in a bucket of
// its own.
var delayEdgesMs = [...]int64{
	10_000, 30_000, 60_000, 120_000, 180_000, 300_000, 600_000, 900_000, 1_200_000, 1_800_000, 2_700_000, // seconds, minutes
	3_600_000, 5_400_000, 7_200_000, 9_000_000, 10_800_000, 14_400_000, 18_000_000, 21_600_000, 25_200_000, 28_800_000, // hours: 1 to 8
	36_000_000, 43_200_000, 50_400_000, 57_600_000, 64_800_000, 72_000_000, 79_200_000, 86_400_000, // 10 to 24
	108_000_000, 129_600_000, 172_800_000, 259_200_000, 345_600_000, 432_000_000, 604_800_000, // 30 and 36 hours, days
	864_000_000, 1_209_600_000, 1_814_400_000, 2_592_000_000,
}

const delayBuckets = len(delayEdgesMs) + 1

// delayBucket is the bucket of a delay, which is not negative.
func delayBucket(ms int64) uint8 {
	i, _ := slices.BinarySearch(delayEdgesMs[:], ms)
	return uint8(i)
}

// TypeSums is about the winners of one optimization type, "" where the auction
// says of none. Delays and ages of conversions differ between them.
type TypeSums struct {
	OptimizationType string
	All              Tally
	Prediction       fixed.Int128 // Σwp, ProbBits
	Delays           []DelayTally // sorted by conversion type
}

// DelayTally counts labels by the delay of the first conversion that counts, for
// the type of that conversion. Labels are not weighted here.
type DelayTally struct {
	ConversionType string
	Counts         [delayBuckets]int64
}

func compareTypes(a, b *TypeSums) int    { return cmp.Compare(a.OptimizationType, b.OptimizationType) }
func compareDelays(a, b *DelayTally) int { return cmp.Compare(a.ConversionType, b.ConversionType) }

func (t TypeSums) keyOnly() TypeSums     { return TypeSums{OptimizationType: t.OptimizationType} }
func (d DelayTally) keyOnly() DelayTally { return DelayTally{ConversionType: d.ConversionType} }

// typeOf is keyed for an optimization type, and allocates nothing for one that
// is there.
func typeOf(list *[]TypeSums, name string) *TypeSums {
	for i := range *list {
		if (*list)[i].OptimizationType == name {
			return &(*list)[i]
		}
	}
	return keyed(list, &TypeSums{OptimizationType: name}, compareTypes)
}

// delaysOf is keyed for a conversion type, likewise.
func delaysOf(t *TypeSums, name string) *DelayTally {
	for i := range t.Delays {
		if t.Delays[i].ConversionType == name {
			return &t.Delays[i]
		}
	}
	return keyed(&t.Delays, &DelayTally{ConversionType: name}, compareDelays)
}

func addTypes(dst *[]TypeSums, src []TypeSums) {
	for i := range src {
		o := &src[i]
		t := keyed(dst, o, compareTypes)
		t.All.add(o.All)
		t.Prediction = t.Prediction.Add(o.Prediction)
		for k := range o.Delays {
			d := keyed(&t.Delays, &o.Delays[k], compareDelays)
			for b, n := range o.Delays[k].Counts {
				d.Counts[b] += n
			}
		}
	}
	pruneTypes(dst)
}

func subTypes(dst *[]TypeSums, src []TypeSums) {
	for i := range src {
		o := &src[i]
		t := keyed(dst, o, compareTypes)
		t.All.sub(o.All)
		t.Prediction = t.Prediction.Sub(o.Prediction)
		for k := range o.Delays {
			d := keyed(&t.Delays, &o.Delays[k], compareDelays)
			for b, n := range o.Delays[k].Counts {
				d.Counts[b] -= n
			}
		}
	}
	pruneTypes(dst)
}

// pruneTypes drops what holds nothing, so that equal contents have equal
// representations.
func pruneTypes(list *[]TypeSums) {
	for i := range *list {
		t := &(*list)[i]
		t.Delays = slices.DeleteFunc(t.Delays, func(d DelayTally) bool { return d.Counts == [delayBuckets]int64{} })
	}
	*list = slices.DeleteFunc(*list, func(t TypeSums) bool {
		return t.All.Zero() && t.Prediction.IsZero() && len(t.Delays) == 0
	})
}

func cloneTypes(list []TypeSums) []TypeSums {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	for i := range out {
		if out[i].Delays = slices.Clone(out[i].Delays); len(out[i].Delays) == 0 {
			out[i].Delays = nil
		}
	}
	return out
}
