package e2e

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// inEventTime sorts records as a quiet day would bring them.
func inEventTime(records []record) []record {
	out := slices.Clone(records)
	slices.SortStableFunc(out, func(a, b record) int { return cmp.Compare(a.timeMs, b.timeMs) })
	return out
}

// repeated returns every record one to three times.
func repeated(rng *rand.Rand, records []record) []record {
	var out []record
	for _, r := range records {
		for range 1 + rng.IntN(3) {
			out = append(out, r)
		}
	}
	return out
}

// shuffled mixes all records of all streams.
func shuffled(rng *rand.Rand, records []record) []record {
	out := slices.Clone(records)
	rng.Shuffle(len(out), func(i, k int) { out[i], out[k] = out[k], out[i] })
	return out
}

// streamsInOrder brings one stream after the other, each in the order it has.
func streamsInOrder(records []record, order ...event.Stream) []record {
	out := slices.Clone(records)
	slices.SortStableFunc(out, func(a, b record) int {
		return cmp.Compare(slices.Index(order, a.stream), slices.Index(order, b.stream))
	})
	return out
}
