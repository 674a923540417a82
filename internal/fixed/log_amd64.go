//go:build !purego

package fixed

import "golang.org/x/sys/cpu"

// sumPairsAVX2 is sumPairs for the first n pairs, n a multiple of four.
//
//go:noescape
func sumPairsAVX2(ps, rs *float32, n int, table *logEntry, s *PairSums)

var hasAVX2 = cpu.X86.HasAVX2

func sumPairsFast(ps, rs []float32) (n int, s PairSums) {
	n = len(ps) &^ 3
	if !hasAVX2 || n == 0 {
		return 0, s
	}
	sumPairsAVX2(&ps[0], &rs[:n][0], n, &ratioTable[0], &s)
	return n, s
}
