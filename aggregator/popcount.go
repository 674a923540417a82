package aggregator

import "math/bits"

// positional counts, for each bit, the words that have it set: bit-sliced
// binary counters, where plane k holds bit k of all 64 counts.
type positional struct {
	planes [positionalPlanes]uint64
	n      int
}

// The planes count up to positionalMax words.
const (
	positionalPlanes = 16
	positionalMax    = 1<<positionalPlanes - 8
)

// fullAdd adds three bits in each of 64 places.
func fullAdd(a, b, c uint64) (carry, sum uint64) {
	u := a ^ b
	return a&b | u&c, u ^ c
}

// add counts the words, draining into counts each time the planes are full.
//
// Eight words at a time go through a tree of full adders into the three lowest
// planes (the carry-save scheme of Harley and Seal), so that the chain of
// carries is walked once for eight words.
func (p *positional) add(words []uint64, counts *[64]int64) {
	for len(words) >= 8 {
		if p.n >= positionalMax {
			p.drain(counts)
		}
		w := words[:8:8]
		p.n += 8
		ones, twos, fours := p.planes[0], p.planes[1], p.planes[2]
		var t1, t2, f1, f2, eights uint64
		t1, ones = fullAdd(ones, w[0], w[1])
		t2, ones = fullAdd(ones, w[2], w[3])
		f1, twos = fullAdd(twos, t1, t2)
		t1, ones = fullAdd(ones, w[4], w[5])
		t2, ones = fullAdd(ones, w[6], w[7])
		f2, twos = fullAdd(twos, t1, t2)
		eights, fours = fullAdd(fours, f1, f2)
		p.planes[0], p.planes[1], p.planes[2] = ones, twos, fours
		p.carry(3, eights)
		words = words[8:]
	}
	for _, w := range words {
		if p.n >= positionalMax {
			p.drain(counts)
		}
		p.n++
		p.carry(0, w)
	}
}

func (p *positional) carry(k int, w uint64) {
	for ; w != 0; k++ {
		p.planes[k], w = p.planes[k]^w, p.planes[k]&w
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
