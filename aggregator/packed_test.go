package aggregator

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// Packing must lose nothing, and unpacking into used memory leave nothing behind.
func TestPack(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	opts := Options{Levels: DefaultLevels()}
	var reused Sums
	var size, n int
	for range 200 {
		p := NewPartition(opts)
		for _, f := range randomFacts(r, 1+r.IntN(20), opts.Levels.Fine) {
			f.apply(p)
		}
		for _, u := range p.Flush() {
			if u.Progress {
				continue
			}
			var fresh Sums
			u.packed.unpack(&fresh)
			total, again := &Sums{}, &Sums{}
			total.Add(&fresh)
			again.Add(u.Sums)
			if !reflect.DeepEqual(total, again) {
				t.Fatalf("got %+v, want %+v", total, again)
			}
			u.packed.unpack(&reused)
			twice := &Sums{}
			twice.Add(&reused)
			if !reflect.DeepEqual(twice, again) {
				t.Fatalf("into used memory: got %+v, want %+v", twice, again)
			}
			size += len(u.packed.bytes)
			n++
		}
	}
	t.Logf("%d cells of a pane, %d bytes each", n, size/max(n, 1))
}
