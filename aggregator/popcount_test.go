package aggregator

import (
	"math/rand/v2"
	"testing"
)

func TestPositionalCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{0, 1, 7, 8, 9, 100, 1000, 1<<16 + 13, 1 << 18} {
		words := make([]uint64, n)
		for i := range words {
			words[i] = r.Uint64() | 1
		}
		var want [64]int64
		for _, w := range words {
			for b := range want {
				want[b] += int64(w >> b & 1)
			}
		}
		var got [64]int64
		var p positional
		for rest := words; len(rest) > 0; {
			k := min(len(rest), 1+r.IntN(20_000))
			p.add(rest[:k], &got)
			rest = rest[k:]
		}
		p.drain(&got)
		if got != want {
			t.Errorf("%d words: got %v, want %v", n, got, want)
		}
	}
}

func BenchmarkPositional(b *testing.B) {
	words := make([]uint64, 100)
	for i := range words {
		words[i] = rand.Uint64() & (1<<20 - 1)
	}
	var p positional
	var counts [64]int64
	for b.Loop() {
		p.add(words, &counts)
		p.drain(&counts)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/candidate")
}
