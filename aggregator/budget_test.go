package aggregator

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/zeebo/xxh3"
)

// keptOf is the set of cells that a budget keeps, by definition: the longest
// prefix of the label sets, ranked by hash, whose cells fit.
func keptOf(cells []Key, maxCells int) map[Key]bool {
	groups := map[group][]Key{}
	kept := map[Key]bool{}
	for _, k := range cells {
		g := group{k.Experiment, k.Labels}
		if k.Labels == "" {
			kept[k] = true
		} else if !slices.Contains(groups[g], k) {
			groups[g] = append(groups[g], k)
		}
	}
	var ranked []group
	for g := range groups {
		ranked = append(ranked, g)
	}
	hash := func(g group) uint64 { return xxh3.HashString(g.experiment + "\x00" + string(g.labels)) }
	slices.SortFunc(ranked, func(a, b group) int { return cmp.Compare(hash(a), hash(b)) })
	n := 0
	for _, g := range ranked {
		if n += len(groups[g]); n > maxCells {
			break
		}
		for _, k := range groups[g] {
			kept[k] = true
		}
	}
	return kept
}

func randomKeys(t *testing.T, seed uint64) []Key {
	t.Helper()
	r := newRand(seed)
	var out []Key
	for range 1 + r.IntN(60) {
		k := Key{Experiment: pick(r, "x", "y"), Arm: pick(r, "control", "treatment"), RampPercent: pick(r, 20.0, 50, 70)}
		if r.IntN(8) > 0 {
			k.Labels = MakeLabels([]Label{{"surface", fmt.Sprint(r.IntN(12))}})
		}
		out = append(out, k)
	}
	return out
}

func TestBudgetKeepsThePrefixInAnyOrder(t *testing.T) {
	for seed := range uint64(500) {
		keys := randomKeys(t, seed)
		r := newRand(seed)
		maxCells := 1 + r.IntN(40)
		want := keptOf(keys, maxCells)
		for range 3 {
			got := map[Key]bool{}
			b := newBudget(maxCells, func(k Key) { delete(got, k) })
			for _, i := range r.Perm(len(keys)) {
				if b.allow(keys[i]) {
					got[keys[i]] = true
				} else if got[keys[i]] {
					t.Fatalf("seed %d: %+v is refused but was not evicted", seed, keys[i])
				}
			}
			if d := diff(want, got); d != "" {
				t.Fatalf("seed %d, at most %d cells (-want +got):\n%s", seed, maxCells, d)
			}
		}
	}
}

func TestNoBudgetKeepsAll(t *testing.T) {
	b := newBudget(0, nil)
	for _, k := range randomKeys(t, 1) {
		if !b.allow(k) {
			t.Errorf("%+v is cut without a budget", k)
		}
	}
}

// What is shown under a budget must not depend on how auctions are spread over
// partitions: a cell that one source has cut would otherwise show the rest.
func TestBudgetDoesNotShowPartitions(t *testing.T) {
	for seed := range uint64(12) {
		r := newRand(seed)
		opts := testOptions()
		opts.EachDimension = true
		opts.MaxSeries = 1 + r.IntN(40)
		facts := randomFacts(r, 20, 2*opts.Levels.FineFor)
		want := everything(t, run(opts, facts, 1, 0, r).merged)
		for range 3 {
			n, flushes := 1+r.IntN(4), pick(r, 0.05, 1)
			s := run(opts, facts, n, flushes, r)
			what := fmt.Sprintf("seed %d, at most %d cells, %d partitions, flushed after %v of the facts", seed, opts.MaxSeries, n, flushes)
			wantSameText(t, what, want, everything(t, s.merged))
			fresh := NewMerged(opts)
			for i, p := range s.partitions {
				p.Republish()
				fresh.Publish(int32(i), p.NewestMs(), p.Flush())
			}
			wantSameText(t, what+", read anew", want, everything(t, fresh))
		}
		if t.Failed() {
			return
		}
	}
}

// Cutting must cost what is cut, not what is kept.
func BenchmarkBudgetFull(b *testing.B) {
	r := newRand(1)
	keys := make([]Key, 200_000)
	for i := range keys {
		keys[i] = Key{Experiment: "x", Labels: MakeLabels([]Label{{"campaign", fmt.Sprint(r.Uint64())}})}
	}
	b.ReportAllocs()
	for b.Loop() {
		budget := newBudget(30_000, func(Key) {})
		for _, k := range keys {
			budget.allow(k)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/cell")
}
