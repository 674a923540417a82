package simulate

import (
	"hash/fnv"
	"math"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// small is a workload that a test can afford.
func small() Options {
	o := DefaultOptions()
	o.Steps = []Step{{20, time.Minute}, {70, time.Minute}}
	return o
}

// fingerprint hashes all events in order and counts them by stream.
func fingerprint(t *testing.T, g *Generator) (uint64, [event.NumStreams]int) {
	t.Helper()
	h := fnv.New64a()
	var counts [event.NumStreams]int
	g.Run(func(e Event) bool {
		counts[e.Stream]++
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Message)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
		return true
	})
	return h.Sum64(), counts
}

func TestRunIsAFunctionOfTheOptions(t *testing.T) {
	first, counts := fingerprint(t, New(small()))
	g := New(small())
	for range 2 {
		if again, _ := fingerprint(t, g); again != first {
			t.Errorf("the same options gave other events")
		}
	}
	other := small()
	other.Seed++
	if again, _ := fingerprint(t, New(other)); again == first {
		t.Errorf("another seed gave the same events")
	}
	for s, n := range counts {
		if n == 0 {
			t.Errorf("%s: no events", event.Stream(s))
		}
	}
}

func TestRunKeepsEventTimeOrder(t *testing.T) {
	var last int64
	auctions := map[string]bool{}
	New(small()).Run(func(e Event) bool {
		if e.EventTimeMs < last {
			t.Fatalf("%s at %d after an event at %d", e.Stream, e.EventTimeMs, last)
		}
		last = e.EventTimeMs
		var id string
		var at int64
		switch m := e.Message.(type) {
		case *eventpb.Prediction:
			id, at = m.AuctionId, m.EventTimeMs
			auctions[id] = true
		case *eventpb.Impression:
			id, at = m.AuctionId, m.EventTimeMs
		case *eventpb.Conversion:
			id, at = m.AuctionId, m.EventTimeMs
		}
		if id != e.AuctionID || at != e.EventTimeMs {
			t.Fatalf("event says auction %q at %d, its message %q at %d", e.AuctionID, e.EventTimeMs, id, at)
		}
		if !auctions[id] {
			t.Fatalf("%s of auction %q before its prediction", e.Stream, id)
		}
		return true
	})
}

func TestRunStops(t *testing.T) {
	n := 0
	New(small()).Run(func(Event) bool { n++; return n < 1000 })
	if n != 1000 {
		t.Errorf("got %d events after yield returned false at 1000", n)
	}
}

// TestTruth measures the default workload with the batch recount.
func TestTruth(t *testing.T) {
	o := DefaultOptions()
	o.ConversionScale = 4 // more labels, so that calibration on winners is known well
	g := New(o)
	r := recount.New(recount.Options{Window: 10 * time.Minute, AttributionWindow: time.Hour, Levels: recount.DefaultLevels()})
	g.Run(func(e Event) bool {
		switch m := e.Message.(type) {
		case *eventpb.Prediction:
			r.Prediction(m)
		case *eventpb.Impression:
			r.Impression(m)
		case *eventpb.Conversion:
			r.Conversion(m)
		}
		return true
	})
	truth := g.Truth()
	arms := r.Summary(recount.Query{Experiment: truth.Experiment})
	treatment, control := arms[truth.Treatment].Total, arms[truth.Control].Total
	near := func(what string, got, want, tolerance float64) {
		t.Helper()
		t.Logf("%s: %.4f", what, got)
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s: got %v, want %v ± %v", what, got, want, tolerance)
		}
	}
	near("coverage in treatment", treatment.Candidates.Coverage[truth.Family].Value, truth.Coverage[truth.Treatment], 0.002)
	near("coverage in control", control.Candidates.Coverage[truth.Family].Value, truth.Coverage[truth.Control], 0.002)
	for _, f := range o.Scenario.Families {
		if f.Name != truth.Family {
			near("coverage of "+f.Name, treatment.Candidates.Coverage[f.Name].Value, control.Candidates.Coverage[f.Name].Value, 0.002)
		}
	}
	near("calibration of control", control.Candidates.CalibrationVsReference.Value, 1, 0.005)
	near("ratio on candidates", treatment.Candidates.CalibrationVsReference.Value/control.Candidates.CalibrationVsReference.Value,
		truth.CalibrationRatio, 0.005)
	near("ratio on winners", treatment.Winners.Calibration.Value/control.Winners.Calibration.Value, truth.CalibrationRatio, 0.04)
	near("the ratio as built", truth.CalibrationRatio, 1.19, 1e-9)
	t.Logf("log_mae %v %v, candidates %d %d, winners %d %d, labels %d %d", treatment.Candidates.LogMAE.Value, control.Candidates.LogMAE.Value,
		treatment.Candidates.Count, control.Candidates.Count, treatment.Winners.Count, control.Winners.Count,
		treatment.Winners.Conversions, control.Winners.Conversions)
	if u := r.Unmatched(); u != (recount.Unmatched{}) {
		t.Errorf("unmatched: got %+v, want none", u)
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	if err := (Options{ImpressionRate: 2, Steps: []Step{{101, 0}}}).Validate(); err == nil {
		t.Error("nonsense is valid")
	}
}
