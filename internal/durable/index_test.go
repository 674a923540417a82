package durable

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// TestIndexAgainstMap: every chunk that an id was added to is found under it,
// and what else is found shares its tag.
func TestIndexAgainstMap(t *testing.T) {
	type key struct{ shard, tag uint64 }
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 0x1d))
		var x index
		model := map[key][]uint32{}
		dead := map[uint32]bool{}
		dropped := func(chunk uint32) bool { return dead[chunk] }
		// Tags crowd at an end, where a run has no room, or are few.
		spread := []uint64{1, 5, 1 << 10, 1 << 24}[r.IntN(4)]
		shards := uint64(1 + r.IntN(3))
		makeID := func() join.ID {
			tag := r.Uint64N(spread)
			if seed%2 == 0 {
				tag = 1<<tagBits - 1 - tag
			}
			return join.ID{Hi: r.Uint64(), Lo: r.Uint64N(shards)<<(64-shardBits) | tag<<(64-shardBits-tagBits) | r.Uint64N(1<<30)}
		}
		keyOf := func(id join.ID) key { return key{id.Lo >> 54, id.Lo >> 30 & (1<<24 - 1)} }
		n := 0
		for step := range 300 {
			chunk := uint32(step)
			ids := make([]join.ID, 1+r.IntN(20))
			for i := range ids {
				ids[i] = makeID()
				model[keyOf(ids[i])] = append(model[keyOf(ids[i])], chunk)
			}
			x.addAll(ids, chunk, dropped)
			if id := ids[0]; r.IntN(3) == 0 {
				to := chunk + 1000
				if !x.move(id, chunk, to) {
					t.Fatalf("seed %d, step %d: an id just added cannot be moved", seed, step)
				}
				in := model[keyOf(id)]
				in[slices.Index(in, chunk)] = to
			}
			if x.move(makeID(), 5000, 1) {
				t.Fatalf("seed %d, step %d: an id was moved from a chunk that it was never in", seed, step)
			}
			if r.IntN(40) == 0 {
				for c := range chunk {
					dead[c] = dead[c] || r.IntN(3) == 0
				}
				x.dropped = true
				for k, in := range model {
					model[k] = slices.DeleteFunc(in, dropped)
				}
				if r.IntN(2) == 0 {
					x.sweep(dropped)
				}
			}
			n = 0
			for k, want := range model {
				n += len(want)
				p := x.probe(join.ID{Lo: k.shard<<54 | k.tag<<30})
				var got []uint32
				for c, ok := p.next(); ok; c, ok = p.next() {
					if !dead[c] {
						got = append(got, c)
					}
				}
				slices.Sort(got)
				if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
					t.Fatalf("seed %d, step %d: found in chunks %v, want %v", seed, step, got, want)
				}
			}
		}
		if x.sweep(dropped); x.n != n {
			t.Errorf("seed %d: %d entries counted, want %d", seed, x.n, n)
		}
		var bytes int64
		for i := range x.shards {
			bytes += int64(len(x.shards[i].slots))
		}
		if bytes != x.bytes {
			t.Errorf("seed %d: %d bytes counted, want %d", seed, x.bytes, bytes)
		}
	}
}

// TestIndexSize holds the memory of a row to what is documented.
func TestIndexSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var x index
	ids := make([]join.ID, 64)
	least, most := 100.0, 0.0
	for n := 0; n < 1_000_000; n += len(ids) {
		for i := range ids {
			ids[i] = join.ID{Hi: r.Uint64(), Lo: r.Uint64()}
		}
		x.addAll(ids, uint32(n/64), func(uint32) bool { return false })
		if n > 300_000 {
			perRow := float64(x.bytes) / float64(x.n)
			least, most = min(least, perRow), max(most, perRow)
		}
	}
	if least < 6 || most > 12 {
		t.Errorf("a row takes %.1f to %.1f bytes of the index, want 7 to 12", least, most)
	}
}
