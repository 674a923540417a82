package aggregator

import (
	"fmt"
	"testing"
	"time"
)

// permutations calls f with every order of 0..n-1, until it returns false.
func permutations(n int, f func(order []int) bool) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var walk func(k int) bool
	walk = func(k int) bool {
		if k == n {
			return f(order)
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			if !walk(k + 1) {
				return false
			}
			order[k], order[i] = order[i], order[k]
		}
		return true
	}
	walk(0)
}

// Which panes of one source and cell count does not depend on the order in
// which the records come.
func TestPanesInEveryOrder(t *testing.T) {
	opts := Options{Levels: DefaultLevels(), Windows: []time.Duration{5 * time.Minute}}
	base := floorTo(start, 3_600_000)
	first, second := Pane{base, 10_000}, Pane{base + 10_000, 10_000}
	minute, hour := Pane{base, 60_000}, Pane{base, 3_600_000}
	key := Key{Experiment: "x", Arm: "control"}
	type record struct {
		pane    Pane
		version Version
		n       int64 // candidates; 0: a tombstone
	}
	for _, tc := range []struct {
		name    string
		records []record
		want    map[Pane]int64
	}{
		{"a newer epoch wins over more commits", []record{
			{first, Version{1, 9}, 1}, {first, Version{2, 1}, 2}, {first, Version{1, 10}, 3},
		}, map[Pane]int64{first: 2}},
		{"removed, and an older one late", []record{
			{first, Version{1, 1}, 1}, {first, Version{1, 2}, 0}, {second, Version{1, 1}, 5},
		}, map[Pane]int64{second: 5}},
		{"rolled up", []record{
			{first, Version{1, 1}, 1}, {second, Version{1, 2}, 2}, {minute, Version{1, 3}, 3}, {first, Version{1, 3}, 0}, {second, Version{1, 3}, 0},
		}, map[Pane]int64{minute: 3}},
		{"rolled up, the tombstones compacted away", []record{
			{first, Version{1, 1}, 1}, {second, Version{1, 2}, 2}, {minute, Version{1, 3}, 3}, {hour, Version{1, 4}, 4},
		}, map[Pane]int64{hour: 4}},
		{"a zombie rolls up what the owner has not", []record{
			{first, Version{1, 1}, 1}, {second, Version{1, 1}, 1},
			{minute, Version{1, 9}, 2}, {first, Version{1, 9}, 0}, {second, Version{1, 9}, 0},
			{second, Version{2, 1}, 7}, {minute, Version{2, 1}, 0},
		}, map[Pane]int64{second: 7}},
		{"what a displaced minute had displaced stays away", []record{
			{first, Version{1, 1}, 1}, {first, Version{1, 9}, 0}, {minute, Version{1, 9}, 2}, {second, Version{2, 1}, 7}, {first, Version{1, 1}, 1},
		}, map[Pane]int64{second: 7}},
		{"a zombie's minute under the owner's hour", []record{
			{first, Version{1, 1}, 1}, {minute, Version{1, 9}, 2}, {first, Version{1, 9}, 0}, {hour, Version{2, 1}, 3}, {minute, Version{2, 1}, 0},
		}, map[Pane]int64{hour: 3}},
		{"an hour that the owner takes back", []record{
			{first, Version{1, 1}, 1}, {hour, Version{1, 5}, 2}, {first, Version{1, 5}, 0}, {hour, Version{2, 1}, 0}, {first, Version{2, 1}, 4}, {minute, Version{1, 3}, 2},
		}, map[Pane]int64{first: 4}},
	} {
		permutations(len(tc.records), func(order []int) bool {
			m := NewMerged(opts)
			for _, i := range order {
				r := tc.records[i]
				u := Upsert{Key: key, Pane: r.pane, Version: r.version}
				if r.n > 0 {
					u.Sums = &Sums{Candidates: CandidateSums{All: Tally{N: r.n}}}
				}
				m.Publish(3, start, []Upsert{u})
			}
			got := map[Pane]int64{}
			for _, tr := range m.tracks {
				for _, e := range tr.panes {
					got[e.pane] = m.unpacked(e.parts[0].packed).Candidates.All.N
				}
			}
			if d := diff(tc.want, got); d != "" {
				t.Errorf("%s, in the order %v (-want +got):\n%s", tc.name, order, d)
				return false
			}
			m.wantWindows(t, fmt.Sprint(tc.name, order))
			return !t.Failed()
		})
	}
}

// While the topic is read from its beginning, cells of different times are
// there together; the budget must not cut for them.
func TestReplayCutsNothingThatFits(t *testing.T) {
	opts := testOptions()
	opts.MaxSeries = 2
	m := NewMerged(opts)
	m.BeginReplay()
	pane := opts.Levels.At(start, start)
	upsert := func(surface int, version uint64, n int64) {
		u := Upsert{Key: Key{Experiment: "x", Arm: "a", Labels: MakeLabels([]Label{{"surface", fmt.Sprint(surface)}})}, Pane: pane, Version: Version{1, version}}
		if n > 0 {
			u.Sums = &Sums{Candidates: CandidateSums{All: Tally{N: n}}, FirstMs: start, LastMs: start}
		}
		m.Publish(0, start, []Upsert{u})
	}
	for s := range 6 {
		upsert(s, 1, 1)
	}
	for s := range 4 {
		upsert(s, 2, 0)
	}
	if got := m.Windows(); got != nil {
		t.Errorf("windows before the end of the replay: %+v", got)
	}
	m.EndReplay()
	if n := m.SeriesDropped(); n != 0 || len(m.tracks) != 2 {
		t.Errorf("%d cells are dropped and %d kept, want 0 and 2", n, len(m.tracks))
	}
	m.wantWindows(t, "after the replay")
	if len(m.Windows()) == 0 {
		t.Error("no windows after the replay")
	}
	upsert(0, 3, 1)
	if n := m.SeriesDropped(); n == 0 {
		t.Error("the budget cuts nothing after the replay")
	}
}
