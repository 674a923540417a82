//go:build !purego

package fixed

import "golang.org/x/sys/cpu"

// logRatiosAVX2 is logRatios for the first n pairs, n a multiple of four.
//
//go:noescape
func logRatiosAVX2(ps, rs *float32, n int, table *logEntry) (sum, abs, pairs int64)

var hasAVX2 = cpu.X86.HasAVX2

func logRatiosFast(ps, rs []float32) (n int, sum, abs, pairs int64) {
	n = len(ps) &^ 3
	if !hasAVX2 || n == 0 {
		return 0, 0, 0, 0
	}
	sum, abs, pairs = logRatiosAVX2(&ps[0], &rs[:n][0], n, &ratioTable[0])
	return n, sum, abs, pairs
}
