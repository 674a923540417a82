package worlds

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// impression draws an impression, mostly of a candidate, at a time that is
// often on or beside the edge of the window, and what follows from it.
func (w *World) impression(n int) {
	a := Pick(w.rng, w.auctions...)
	i := &eventpb.Impression{
		ImpressionId: fmt.Sprintf("i%d", n),
		AuctionId:    a.AuctionId,
		ItemId:       999,
		EventTimeMs:  max(1, a.EventTimeMs+w.near(-w.Join.Window.Milliseconds(), w.Join.Window.Milliseconds())),
		Position:     uint32(w.rng.IntN(4)),
		CostMicros:   Pick(w.rng, 0, 1, w.rng.Int64N(10_000_000), 1<<40),
		Propensity:   Pick(w.rng, 0, 0, 1, 0.5, 0.01, 0.0099, 1e-5, 1-w.rng.Float32()),
	}
	if items := a.GetCandidates().GetItemIds(); len(items) > 0 && !w.chance(0.1) {
		i.ItemId = Pick(w.rng, items...)
	}
	if w.chance(0.1) {
		i.AuctionId = "nowhere"
	}
	if !w.chance(0.1) { // else its conversions have no impression
		w.Messages = append(w.Messages, i)
	}
	w.conversions(i)
}

// conversions draws what follows from an impression, in no order. The first of
// several is often retracted.
func (w *World) conversions(i *eventpb.Impression) {
	var first *eventpb.Conversion
	for range w.rng.IntN(5) {
		if c := w.conversion(i); c != nil && (first == nil || c.EventTimeMs < first.EventTimeMs) {
			first = c
		}
	}
	if first != nil && w.chance(0.3) {
		w.Messages = append(w.Messages, w.retraction(first))
	}
}

// conversion draws one, and what may retract it. It returns the conversion if
// it is not retracted.
func (w *World) conversion(i *eventpb.Impression) *eventpb.Conversion {
	c := &eventpb.Conversion{
		// The same id means another conversion under another impression, so a
		// repeated draw within one impression must not differ: it names the time.
		ImpressionId:     i.ImpressionId,
		AuctionId:        i.AuctionId,
		EventTimeMs:      max(1, i.EventTimeMs+w.delay()),
		ConversionType:   Pick(w.rng, "buy", "lead", "view"),
		ValueMicros:      Pick(w.rng, 0, 5_000_000, w.rng.Int64N(1<<40)),
		ImpressionTimeMs: Pick(w.rng, 0, i.EventTimeMs),
	}
	c.ConversionId = fmt.Sprintf("c%d-%s-%d-%d", c.EventTimeMs, c.ConversionType, c.ValueMicros, c.ImpressionTimeMs)
	id := i.ImpressionId + c.ConversionId
	if w.drawn[id] {
		return nil
	}
	w.drawn[id] = true
	// A retraction is one of a conversion, or of one that never comes.
	switch v := w.rng.Float64(); {
	case v < 0.75:
		w.Messages = append(w.Messages, c)
		return c
	case v < 0.95:
		w.Messages = append(w.Messages, c, w.retraction(c))
	default:
		w.Messages = append(w.Messages, w.retraction(c))
	}
	return nil
}

func (w *World) retraction(of *eventpb.Conversion) *eventpb.Conversion {
	back := proto.Clone(of).(*eventpb.Conversion)
	back.Retracted = true
	back.EventTimeMs += w.rng.Int64N(60_000)
	return back
}

// delay draws how long after its impression a conversion is: in or around the
// attribution window, or on the edge of a bucket of delays or beside it.
func (w *World) delay() int64 {
	last := w.Join.AttributionWindow.Milliseconds()
	switch w.rng.IntN(4) {
	case 0:
		edge := Pick(w.rng, 10*time.Second, 30*time.Second, time.Minute, 10*time.Minute, 30*time.Minute, time.Hour, 6*time.Hour, 24*time.Hour)
		return min(edge.Milliseconds()+w.rng.Int64N(2), last+w.rng.Int64N(2))
	case 1:
		return int64(math.Pow(float64(last), w.rng.Float64()))
	}
	return w.near(0, last)
}

// near draws a distance in or around [low, high], often an edge or 1 ms off.
func (w *World) near(low, high int64) int64 {
	switch w.rng.IntN(6) {
	case 0:
		return low - w.rng.Int64N(2)
	case 1:
		return high + w.rng.Int64N(2)
	case 2:
		return Pick(w.rng, low+1, high-1, 0)
	}
	return low + w.rng.Int64N(high-low+1)
}
