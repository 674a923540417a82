package aggregator

import (
	"math"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// A model that promises twice too much above a prediction and is right below
// it is seen to be so by percentile, in its own arm alone.
func TestReliabilityByPercentile(t *testing.T) {
	opts := Options{Levels: DefaultLevels()}
	p, m := NewPartition(opts), NewMerged(opts)
	r := newRand(4)
	winners := map[string]int64{}
	for i := range 60_000 {
		arm := []string{"control", "treatment"}[i%2]
		e := ordinaryAuction(event.Candidates{})
		e.Assignments[0].Arm = []byte(arm)
		v := float32(math.Exp(-6 + 5*r.Float64()))
		w := Winner{Route: p.Route(e), TimeMs: start, Prediction: v, Weight: 1, Families: -1, OptTypes: -1, Cluster: r.Uint64()}
		p.Winner(&w)
		winners[arm]++
		q := v
		if arm == "treatment" && v > 0.1 {
			q = v / 2
		}
		if r.Float32() < q {
			p.Label(&w, Outcome{}, Outcome{Positive: true, Type: p.ConversionType([]byte("buy"))})
		}
	}
	p.Observe(start)
	m.Publish(0, p.NewestMs(), p.Flush())
	s, err := m.Summary(Query{Experiment: "x"})
	if err != nil {
		t.Fatal(err)
	}
	got := s.Reliability()
	if n := len(got.Edges); n < 10 || n >= percentileBuckets || got.EdgesVersion == "" {
		t.Fatalf("edges %v, version %q", got.Edges, got.EdgesVersion)
	}
	for arm, list := range got.Arms {
		var rows int64
		for i, e := range list {
			rows += e.N
			want := 1.0
			if arm == "treatment" && i > 0 && got.Edges[i-1] > 0.1 {
				want = 2
			}
			// Bins that hold the change of slope are somewhere between.
			straddles := arm == "treatment" && i < len(got.Edges) && got.Edges[i] > 0.1 && want == 1
			if !straddles && !holds(e, want) {
				t.Errorf("%s: bucket %d: %+v, want %v inside", arm, i, e, want)
			}
		}
		if len(list) != len(got.Edges)+1 || rows != winners[arm] {
			t.Errorf("%s: %d buckets of %d winners, want %d of %d", arm, len(list), rows, len(got.Edges)+1, winners[arm])
		}
	}
	if nothing := (&Summary{}).Reliability(); len(nothing.Edges) != 0 || len(nothing.Arms) != 0 {
		t.Errorf("of nothing: %+v", nothing)
	}
}
