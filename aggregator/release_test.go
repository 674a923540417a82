package aggregator

import (
	"fmt"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// A service runs for long, and label sets come and go: campaigns, say. As long
// as those within the retention fit, none is cut.
func TestExpiredCellsGiveTheirPlaceBack(t *testing.T) {
	opts := testOptions()
	opts.Slices = [][]string{{"campaign"}}
	opts.MaxSeries = 8 // 4 hours of retention, an hour that is not over, and 2 sources at different progress
	s := newSources(opts, 2)
	const campaigns = 300
	for i := range campaigns {
		ms := int64(start + i*int(time.Hour.Milliseconds()))
		name := fmt.Sprintf("c%d", i)
		e := &event.Prediction{
			EventTimeMs: ms,
			Assignments: []event.Assignment{{Experiment: []byte("x"), Arm: []byte("control")}},
			Dimensions:  []event.Dimension{{Key: []byte("campaign"), Value: []byte(name)}},
			Candidates:  event.Candidates{ItemIDs: []uint64{1}, Predictions: []float32{0.5}},
		}
		f := fact{auction: e, winner: -1}
		f.apply(s.partitions[i%2])
		s.settle()
		got, err := s.merged.Summary(Query{Experiment: "x", Slice: []string{"campaign"}})
		if err != nil {
			t.Fatal(err)
		}
		newest := false
		for _, sl := range got.Arms[0].Slices {
			newest = newest || sl.Labels[0].Value == name
		}
		if !newest {
			t.Fatalf("campaign %s is not kept among the %d of the retention, and %d were cut", name, len(got.Arms[0].Slices), s.merged.SeriesDropped())
		}
	}
	if n := s.merged.SeriesDropped(); n != 0 {
		t.Errorf("SeriesDropped = %d, want 0", n)
	}
	for i := range s.partitions {
		s.merged.Remove(int32(i))
	}
	if b := s.merged.budget; b.cells != 0 || len(b.groups) != 0 || len(b.ranking) != 0 {
		t.Errorf("after every source has left, the budget counts %d cells of %d label sets, %d ranked", b.cells, len(b.groups), len(b.ranking))
	}
}

// What removes a cell that is not there takes no place in the budget.
func TestRemovingTakesNoPlace(t *testing.T) {
	opts := testOptions()
	opts.MaxSeries = 1
	m := NewMerged(opts)
	k := Key{Experiment: "x", Arm: "control", Labels: MakeLabels([]Label{{"surface", "home"}})}
	m.Publish(0, start, []Upsert{{Key: k, Pane: opts.Levels.At(start, start), Version: Version{0, 1}}})
	if n := m.budget.cells; n != 0 {
		t.Errorf("the budget counts %d cells, want 0", n)
	}
}

// The heap that says what leaves next is right after any coming and going.
func TestBudgetAfterReleases(t *testing.T) {
	for seed := range uint64(200) {
		r := newRand(seed)
		live := map[Key]bool{}
		b := newBudget(1+r.IntN(30), func(k Key) { delete(live, k) })
		keys := randomKeys(t, seed)
		for range 300 {
			k := keys[r.IntN(len(keys))]
			if r.IntN(2) == 0 {
				b.release(k)
				delete(live, k)
			} else if b.allow(k) && k.Labels != "" {
				live[k] = true
			}
			if b.cells != len(live) || b.cells > b.max {
				t.Fatalf("seed %d: the budget counts %d of at most %d cells, %d live", seed, b.cells, b.max, len(live))
			}
			if len(b.ranking) != len(b.groups) {
				t.Fatalf("seed %d: %d label sets ranked, of %d", seed, len(b.ranking), len(b.groups))
			}
			for i, g := range b.ranking {
				if g.at != i || b.groups[g.group] != g || b.ranking[(i-1)/2*min(i, 1)].rank < g.rank {
					t.Fatalf("seed %d: %+v is at place %d, below one that ranks lower, or not the one known", seed, g.group, i)
				}
			}
			for k := range live {
				if g := b.groups[k.group()]; g == nil || g.rank >= b.threshold {
					t.Fatalf("seed %d: %+v is kept though its labels were cut", seed, k)
				}
			}
		}
	}
}
