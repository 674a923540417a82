package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// BenchOptions shape a load: records with every usual column, as protobuf
// bytes, made as cheaply as possible. Start from DefaultBenchOptions.
type BenchOptions struct {
	Seed              uint64
	Auctions          int       // how many
	Candidates        int       // of each auction, at least 1
	Families          int       // feature families, 0..64
	Start             time.Time // event time of the first auction
	AuctionsPerSecond float64   // of event time, evenly spaced
	ImpressionRate    float64   // share of the auctions with an impression, 0..1
	ConversionRate    float64   // share of the impressions with a conversion, 0..1
}

// DefaultBenchOptions are a million auctions of 100 candidates, with an
// impression each and 5 % conversions.
func DefaultBenchOptions() BenchOptions {
	return BenchOptions{
		Seed:              1,
		Auctions:          1_000_000,
		Candidates:        100,
		Families:          20,
		Start:             time.Date(2026, time.November, 2, 9, 0, 0, 0, time.UTC),
		AuctionsPerSecond: 10_000,
		ImpressionRate:    1,
		ConversionRate:    0.05,
	}
}

// Encoded is one record of a load. Key and Value are valid during the yield only.
type Encoded struct {
	Stream      event.Stream
	EventTimeMs int64
	Key, Value  []byte
}

// Bench makes one load, as often as asked.
type Bench struct{ opts BenchOptions }

// NewBench returns the generator of a load.
func NewBench(opts BenchOptions) *Bench { return &Bench{opts: opts} }

// outcomeToCome is an impression or conversion that waits for its time.
type outcomeToCome struct {
	stream       event.Stream
	auction      uint64
	item         uint64
	impressionMs int64
}

// Run hands every record to yield, in event-time order, until there are no
// more or yield returns false. Each call begins anew.
func (b *Bench) Run(yield func(Encoded) bool) {
	rng := rand.New(rand.NewPCG(b.opts.Seed, 0xd1b54a32d192ed03))
	columns := newColumnPool(b.opts, rng)
	templates := newTemplates(b.opts)
	var pending queue[outcomeToCome]
	var out outcomeEncoder
	flush := func(timeMs int64) bool {
		for pending.due(timeMs) {
			t, o := pending.pop()
			if o.stream == event.Impressions && rng.Float64() < b.opts.ConversionRate {
				at := t + 1 + rng.Int64N(60_000)
				pending.push(at, outcomeToCome{event.Conversions, o.auction, o.item, t})
			}
			if !yield(out.encode(t, o)) {
				return false
			}
		}
		return true
	}
	start := float64(b.opts.Start.UnixMilli())
	for n := range b.opts.Auctions {
		t := int64(start + float64(n)*1000/b.opts.AuctionsPerSecond)
		if !flush(t - 1) {
			return
		}
		arm := 0
		if n >= b.opts.Auctions/2 {
			arm = 2 // the second half of the ramp
		}
		treatment := rng.Float64() < benchShares[arm+1]/100
		if treatment {
			arm++
		}
		tpl := &templates[arm*len(benchSurfaces)+rng.IntN(len(benchSurfaces))]
		auction := b.opts.Seed<<40 + uint64(n)
		item := tpl.fill(columns, rng, auction, t)
		if rng.Float64() < b.opts.ImpressionRate {
			pending.push(t+50+rng.Int64N(1950), outcomeToCome{event.Impressions, auction, item, 0})
		}
		if !yield(Encoded{event.Predictions, t, tpl.key(), tpl.value}) {
			return
		}
	}
	flush(math.MaxInt64)
}

// End is the event time of the last auction.
func (b *Bench) End() time.Time {
	return b.opts.Start.Add(time.Duration(float64(b.opts.Auctions-1) / b.opts.AuctionsPerSecond * float64(time.Second)))
}
