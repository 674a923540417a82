package worlds

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// World is a small random workload that keeps the contract and crowds its
// corners, and the options that its numbers depend on.
type World struct {
	Join       join.Options
	Aggregator aggregator.Options
	StartMs    int64 // of the auctions
	SpanMs     int64
	Messages   []proto.Message // as producers would write them, each once

	rng      *rand.Rand
	arms     []string
	narrow   bool                  // predictions are much the same
	auctions []*eventpb.Prediction // whole, as before splitting
	drawn    map[string]bool       // conversions, by impression and id
}

// New draws the world of a seed.
func New(seed uint64) *World {
	w := &World{rng: rand.New(rand.NewPCG(seed, 1)), drawn: map[string]bool{}}
	w.Aggregator.Levels = aggregator.DefaultLevels()
	w.StartMs = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + w.rng.Int64N(86_400_000)
	// The longer spans reach the ages at which panes roll up.
	w.SpanMs = Pick(w.rng, time.Minute, 20*time.Minute, 5*time.Hour, 100*time.Hour).Milliseconds()
	w.Aggregator.Levels.Retention = Pick(w.rng, 720*time.Hour, 720*time.Hour, 60*time.Hour)
	w.Join.MemoryBytes = 1 << 30
	w.Join.Window = Pick(w.rng, 0, time.Second, 10*time.Second, 10*time.Minute)
	w.Join.AttributionWindow = Pick(w.rng, time.Second, time.Minute, time.Hour, 24*time.Hour)
	w.Aggregator.AttributionWindow = w.Join.AttributionWindow
	w.Join.ConversionTypes = Pick(w.rng, nil, nil, []string{"buy"}, []string{"buy", "lead"})
	w.Aggregator.Windows = []time.Duration{Pick(w.rng, 10*time.Second, 5*time.Minute, time.Hour)}
	w.Aggregator.EachDimension = w.rng.IntN(2) == 0
	w.Aggregator.Slices = Pick(w.rng, nil, [][]string{{"surface"}}, [][]string{{"surface", "country"}, {"country"}})
	w.arms = Pick(w.rng, []string{"control", "treatment", "third"}, []string{"control", "treatment", "third"}, []string{"control"})
	w.narrow = w.chance(0.3)
	for n := range 1 + w.rng.IntN(25) {
		w.auction(n)
	}
	// Some have conversions enough for more than exact limits.
	for n := range w.rng.IntN(Pick(w.rng, 30, 30, 30, 90)) {
		w.impression(n)
	}
	return w
}

// RecountOptions are the options under which a recount must agree.
func (w *World) RecountOptions() recount.Options {
	l := w.Aggregator.Levels
	return recount.Options{
		Window: w.Join.Window, AttributionWindow: w.Join.AttributionWindow, ConversionTypes: w.Join.ConversionTypes,
		Levels: recount.Levels{Fine: l.Fine, FineFor: l.FineFor, MinuteFor: l.MinuteFor, Retention: l.Retention},
	}
}

// Recount is the recount of the world's records.
func (w *World) Recount() *recount.Recount {
	r := recount.New(w.RecountOptions())
	for _, m := range w.Messages {
		switch m := m.(type) {
		case *eventpb.Prediction:
			r.Prediction(m)
		case *eventpb.Impression:
			r.Impression(m)
		case *eventpb.Conversion:
			r.Conversion(m)
		}
	}
	return r
}

// Breakdowns are the slices that an aggregator of the world keeps.
func (w *World) Breakdowns() [][]string {
	out := w.Aggregator.Slices
	if w.Aggregator.EachDimension {
		out = append(out[:len(out):len(out)], []string{"surface"}, []string{"country"})
	}
	return out
}

// Pick draws one of the choices.
func Pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

func (w *World) chance(p float64) bool { return w.rng.Float64() < p }
