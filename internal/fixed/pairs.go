package fixed

import "math"

// SumPairs sums p and r over the pairs whose r is not 0, in units of
// 2^-ClusterBits, each rounded by itself. Both are in (0, 1), and there are at
// most 2^15 pairs, so that 64 bits hold the sums.
func SumPairs(ps, rs []float32) (p, r int64) {
	const magic = 0x433 << 52 // the bits of 2^52
	rs = rs[:len(ps)]
	for i, v := range ps {
		ref := rs[i]
		if ref == 0 {
			continue
		}
		// Adding 2^52 leaves the integer in the low bits, rounded half to even.
		p += int64(math.Float64bits(float64(v)*(1<<ClusterBits)+0x1p52) - magic)
		r += int64(math.Float64bits(float64(ref)*(1<<ClusterBits)+0x1p52) - magic)
	}
	return p, r
}
