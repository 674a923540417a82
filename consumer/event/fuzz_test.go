package event_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventtest"
)

// Each target decodes any bytes in both formats, with one Decoder for all
// inputs, and holds the result against generated code and the slow rules. The
// seeds are good records, their variants and the malformed corpus.

func FuzzPrediction(f *testing.F) {
	fuzz(f, event.Predictions, func(r *rand.Rand) proto.Message {
		return eventtest.NewPrediction(r, eventtest.Shape{
			Candidates: r.IntN(4), Assignments: 1 + r.IntN(2), Dimensions: r.IntN(3), TowerCalls: r.IntN(3),
			Families: r.IntN(65), Shadows: r.IntN(3),
		})
	})
}

func FuzzImpression(f *testing.F) {
	fuzz(f, event.Impressions, func(r *rand.Rand) proto.Message {
		return eventtest.NewImpression(r, "auction", r.Uint64())
	})
}

func FuzzConversion(f *testing.F) {
	fuzz(f, event.Conversions, func(r *rand.Rand) proto.Message {
		return eventtest.NewConversion(r, eventtest.NewImpression(r, "auction", r.Uint64()))
	})
}

func fuzz(f *testing.F, s event.Stream, good func(*rand.Rand) proto.Message) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 8 {
		m := good(r)
		f.Add(eventtest.Encode(event.Protobuf, m))
		f.Add(eventtest.Variant(r, m))
		f.Add(eventtest.Encode(event.JSON, m))
		f.Add(eventtest.VariantJSON(r, m))
	}
	for _, bad := range eventtest.Malformed(3, 300) {
		if bad.Stream == s && len(bad.Value) < 4096 {
			f.Add(bad.Value)
		}
	}
	// A record between two inputs shows what a Decoder keeps of an earlier one.
	between := eventtest.Encode(event.Protobuf, good(r))
	d := event.NewDecoder(event.Options{})
	f.Fuzz(func(t *testing.T, b []byte) {
		checkAgainstOracle(t, d, s, event.Protobuf, b)
		checkAgainstOracle(t, d, s, event.JSON, b)
		if reason := checkAgainstOracle(t, d, s, event.Protobuf, between); reason != event.ReasonNone {
			t.Fatalf("good record refused after %q: %v: %s", b, reason, d.Detail())
		}
	})
}
