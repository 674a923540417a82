package study

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
)

// Options are those of a study.
type Options struct {
	Seed    uint64
	Quick   bool              // a small slice of the replications, for tests: too few to judge a claim by
	Workers int               // 0 means one a processor; results do not depend on it
	Started func(part string) // told of each part before it runs; nil is nobody
}

// lab runs replications.
type lab struct {
	Options
	used map[string]bool
}

func newLab(o Options) *lab {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return &lab{Options: o, used: map[string]bool{}}
}

// leastQuick is the number of replications of a quick study, in which no claim
// can be judged.
const leastQuick = 8

// times is the number of replications.
func (l *lab) times(full int) int {
	if l.Quick {
		return max(leastQuick, full/500)
	}
	return full
}

// replicate runs one n times, each with a generator seeded by the study's seed,
// the name and the number of the replication.
func replicate[T any](l *lab, name string, n int, one func(r *rand.Rand) T) []T {
	if l.used[name] {
		panic("BUG: two studies with the name " + name)
	}
	l.used[name] = true
	h := fnv.New64a()
	h.Write([]byte(name))
	stream := h.Sum64()
	results := make([]T, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range l.Workers {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				results[i] = one(rand.New(rand.NewPCG(l.Seed^stream, uint64(i))))
			}
		})
	}
	wg.Wait()
	return results
}

// countIf counts what holds.
func countIf[T any](all []T, holds func(T) bool) int {
	n := 0
	for _, v := range all {
		if holds(v) {
			n++
		}
	}
	return n
}

// meanOf is the mean of values with its standard error.
func meanOf(all []float64) (mean, se float64) {
	for _, v := range all {
		mean += v
	}
	n := float64(len(all))
	mean /= n
	for _, v := range all {
		se += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(se / math.Max(1, n-1) / n)
}
