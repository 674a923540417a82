package event_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

// small is a good prediction of two candidates with every column.
func small() *eventpb.Prediction {
	return &eventpb.Prediction{
		AuctionId: "a", EventTimeMs: eventtest.NowMs,
		Assignments: []*eventpb.Assignment{{Experiment: "e", Arm: "control", RampPercent: 20}},
		Dimensions:  map[string]string{"surface": "home"},
		TowerCalls:  []*eventpb.TowerCall{{Tower: "query", Outcome: eventpb.TowerCall_OK}, {Tower: "item"}},
		Candidates: &eventpb.Candidates{
			ItemIds: []uint64{1, 2}, Predictions: []float32{0.1, 0.2}, References: []float32{0, 0.3},
			FeaturesPresent: []uint64{1, 3}, FeatureFamilies: []string{"f", "g"},
			ItemEmbeddingVersionIndex: []uint32{0, 0}, ItemEmbeddingVersions: []string{"v"},
			StageIndex: []uint32{1, 0}, Stages: []string{"s", "t"},
			OptimizationTypeIndex: []uint32{0, 0}, OptimizationTypes: []string{"CPC"},
			AdvertiserIds: []uint64{8, 9}, Utilities: []float32{-1, 1e30},
			ShadowScores: []*eventpb.ShadowScores{{Variant: "full_features", Predictions: []float32{0.5, 0.6}}},
		},
	}
}

