package event_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

// decode calls the Decode method of the stream and hides the result's type.
func decode(d *event.Decoder, s event.Stream, f event.Format, b []byte) (any, event.Reason) {
	switch s {
	case event.Predictions:
		return d.DecodePrediction(f, b, eventtest.NowMs)
	case event.Impressions:
		return d.DecodeImpression(f, b, eventtest.NowMs)
	}
	return d.DecodeConversion(f, b, eventtest.NowMs)
}

// want is what the oracle and the slow rules make of the record. Of several
// reasons any is right.
func want(s event.Stream, f event.Format, b []byte) (any, []event.Reason) {
	var m proto.Message
	switch s {
	case event.Predictions:
		m = new(eventpb.Prediction)
	case event.Impressions:
		m = new(eventpb.Impression)
	default:
		m = new(eventpb.Conversion)
	}
	if !oracleParse(f, b, m) {
		return nil, parseFailures
	}
	var v any
	var r event.Reason
	switch m := m.(type) {
	case *eventpb.Prediction:
		v, r = wantPrediction(m, eventtest.NowMs)
	case *eventpb.Impression:
		v, r = wantImpression(m, eventtest.NowMs)
	case *eventpb.Conversion:
		v, r = wantConversion(m, eventtest.NowMs)
	}
	return v, []event.Reason{r}
}

// checkAgainstOracle decodes one record with d and compares.
func checkAgainstOracle(t *testing.T, d *event.Decoder, s event.Stream, f event.Format, b []byte) event.Reason {
	t.Helper()
	wantValue, reasons := want(s, f, b)
	got, reason := decode(d, s, f, b)
	if !slices.Contains(reasons, reason) {
		t.Fatalf("decode %s as %s: got %v (%s), want one of %v\nrecord %q", s, f, reason, d.Detail(), reasons, b)
	}
	if reason != event.ReasonNone {
		if d.Detail() == "" {
			t.Fatalf("decode %s as %s: refused as %v without detail\nrecord %q", s, f, reason, b)
		}
		return reason
	}
	if diff := cmp.Diff(wantValue, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("decode %s as %s (-want +got):\n%s\nrecord %q", s, f, diff, b)
	}
	return reason
}

func randomShape(r *rand.Rand) eventtest.Shape {
	return eventtest.Shape{
		Candidates: r.IntN(40), Assignments: 1 + r.IntN(12), Dimensions: r.IntN(30), TowerCalls: r.IntN(4),
		Families: r.IntN(65), Shadows: r.IntN(12),
	}
}

func TestGoodRecordsMatchOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := event.NewDecoder(event.Options{})
	for range 300 {
		p := eventtest.NewPrediction(r, randomShape(r))
		i := eventtest.NewImpression(r, p.AuctionId, r.Uint64())
		messages := [event.NumStreams]proto.Message{p, i, eventtest.NewConversion(r, i)}
		for s, m := range messages {
			for _, f := range []event.Format{event.Protobuf, event.JSON} {
				b := eventtest.Encode(f, m)
				if reason := checkAgainstOracle(t, d, event.Stream(s), f, b); reason != event.ReasonNone {
					t.Fatalf("good %v record in %v refused: %v: %s", event.Stream(s), f, reason, d.Detail())
				}
			}
		}
	}
}
