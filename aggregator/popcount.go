package aggregator

import "math/bits"

// positional counts, for each bit, the words that have it set: bit-sliced
// binary counters, where plane k holds bit k of all 64 counts. Adding a word
// costs two steps on average, as incrementing a counter does.
type positional struct {
	planes [16]uint64
	n      int
}

// positionalMax is how many words the planes can count.
const positionalMax = 1<<16 - 1

// add counts the words, calling spill each time the planes are full.
func (p *positional) add(words []uint64, counts *[64]int64) {
	for _, w := range words {
		if p.n == positionalMax {
			p.drain(counts)
		}
		p.n++
		for k := 0; w != 0; k++ {
			p.planes[k], w = p.planes[k]^w, p.planes[k]&w
		}
	}
}

// drain adds the counters to counts and empties them.
func (p *positional) drain(counts *[64]int64) {
	top := bits.Len(uint(p.n))
	for k := range top {
		for w := p.planes[k]; w != 0; w &= w - 1 {
			counts[bits.TrailingZeros64(w)] += 1 << k
		}
		p.planes[k] = 0
	}
	p.n = 0
}
