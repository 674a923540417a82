package aggregator

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// smallest are the hashes that a cell of these units must keep.
func smallest(units []uint64) []uint32 {
	var out []uint32
	for _, u := range units {
		if u != 0 {
			out = append(out, unitHash(u))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), unitsKept)]
}

// A total's units are a function of the set of auctions, whatever sources,
// commits, roll-ups and formats they went through; slices have none.
func TestUnitsAreAFunctionOfTheSet(t *testing.T) {
	for seed := range uint64(40) {
		r := newRand(seed)
		opts := testOptions()
		s := newSources(opts, 3)
		var units []uint64
		population := pick(r, 5, 63, 64, 65, 300, 1_000_000)
		span := pick(r, int64(5_000), 600_000, 3*3_600_000)
		commits, among := pick(r, 50, 1000), pick(r, 1, 3) // about so many auctions apart; sources
		for range 1 + r.IntN(1500) {
			e := ordinaryAuction(event.Candidates{})
			e.EventTimeMs = start + r.Int64N(span)
			e.UnitID = r.Uint64N(uint64(population))
			e.Dimensions = []event.Dimension{{Key: []byte("surface"), Value: []byte("home")}}
			units = append(units, e.UnitID)
			p := s.partitions[r.IntN(among)]
			p.Observe(e.EventTimeMs)
			p.Candidates(p.Route(e), e, 0, r.IntN(2) == 0)
			if r.IntN(commits) == 0 {
				s.flush(r.IntN(among))
			}
		}
		s.settle()
		for _, slice := range [][]string{nil, {"surface"}} {
			summary, err := s.merged.Summary(Query{Experiment: "x", Slice: slice})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range summary.Arms {
				got := a.Total.Units.Hashes()
				if d := cmp.Diff(smallest(units), slices.Clone(got)); d != "" {
					t.Fatalf("seed %d, %s (-want +got):\n%s", seed, a.Arm, d)
				}
				for _, of := range a.Slices {
					if n := len(of.Sums.Units.Hashes()); n != 0 {
						t.Fatalf("seed %d: a slice has %d units", seed, n)
					}
				}
			}
		}
	}
}

// After each unit a cell has the smallest of those so far.
func TestUnitTable(t *testing.T) {
	r := newRand(1)
	var table unitTable
	for range 20 {
		table.reset()
		var units []uint64
		for range 400 {
			unit := 1 + r.Uint64N(300)
			units = append(units, unit)
			table.add(unitHash(unit))
			if d := cmp.Diff(smallest(units), table.hashes[:table.n]); d != "" {
				t.Fatalf("after %d units (-want +got):\n%s", len(units), d)
			}
		}
	}
}