// TestPredictionReasons states each rule once, with its edge: what is still
// good and what is refused, with which reason and which detail.
func TestPredictionReasons(t *testing.T) {
	const good = event.ReasonNone
	below1 := math.Nextafter32(1, 0)
	for _, tc := range []struct {
		name   string
		change func(p *eventpb.Prediction)
		want   event.Reason
		detail string
	}{
		{"unchanged", func(p *eventpb.Prediction) {}, good, ""},
		{"no auction", func(p *eventpb.Prediction) { p.AuctionId = "" }, event.ReasonMissingID, "auction_id is empty"},
		{"time 1", func(p *eventpb.Prediction) { p.EventTimeMs = 1 }, good, ""},
		{"time 0", func(p *eventpb.Prediction) { p.EventTimeMs = 0 }, event.ReasonEventTime, "event_time_ms is not positive"},
		{"an hour ahead", func(p *eventpb.Prediction) { p.EventTimeMs += 3_600_000 }, good, ""},
		{"more than an hour ahead", func(p *eventpb.Prediction) { p.EventTimeMs += 3_600_001 }, event.ReasonEventTime, "event_time_ms is more than an hour ahead of the clock"},
		{"no assignment", func(p *eventpb.Prediction) { p.Assignments = nil }, event.ReasonNoAssignment, "assignments is empty"},
		{"no arm", func(p *eventpb.Prediction) { p.Assignments[0].Arm = "" }, event.ReasonNoAssignment, "assignment 0 has no experiment or no arm"},
		{"ramp 100", func(p *eventpb.Prediction) { p.Assignments[0].RampPercent = 100 }, good, ""},
		{"ramp above", func(p *eventpb.Prediction) { p.Assignments[0].RampPercent = 100.5 }, event.ReasonRamp, "ramp_percent of assignment 0 is outside 0..100"},
		{"experiment twice", func(p *eventpb.Prediction) {
			p.Assignments = append(p.Assignments, &eventpb.Assignment{Experiment: "e", Arm: "treatment"})
		}, event.ReasonDuplicateExperiment, "two of 2 assignments name the same experiment"},
		{"three experiments", func(p *eventpb.Prediction) {
			p.Assignments = append(p.Assignments, &eventpb.Assignment{Experiment: "E", Arm: "x"}, &eventpb.Assignment{Experiment: "ee", Arm: "x"})
		}, good, ""},
		{"dimension value empty", func(p *eventpb.Prediction) { p.Dimensions["country"] = "" }, good, ""},
		{"dimension named outcome", func(p *eventpb.Prediction) { p.Dimensions["outcome"] = "x" }, event.ReasonDimension, "dimension 0 is named like a label of rampgauge"},
		{"dimension named Outcome", func(p *eventpb.Prediction) { p.Dimensions["Outcome"] = "x"; p.Dimensions["_x"] = "y" }, good, ""},
		{"outcome unspecified", func(p *eventpb.Prediction) { p.TowerCalls[0].Outcome = 0 }, good, ""},
		{"outcome 4", func(p *eventpb.Prediction) { p.TowerCalls[1].Outcome = 4 }, event.ReasonOutcome, "outcome of tower call 1 is unknown"},
		{"no tower", func(p *eventpb.Prediction) { p.TowerCalls[1].Tower = "" }, event.ReasonOutcome, "tower of call 1 is empty"},
		{"weight", func(p *eventpb.Prediction) { p.SampleWeight = 1 << 20 }, good, ""},
		{"weight too large", func(p *eventpb.Prediction) { p.SampleWeight = 1<<20 + 0.125 }, event.ReasonWeight, "sample_weight is outside 0..1048576"},
		{"weight negative", func(p *eventpb.Prediction) { p.SampleWeight = -1 }, event.ReasonWeight, "sample_weight is outside 0..1048576"},
		{"no candidates", func(p *eventpb.Prediction) { p.Candidates = nil }, good, ""},
		{"empty candidates", func(p *eventpb.Prediction) { p.Candidates = &eventpb.Candidates{} }, good, ""},
		{"two columns only", func(p *eventpb.Prediction) {
			p.Candidates = &eventpb.Candidates{ItemIds: []uint64{7}, Predictions: []float32{0.5}}
		}, good, ""},
		{"references longer", func(p *eventpb.Prediction) { p.Candidates.References = []float32{0.1, 0.1, 0.1} }, event.ReasonColumns, "column references has 3 entries, item_ids 2"},
		{"smallest prediction", func(p *eventpb.Prediction) { p.Candidates.Predictions[1] = math.SmallestNonzeroFloat32 }, good, ""},
		{"largest prediction", func(p *eventpb.Prediction) { p.Candidates.Predictions[1] = below1 }, good, ""},
		{"prediction 1", func(p *eventpb.Prediction) { p.Candidates.Predictions[1] = 1 }, event.ReasonPrediction, "prediction of candidate 1 is outside (0,1)"},
		{"reference 1", func(p *eventpb.Prediction) { p.Candidates.References[0] = 1 }, event.ReasonReference, "reference of candidate 0 is outside [0,1)"},
		{"64 families", func(p *eventpb.Prediction) {
			p.Candidates.FeatureFamilies = strings.Split(strings.Repeat("f,", 63)+"f", ",")
			p.Candidates.FeaturesPresent[0] = math.MaxUint64
		}, good, ""},
		{"65 families", func(p *eventpb.Prediction) {
			p.Candidates.FeatureFamilies = strings.Split(strings.Repeat("f,", 64)+"f", ",")
		}, event.ReasonFamilies, "65 feature families, 64 are allowed"},
		{"bit beyond", func(p *eventpb.Prediction) { p.Candidates.FeaturesPresent[0] = 4 }, event.ReasonFamilies, "features_present has bit 2 set, there are 2 families"},
		{"no bit without families", func(p *eventpb.Prediction) {
			p.Candidates.FeatureFamilies, p.Candidates.FeaturesPresent = nil, []uint64{0, 0}
		}, good, ""},
		{"stage outside", func(p *eventpb.Prediction) { p.Candidates.StageIndex[0] = 2 }, event.ReasonIndex, "column stage_index points outside its table of 2 entries"},
		{"utility not a number", func(p *eventpb.Prediction) { p.Candidates.Utilities[1] = nan() }, event.ReasonMalformed, "utility of candidate 1 is not finite"},
		{"shadow 0", func(p *eventpb.Prediction) { p.Candidates.ShadowScores[0].Predictions[1] = 0 }, event.ReasonShadow, "shadow_scores 0: prediction of candidate 1 is outside (0,1)"},
		{"shadow short", func(p *eventpb.Prediction) { p.Candidates.ShadowScores[0].Predictions = []float32{0.5} }, event.ReasonColumns, "shadow_scores 0 has 1 predictions, not one for each of item_ids"},
		{"shadow without variant", func(p *eventpb.Prediction) { p.Candidates.ShadowScores[0].Variant = "" }, event.ReasonShadow, "variant of shadow_scores 0 is empty"},
	} {
		p := small()
		tc.change(p)
		for _, f := range []event.Format{event.Protobuf, event.JSON} {
			d := event.NewDecoder(event.Options{})
			_, got := d.DecodePrediction(f, eventtest.Encode(f, p), eventtest.NowMs)
			if got != tc.want || got != good && d.Detail() != tc.detail {
				t.Errorf("%s in %s: got %v (%s), want %v (%s)", tc.name, f, got, d.Detail(), tc.want, tc.detail)
			}
		}
	}
}

