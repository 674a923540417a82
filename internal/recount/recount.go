package recount

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// Options are the settings that the numbers depend on.
type Options struct {
	Window            time.Duration // largest distance of an impression from its prediction, either way
	AttributionWindow time.Duration // how long after its impression a conversion counts
	ConversionTypes   []string      // types that count; empty: all
	Levels            Levels        // widths of panes by age
}

// Recount holds the events seen. The zero value is not usable; call New.
// It is not safe for concurrent use, and it keeps the messages handed in.
type Recount struct {
	opts        Options
	edges       []int64 // of the buckets of delay, ms
	auctions    map[string]*auction
	impressions map[string]*eventpb.Impression
	conversions map[conversionID]*outcome
	newestMs    int64
	duplicates  Duplicates
}

// Duplicates counts the records that added nothing to those seen before.
type Duplicates struct{ Predictions, Impressions, Conversions int64 }

type auction struct {
	first      *eventpb.Prediction // what all records of the auction have in common
	candidates map[uint64]candidate
}

// candidate is one entry of the columns of one record.
type candidate struct {
	record *eventpb.Prediction
	index  int
}

type conversionID struct{ impression, conversion string }

// outcome is what is known of one conversion: the record, its retraction, or both.
type outcome struct {
	record     *eventpb.Conversion
	retraction *eventpb.Conversion
}

// New returns a Recount without events.
func New(opts Options) *Recount {
	return &Recount{
		opts:        opts,
		edges:       edgesBelow(opts.AttributionWindow),
		auctions:    map[string]*auction{},
		impressions: map[string]*eventpb.Impression{},
		conversions: map[conversionID]*outcome{},
	}
}

// Prediction adds a record of the predictions stream.
func (r *Recount) Prediction(p *eventpb.Prediction) {
	r.newestMs = max(r.newestMs, p.EventTimeMs)
	a := r.auctions[p.AuctionId]
	isNew := a == nil
	if isNew {
		a = &auction{first: p, candidates: map[uint64]candidate{}}
		r.auctions[p.AuctionId] = a
	}
	for i, item := range p.GetCandidates().GetItemIds() {
		if _, seen := a.candidates[item]; seen {
			continue
		}
		a.candidates[item] = candidate{p, i}
		isNew = true
	}
	if !isNew {
		r.duplicates.Predictions++
	}
}

// Impression adds a record of the impressions stream.
func (r *Recount) Impression(i *eventpb.Impression) {
	r.newestMs = max(r.newestMs, i.EventTimeMs)
	if _, seen := r.impressions[i.ImpressionId]; seen {
		r.duplicates.Impressions++
		return
	}
	r.impressions[i.ImpressionId] = i
}

// Conversion adds a record of the conversions stream.
func (r *Recount) Conversion(c *eventpb.Conversion) {
	r.newestMs = max(r.newestMs, c.EventTimeMs)
	id := conversionID{c.ImpressionId, c.ConversionId}
	o := r.conversions[id]
	if o == nil {
		o = &outcome{}
		r.conversions[id] = o
	}
	slot := &o.record
	if c.Retracted {
		slot = &o.retraction
	}
	if *slot != nil {
		r.duplicates.Conversions++
		return
	}
	*slot = c
}

// NewestMs is the newest event time among all records, 0 without any.
func (r *Recount) NewestMs() int64 { return r.newestMs }

// Duplicates is how many records added nothing.
func (r *Recount) Duplicates() Duplicates { return r.duplicates }

// winner is one impression with the auction and the candidate that it shows.
type winner struct {
	impression *eventpb.Impression
	auction    *auction
	candidate  candidate
	first      *eventpb.Conversion // the earliest of those that count, nil without any
	value      int64               // of all conversions that count
}

// winners lists the matched impressions by id, with their labels.
func (r *Recount) winners() []winner {
	byImpression := map[string][]*eventpb.Conversion{}
	for _, o := range r.conversions {
		if o.record != nil && o.retraction == nil {
			byImpression[o.record.ImpressionId] = append(byImpression[o.record.ImpressionId], o.record)
		}
	}
	var out []winner
	for _, id := range slices.Sorted(maps.Keys(r.impressions)) {
		i := r.impressions[id]
		a, c, ok := r.match(i)
		if !ok {
			continue
		}
		w := winner{impression: i, auction: a, candidate: c}
		for _, conv := range byImpression[id] {
			if r.counts(i, conv) {
				w.value += conv.ValueMicros
				if w.first == nil || before(conv, w.first) {
					w.first = conv
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// match finds the candidate that an impression shows.
func (r *Recount) match(i *eventpb.Impression) (*auction, candidate, bool) {
	a := r.auctions[i.AuctionId]
	if a == nil || !r.inWindow(a, i) {
		return nil, candidate{}, false
	}
	c, ok := a.candidates[i.ItemId]
	return a, c, ok
}

func (r *Recount) inWindow(a *auction, i *eventpb.Impression) bool {
	distance := i.EventTimeMs - a.first.EventTimeMs
	return max(distance, -distance) <= r.opts.Window.Milliseconds()
}

// counts reports whether a conversion that is not retracted makes its
// impression's label 1.
func (r *Recount) counts(i *eventpb.Impression, c *eventpb.Conversion) bool {
	if types := r.opts.ConversionTypes; len(types) > 0 && !slices.Contains(types, c.ConversionType) {
		return false
	}
	after := c.EventTimeMs - i.EventTimeMs
	return after >= 0 && after <= r.opts.AttributionWindow.Milliseconds()
}

// sortedAuctions lists the auctions by id, so that sums do not depend on the
// order of a map.
func (r *Recount) sortedAuctions() []*auction {
	out := slices.Collect(maps.Values(r.auctions))
	slices.SortFunc(out, func(a, b *auction) int { return cmp.Compare(a.first.AuctionId, b.first.AuctionId) })
	return out
}

// candidatesInOrder lists an auction's candidates by item.
func (a *auction) candidatesInOrder() []candidate {
	out := make([]candidate, 0, len(a.candidates))
	for _, item := range slices.Sorted(maps.Keys(a.candidates)) {
		out = append(out, a.candidates[item])
	}
	return out
}
