package e2e

import (
	"fmt"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

func queryCall() *eventpb.TowerCall {
	return &eventpb.TowerCall{Tower: "query", Outcome: eventpb.TowerCall_OK, LatencyUs: 500}
}

func auctionRules() []rule {
	withCall := func(p *eventpb.Prediction) *eventpb.Prediction {
		p.TowerCalls = []*eventpb.TowerCall{queryCall()}
		return p
	}
	oneCall := func(t *testing.T, o *outcome) {
		if got := o.control(t, "x").Serving["query"].Calls; got != 1 {
			t.Errorf("calls of the query tower: got %d, want 1", got)
		}
	}
	return []rule{
		{
			name: "an auction in three experiments counts in each",
			messages: []proto.Message{
				change(auction("a", 1, 2), func(p *eventpb.Prediction) {
					for _, e := range []string{"y", "z"} {
						p.Assignments = append(p.Assignments, &eventpb.Assignment{Experiment: e, Arm: "control", RampPercent: 50})
					}
				}),
				impression("i", "a", 2, 9), conversion("c", "i", 20),
			},
			want: counts{candidates: 2, winners: 1, conversions: 1, value: 7},
			check: func(t *testing.T, o *outcome) {
				for _, e := range []string{"y", "z"} {
					r := o.control(t, e)
					if r.Candidates.Count != 2 || r.Winners.Count != 1 || r.Winners.Conversions != 1 {
						t.Errorf("%s: got %+v, want the same counts as in x", e, r)
					}
				}
			},
		},
		{
			name: "an auction without candidates",
			messages: []proto.Message{change(withCall(auction("a")), func(p *eventpb.Prediction) {
				p.Candidates = nil
				p.TowerCalls[0].Outcome = eventpb.TowerCall_TIMEOUT
			})},
			check: func(t *testing.T, o *outcome) {
				r := o.control(t, "x")
				if s := r.Serving["query"]; s.Calls != 1 || s.TimeoutRatio.Value != 1 || r.Candidates.PredictionQuantiles["0.5"].OK {
					t.Errorf("got %+v, want one timeout and no quantile", r)
				}
			},
		},
		{
			name: "candidates over several records, each with the auction's calls",
			messages: []proto.Message{withCall(auction("a", 1)), withCall(auction("a", 2, 3)), withCall(auction("a", 4)),
				impression("i", "a", 3, 5)},
			want:  counts{candidates: 4, winners: 1},
			check: oneCall,
		},
		{
			name:     "a record that repeats some candidates and brings others",
			messages: []proto.Message{withCall(auction("a", 1, 2)), withCall(auction("a", 2, 3)), impression("i", "a", 3, 5)},
			want:     counts{candidates: 3, winners: 1},
			check:    oneCall,
		},
		{
			name:     "a record sent three times",
			messages: []proto.Message{withCall(auction("a", 1)), withCall(auction("a", 1)), impression("i", "a", 1, 5), withCall(auction("a", 1))},
			want:     counts{candidates: 1, winners: 1},
			check: func(t *testing.T, o *outcome) {
				oneCall(t, o)
				if got := o.reports[0].Join.Streams[event.Predictions].Duplicate; got != 2 {
					t.Errorf("duplicates: got %d, want 2", got)
				}
			},
		},
		{
			name: "records that contradict each other",
			messages: []proto.Message{
				auction("a", 1), change(auction("a", 1), func(p *eventpb.Prediction) { p.Candidates.Predictions[0] = 0.5 }),
				impression("i", "a", 1, 5), impression("i", "a", 1, 6),
				conversion("c", "i", 10), conversion("c", "i", 11),
			},
			want:     counts{candidates: 1, winners: 1, conversions: 1, value: 7},
			conflict: true,
			check: func(t *testing.T, o *outcome) {
				for s, c := range o.reports[0].Join.Streams {
					if c.Conflicting != 1 || c.Duplicate != 0 {
						t.Errorf("%s: got %d conflicting, %d duplicate; want 1, 0", event.Stream(s), c.Conflicting, c.Duplicate)
					}
				}
			},
		},
		{
			name: "a ramp step that returns begins anew",
			messages: []proto.Message{
				atRamp("a", 0, 50), atRamp("b", second, 20), atRamp("c", 3*second, 50), atRamp("d", 12*second, 50),
			},
			want: counts{candidates: 4},
			check: func(t *testing.T, o *outcome) {
				want := []aggregator.Experiment{{
					Name: "x", FirstMs: t0, LastMs: t0 + 12*second,
					Arms: []aggregator.Arm{{Name: "control", RampPercent: 50, SinceMs: t0 + 3*second}},
				}}
				if got := o.merged.Experiments(); !reflect.DeepEqual(got, want) {
					t.Errorf("experiments: got %+v, want %+v", got, want)
				}
			},
		},
		{
			name: "weights",
			messages: []proto.Message{
				change(withCall(auction("a", 1)), func(p *eventpb.Prediction) { p.SampleWeight = 3 }),
				change(auction("b", 1), func(p *eventpb.Prediction) { p.Candidates.Predictions[0] = 0.75 }),
				impression("i", "a", 1, 5), impression("k", "b", 1, 5), conversion("c", "i", 10),
			},
			want:  counts{candidates: 2, winners: 2, conversions: 1, value: 21},
			check: checkWeights,
		},
	}
}

// atRamp is an auction of one candidate at a time and a ramp step.
func atRamp(id string, after int64, percent float64) *eventpb.Prediction {
	return change(auction(id, 1), func(p *eventpb.Prediction) {
		p.EventTimeMs += after
		p.Assignments[0].RampPercent = percent
	})
}

// checkWeights is Σwp = 3·0.25 + 0.75, Σwr = 3·0.5 + 0.5, Σwy = 3, costs of 100.
func checkWeights(t *testing.T, o *outcome) {
	r := o.control(t, "x")
	for _, n := range []struct {
		name      string
		got, want float64
	}{
		{"candidates prediction_sum", r.Candidates.PredictionSum, 1.5},
		{"candidates reference_sum", r.Candidates.ReferenceSum, 2},
		{"calibration_vs_reference", r.Candidates.CalibrationVsReference.Value, 0.75},
		{"winners prediction_sum", r.Winners.PredictionSum, 1.5},
		{"calibration", r.Winners.Calibration.Value, 0.5},
		{"brier", r.Winners.Brier.Value, (3*0.75*0.75 + 0.75*0.75) / 4},
		{"cost_micros", r.Winners.CostMicros, 400},
		{"cost_per_conversion_micros", r.Winners.CostPerConversionMicros.Value, 400.0 / 3},
	} {
		var d worlds.Diffs
		if d.Sum(n.name, n.got, n.want, 0); len(d.List) > 0 {
			t.Error(d.List[0])
		}
	}
	if got := r.Serving["query"].Calls; got != 1 {
		t.Errorf("calls: got %d, want 1: counts are not weighted", got)
	}
}

// families gives a prediction families and the candidates' masks.
func families(p *eventpb.Prediction, names []string, masks ...uint64) *eventpb.Prediction {
	p.Candidates.FeatureFamilies, p.Candidates.FeaturesPresent = names, masks
	return p
}

func columnRules() []rule {
	var all []string
	for f := range 64 {
		all = append(all, fmt.Sprintf("f%d", f))
	}
	return []rule{
		{
			name: "64 families",
			messages: []proto.Message{
				families(auction("a", 1, 2, 3, 4), all, 1<<63|1, 1<<63, 1<<63, 0), impression("i", "a", 1, 0),
			},
			want:  counts{candidates: 4, winners: 1},
			check: wantCoverage(64, map[string]float64{"f63": 0.75, "f0": 0.25, "f1": 0}, map[string]float64{"f63": 1, "f0": 1, "f1": 0}),
		},
		{
			name: "families that differ between auctions",
			messages: []proto.Message{
				families(auction("a", 1, 2), []string{"user", "item"}, 0b01, 0b11),
				families(auction("b", 1, 2), []string{"item", "visits"}, 0b10, 0b00),
				auction("c", 1, 2, 3),
				impression("i", "b", 1, 0),
			},
			want: counts{candidates: 7, winners: 1},
			check: wantCoverage(3, map[string]float64{"user": 1, "item": 0.25, "visits": 0.5},
				map[string]float64{"item": 0, "visits": 1}),
		},
		{
			name: "candidates without a reference",
			messages: []proto.Message{
				change(auction("a", 1, 2), func(p *eventpb.Prediction) { p.Candidates.References[1] = 0 }),
				change(auction("b", 1), func(p *eventpb.Prediction) { p.Candidates.References = nil }),
			},
			want: counts{candidates: 3},
			check: func(t *testing.T, o *outcome) {
				c := o.control(t, "x").Candidates
				if c.ReferenceCount != 1 || c.PredictionSum != 0.75 || c.ReferenceSum != 0.5 || c.CalibrationVsReference.Value != 0.5 {
					t.Errorf("got %+v, want one reference, Σp 0.75, Σr 0.5 and 0.25/0.5", c)
				}
			},
		},
		{
			name: "stages in the auction's own order",
			messages: []proto.Message{change(auction("a", 1, 2, 3), func(p *eventpb.Prediction) {
				p.Candidates.Stages, p.Candidates.StageIndex = []string{"retrieved", "ranked", "won"}, []uint32{0, 1, 2}
			}), change(auction("b", 1), func(p *eventpb.Prediction) {
				p.Candidates.Stages, p.Candidates.StageIndex = []string{"won", "retrieved"}, []uint32{0}
			})},
			want: counts{candidates: 4},
			check: func(t *testing.T, o *outcome) {
				got := o.control(t, "x").Candidates.Stages
				if len(got) != 3 || got["retrieved"] != 3 || got["ranked"] != 2 || got["won"] != 2 {
					t.Errorf("got %v, want 3 retrieved, 2 ranked, 2 won", got)
				}
			},
		},
		{
			name:     "candidates and winners in their own panes",
			messages: []proto.Message{auction("a", 1), impression("i", "a", 1, 12*second)},
			want:     counts{candidates: 1, winners: 1},
			check: func(t *testing.T, o *outcome) {
				for from, want := range map[int64][2]int64{t0: {1, 0}, t0 + 10*second: {0, 1}} {
					// Bounds within a pane are widened to it.
					s := o.summary(t, aggregator.Query{Experiment: "x", FromMs: from + 3, ToMs: from + 7})
					if s.FromMs != from || s.ToMs != from+10*second {
						t.Errorf("bounds: got [%d, %d), want the pane at %d", s.FromMs, s.ToMs, from)
					}
					if r := s.Arms[0].Total; r.Candidates.Count != want[0] || r.Winners.Count != want[1] {
						t.Errorf("pane at %d: got %d candidates, %d winners; want %v", from, r.Candidates.Count, r.Winners.Count, want)
					}
				}
			},
		},
	}
}

func wantCoverage(size int, candidates, winners map[string]float64) func(*testing.T, *outcome) {
	return func(t *testing.T, o *outcome) {
		r := o.control(t, "x")
		if got := len(r.Candidates.Coverage); got != size {
			t.Errorf("got %d families, want %d", got, size)
		}
		for _, side := range []struct {
			name      string
			got       map[string]aggregator.Number
			wantShare map[string]float64
		}{{"candidates", r.Candidates.Coverage, candidates}, {"winners", r.Winners.Coverage, winners}} {
			for f, want := range side.wantShare {
				if got := side.got[f]; !got.OK || got.Value != want {
					t.Errorf("%s: coverage of %s: got %+v, want %v", side.name, f, got, want)
				}
			}
		}
	}
}