func nan() float32 { return float32(math.NaN()) }

func TestWireDetails(t *testing.T) {
	record, err := proto.Marshal(small())
	if err != nil {
		t.Fatal(err)
	}
	n := len(record)
	for _, tc := range []struct {
		name   string
		format event.Format
		record []byte
		want   event.Reason
		detail string
	}{
		{"cut", event.Protobuf, record[:n-1], event.ReasonMalformed, ""},
		{"wrong type", event.Protobuf, []byte{1<<3 | 0, 1}, event.ReasonMalformed, "wrong wire type for field 1 of Prediction at byte 0"},
		{"nested wrong type", event.Protobuf, []byte{8<<3 | 2, 3, 4<<3 | 2, 0, 4<<3 | 5}, event.ReasonMalformed, "truncated field at byte 4"},
		{"half a word", event.Protobuf, []byte{8<<3 | 2, 3, 2<<3 | 2, 1, 0}, event.ReasonMalformed, "packed column predictions has 1 bytes, not a multiple of 4"},
		{"UTF-8", event.Protobuf, []byte{1<<3 | 2, 1, 0xff}, event.ReasonUTF8, "auction_id is not valid UTF-8"},
		{"unknown field", event.JSON, []byte(`{"secret":1}`), event.ReasonUnknownField, "Prediction has no field of the name at byte 0"},
		{"twice", event.JSON, []byte(`{"auctionId":"a","auction_id":"b"}`), event.ReasonMalformed, "Prediction has the field at byte 16 twice"},
		{"behind", event.JSON, []byte(`{} x`), event.ReasonMalformed, "data after the record at byte 3"},
	} {
		d := event.NewDecoder(event.Options{})
		_, got := d.DecodePrediction(tc.format, tc.record, eventtest.NowMs)
		if got != tc.want || tc.detail != "" && d.Detail() != tc.detail {
			t.Errorf("%s: got %v (%s), want %v (%s)", tc.name, got, d.Detail(), tc.want, tc.detail)
		}
	}
}

func TestReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for r := event.ReasonNone; r < event.NumReasons; r++ {
		name := r.String()
		if name == "" || seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_8") != "" {
			t.Errorf("reason %d is named %q, want a unique lower-case label value", r, name)
		}
		seen[name] = true
	}
}

func TestLabelNames(t *testing.T) {
	p := small()
	p.Dimensions = map[string]string{"tower": "x"}
	b := eventtest.Encode(event.Protobuf, p)
	for _, tc := range []struct {
		names []string
		want  event.Reason
	}{
		{nil, event.ReasonDimension},
		{[]string{}, event.ReasonNone},
		{[]string{"towel", "owner"}, event.ReasonNone},
		{[]string{"tower"}, event.ReasonDimension},
	} {
		d := event.NewDecoder(event.Options{LabelNames: tc.names})
		if _, got := d.DecodePrediction(event.Protobuf, b, eventtest.NowMs); got != tc.want {
			t.Errorf("dimension tower with label names %q: got %v, want %v", tc.names, got, tc.want)
		}
	}
}
