package simulate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Options shape a workload. Start from DefaultOptions.
type Options struct {
	Scenario          Scenario
	Seed              uint64
	Start             time.Time     // event time of the beginning
	AuctionsPerSecond float64       // of event time, on average
	Steps             []Step        // the ramp
	Users             int           // how many there are
	ImpressionRate    float64       // share of the winners that are shown, 0..1
	ConversionScale   float64       // multiplies the true conversion probabilities
	ConversionDelay   time.Duration // mean time from impression to conversion
	LongestDelay      time.Duration // no conversion comes later
	RetractionRate    float64       // share of the conversions that are taken back, 0..1
}

// Step is one step of the ramp.
type Step struct {
	TreatmentPercent float64 // the treatment's share of the users, 0..100
	Duration         time.Duration
}

// DefaultOptions ramp the treatment from 20 to 70 % in 24 minutes of event time,
// with the scenario MissingFamily.
func DefaultOptions() Options {
	return Options{
		Scenario:          MissingFamily(),
		Seed:              1,
		Start:             time.Date(2026, time.November, 2, 9, 0, 0, 0, time.UTC),
		AuctionsPerSecond: 40,
		Steps:             []Step{{20, 8 * time.Minute}, {45, 8 * time.Minute}, {70, 8 * time.Minute}},
		Users:             50_000,
		ImpressionRate:    0.95,
		ConversionScale:   1,
		ConversionDelay:   2 * time.Minute,
		LongestDelay:      10 * time.Minute,
		RetractionRate:    0.01,
	}
}

// Validate reports every option that is out of its range.
func (o Options) Validate() error {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("simulate: "+format, args...))
		}
	}
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	require(o.AuctionsPerSecond > 0 && !math.IsInf(o.AuctionsPerSecond, 0),
		"auctions per second: must be positive, got %v", o.AuctionsPerSecond)
	require(o.Start.UnixMilli() > 0, "start: must be after 1970, got %s", o.Start)
	require(o.Users > 0, "users: must be positive, got %d", o.Users)
	require(share(o.ImpressionRate), "impression rate: must be 0..1, got %v", o.ImpressionRate)
	require(share(o.RetractionRate), "retraction rate: must be 0..1, got %v", o.RetractionRate)
	require(o.ConversionScale >= 0, "conversion scale: must not be negative, got %v", o.ConversionScale)
	require(o.ConversionDelay > 0, "conversion delay: must be positive, got %s", o.ConversionDelay)
	require(o.LongestDelay > 0, "longest delay: must be positive, got %s", o.LongestDelay)
	require(len(o.Steps) > 0, "steps: at least one is needed")
	for i, s := range o.Steps {
		require(s.TreatmentPercent >= 0 && s.TreatmentPercent <= 100,
			"step %d: treatment percent must be 0..100, got %v", i, s.TreatmentPercent)
		require(s.Duration > 0, "step %d: duration must be positive, got %s", i, s.Duration)
	}
	require(len(o.Scenario.Families) <= 64, "scenario %q: at most 64 families, got %d", o.Scenario.Name, len(o.Scenario.Families))
	return errors.Join(errs...)
}

// Event is one record of the workload. Its message is the yield's to keep.
type Event struct {
	Stream      event.Stream
	EventTimeMs int64
	AuctionID   string        // the record's key
	Message     proto.Message // *eventpb.Prediction, *eventpb.Impression or *eventpb.Conversion
}

// Generator makes one workload, as often as asked.
type Generator struct{ opts Options }

// New returns the generator of a workload; opts must be valid.
func New(opts Options) *Generator { return &Generator{opts: opts} }

// Truth is what a perfect diagnosis would say of the workload.
func (g *Generator) Truth() Truth { return g.opts.Scenario.Truth() }

// Span is the event time of the auctions: [start, end). Conversions follow for
// up to LongestDelay, retractions for a minute more.
func (g *Generator) Span() (start, end time.Time) {
	end = g.opts.Start
	for _, s := range g.opts.Steps {
		end = end.Add(s.Duration)
	}
	return g.opts.Start, end
}

// Run hands every event to yield, in event-time order, until there are no more
// or yield returns false. Each call begins anew.
func (g *Generator) Run(yield func(Event) bool) {
	w := &world{opts: g.opts, rng: rand.New(rand.NewPCG(g.opts.Seed, 0x9e3779b97f4a7c15))}
	_, end := g.Span()
	at := float64(g.opts.Start.UnixMilli())
	for n := 0; ; n++ {
		at += w.rng.ExpFloat64() * 1000 / g.opts.AuctionsPerSecond
		t := int64(at)
		if t >= end.UnixMilli() {
			break
		}
		if !w.flush(t-1, yield) || !yield(w.auction(n, t)) {
			return
		}
	}
	w.flush(math.MaxInt64, yield)
}

// flush yields what waits up to timeMs.
func (w *world) flush(timeMs int64, yield func(Event) bool) bool {
	for w.pending.due(timeMs) {
		if _, e := w.pending.pop(); !yield(e) {
			return false
		}
	}
	return true
}
