package join

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// modelRow is what a map remembers of a row.
type modelRow struct {
	row    Row
	bucket int64
}

// TestMemStoreAgainstMap does random things to a store and to a map.
func TestMemStoreAgainstMap(t *testing.T) {
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 0x3e3))
		s := NewMemStore()
		model := map[ID]*modelRow{}
		var evicted int64
		ids := make([]ID, 300)
		for i := range ids {
			ids[i] = makeID(fmt.Append(nil, i))
		}
		size := func() (n int64) {
			for _, m := range model {
				n += rowBytes + int64(len(m.row.Conversions))*conversionSize
			}
			return n
		}
		var got Row
		most := 0 // conversions held at once
		for step := range 3000 {
			id := ids[r.IntN(len(ids))]
			if r.IntN(200) == 0 {
				ms, bytes := r.Int64N(40*rowBucketMs), size()*r.Int64N(3)/2
				s.Evict(ms, bytes)
				for size() > bytes {
					oldest := int64(1 << 60)
					for _, m := range model {
						oldest = min(oldest, m.bucket)
					}
					if (oldest+1)*rowBucketMs > ms {
						break
					}
					for id, m := range model {
						if m.bucket == oldest {
							delete(model, id)
						}
					}
					evicted = max(evicted, (oldest+1)*rowBucketMs)
				}
			}
			found := s.Get(id, &got)
			m := model[id]
			if found != (m != nil) {
				t.Fatalf("seed %d, step %d: Get = %v, want %v", seed, step, found, m != nil)
			}
			if !found {
				m = &modelRow{row: Row{Facts: Facts{ID: id}}, bucket: -1}
			} else if d := cmp.Diff(m.row, got, cmpopts.EquateEmpty()); d != "" {
				t.Fatalf("seed %d, step %d: row (-want +got):\n%s", seed, step, d)
			}
			// Conversions are changed in place or added, never taken out.
			row := m.row
			row.Conversions = slices.Clone(row.Conversions)
			row.Item, row.Value = r.Uint64(), r.Int64()
			row.Winner.TimeMs = r.Int64()
			for range r.IntN(3) {
				row.Conversions = append(row.Conversions, Conversion{ID: ids[r.IntN(len(ids))], TimeMs: r.Int64N(1000)})
			}
			for i := range row.Conversions {
				if r.IntN(3) == 0 {
					row.Conversions[i].Value = r.Int64()
				}
			}
			ms := r.Int64N(30 * rowBucketMs)
			s.Put(&row, ms)
			if m.bucket < 0 {
				m.bucket = ms / rowBucketMs
			}
			m.row = row
			model[id] = m
			n := 0
			for _, m := range model {
				n += len(m.row.Conversions)
			}
			most = max(most, n)
			if step%16 == 0 && s.Bytes() != size() || s.EvictedMs() != evicted {
				t.Fatalf("seed %d, step %d: %d bytes, evicted to %d; want %d and %d", seed, step, s.Bytes(), s.EvictedMs(), size(), evicted)
			}
		}
		// Memory is used again, whatever the churn.
		rows := 0
		for _, c := range s.rows {
			rows += len(c)
		}
		if rows > len(ids) {
			t.Errorf("seed %d: %d rows made for %d ids", seed, rows, len(ids))
		}
		if len(s.convs) > most+1 {
			t.Errorf("seed %d: %d conversions made, at most %d were held", seed, len(s.convs)-1, most)
		}
	}
}

func TestRepeatsAgainstMap(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	var s itemSet
	for range 20_000 {
		n := pickOne(r, 0, 1, 2, 3, 10, 100, 900)
		// Few values repeat often, multiples of a large power of two collide.
		values := pickOne(r, uint64(n)+1, uint64(n)*uint64(n)+1, 1<<40)
		shift := pickOne(r, 0, 0, 24, 50)
		items := make([]uint64, n)
		seen := map[uint64]bool{}
		for i := range items {
			items[i] = r.Uint64N(values) << shift
			seen[items[i]] = true
		}
		if got, want := s.repeats(&event.Candidates{ItemIDs: items}), len(seen) < n; got != want {
			t.Fatalf("repeats(%d items of %d values << %d) = %v, want %v", n, values, shift, got, want)
		}
	}
}

// The stamps that tell records apart run out and begin anew.
func TestRepeatsWhenStampsRunOut(t *testing.T) {
	var s itemSet
	same := &event.Candidates{ItemIDs: []uint64{1, 2, 3}}
	for i := range 200_000 {
		if s.repeats(same) {
			t.Fatalf("call %d: the items of the record before were taken for its own", i)
		}
	}
	if !s.repeats(&event.Candidates{ItemIDs: []uint64{1, 2, 1}}) {
		t.Error("a repeated item was missed")
	}
}

// Records larger than a stamp has room for take another way.
func TestRepeatsOfLargeRecords(t *testing.T) {
	var s itemSet
	for _, n := range []int{maxSetItems - 1, maxSetItems, maxSetItems + 1, maxSetItems + 2} {
		items := make([]uint64, n)
		for i := range items {
			items[i] = uint64(i) << 3
		}
		if s.repeats(&event.Candidates{ItemIDs: items}) {
			t.Errorf("%d different items: repeats = true", n)
		}
		items[n-1] = items[n-2]
		if !s.repeats(&event.Candidates{ItemIDs: items}) {
			t.Errorf("%d items, the last two the same: repeats = false", n)
		}
	}
}

func pickOne[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }
