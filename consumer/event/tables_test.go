package event_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// Equal numbers must mean equal tables, whatever was decoded in between.
func TestTableNumbers(t *testing.T) {
	d := event.NewDecoder(event.Options{})
	seen := map[uint32]string{}
	number := func(families ...string) uint32 {
		t.Helper()
		b, err := proto.Marshal(&eventpb.Prediction{
			AuctionId: "a", EventTimeMs: 1, Assignments: []*eventpb.Assignment{{Experiment: "e", Arm: "c"}},
			Candidates: &eventpb.Candidates{ItemIds: []uint64{1}, Predictions: []float32{0.5}, FeaturesPresent: []uint64{0}, FeatureFamilies: families},
		})
		if err != nil {
			t.Fatal(err)
		}
		p, reason := d.DecodePrediction(event.Protobuf, b, 1)
		if reason != event.ReasonNone {
			t.Fatal(reason, d.Detail())
		}
		n := p.Candidates.TableNumbers[event.FamilyTable]
		text := ""
		for _, f := range p.Candidates.FeatureFamilies {
			text += string(f) + ";"
		}
		if was, ok := seen[n]; ok && was != text {
			t.Errorf("number %d: got table %q, was %q", n, text, was)
		}
		seen[n] = text
		return n
	}
	a := number("x", "y")
	if a == 0 || number("x", "y") != a {
		t.Error("the same table twice: got another number")
	}
	if b := number("x"); b == a {
		t.Error("a prefix of the table: got its number")
	}
	number("x", "y", "z")
	if number("x", "y") == 0 {
		t.Error("a table that came back has no number")
	}
	if n := number(); n != 0 {
		t.Errorf("no table: got number %d, want 0", n)
	}
}
