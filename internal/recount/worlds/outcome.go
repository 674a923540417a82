package worlds

import (
	"fmt"

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
	for range w.rng.IntN(4) {
		w.conversion(i)
	}
}

func (w *World) conversion(i *eventpb.Impression) {
	c := &eventpb.Conversion{
		// The same id means another conversion under another impression, so a
		// repeated draw within one impression must not differ: it names the time.
		ImpressionId:     i.ImpressionId,
		AuctionId:        i.AuctionId,
		EventTimeMs:      max(1, i.EventTimeMs+w.near(0, w.Join.AttributionWindow.Milliseconds())),
		ConversionType:   Pick(w.rng, "buy", "lead", "view"),
		ValueMicros:      Pick(w.rng, 0, 5_000_000, w.rng.Int64N(1<<40)),
		ImpressionTimeMs: Pick(w.rng, 0, i.EventTimeMs),
	}
	c.ConversionId = fmt.Sprintf("c%d-%s-%d-%d", c.EventTimeMs, c.ConversionType, c.ValueMicros, c.ImpressionTimeMs)
	back := proto.Clone(c).(*eventpb.Conversion)
	back.Retracted = true
	back.EventTimeMs += w.rng.Int64N(60_000)
	// A retraction is one of a conversion, or of one that never comes.
	switch v := w.rng.Float64(); {
	case v < 0.7:
		w.Messages = append(w.Messages, c)
	case v < 0.95:
		w.Messages = append(w.Messages, c, back)
	default:
		w.Messages = append(w.Messages, back)
	}
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
