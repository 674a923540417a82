package join

import (
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Joiner is the join of one partition.
type Joiner struct {
	opts     Options
	window   int64 // ms
	attrib   int64 // ms
	sink     Sink
	remember int64 // how long rows are kept after their time, ms
	tier     *tier
	past     past
	store    Store
	// waiting finds the rows that wait for an auction.
	waiting map[ID]waiters
	// waitingKept is how many of them there were when last looked through.
	waitingKept int

	horizons horizons
	newest   int64 // newest event time of any stream, ms
	counts   Counts
	items    itemSet
	keep     []int
	row      Row // scratch
}

// longestPane is how much longer than the retention a pane may be there: panes
// become whole hours, and go by whole hours.
const longestPane = time.Hour

// New returns a Joiner with an empty memory tier over a Store.
func New(opts Options, store Store, sink Sink) *Joiner {
	window, attrib := opts.Window.Milliseconds(), opts.AttributionWindow.Milliseconds()
	remember := attrib + 2*window
	if opts.Retention > 0 {
		remember = max(remember, (opts.Retention + longestPane).Milliseconds())
	}
	return &Joiner{
		opts: opts, window: window, attrib: attrib, remember: remember,
		sink: sink, store: store, waiting: map[ID]waiters{},
		// Eight buckets a window keep little beyond it, and few to look through.
		tier: newTier(max(window/8, time.Second.Milliseconds())),
		past: newPast(),
	}
}

func (j *Joiner) observe(ms int64) { j.newest = max(j.newest, ms) }

// Impression takes one decoded impression.
func (j *Joiner) Impression(e *event.Impression) {
	j.observe(e.EventTimeMs)
	id, auction := makeID(e.ImpressionID), makeID(e.AuctionID)
	row := &j.row
	counts := &j.counts.Streams[event.Impressions]
	known := j.store.Get(id, row)
	if (!known || row.State&HasImpression == 0) && e.EventTimeMs < j.store.EvictedMs() {
		// A row of conversions alone does not tell whether it is new either.
		counts.Late++
		return
	}
	if !known {
		*row = Row{Facts: Facts{ID: id}, Conversions: row.Conversions[:0]}
	}
	if row.State&HasImpression != 0 {
		if row.Auction == auction && row.Item == e.ItemID && row.Winner.TimeMs == e.EventTimeMs && row.Winner.CostMicros == e.CostMicros {
			counts.Duplicate++
		} else {
			counts.Conflicting++
		}
		return
	}
	row.State |= HasImpression
	row.Auction, row.Item = auction, e.ItemID
	row.Winner = Winner{TimeMs: e.EventTimeMs, CostMicros: e.CostMicros, Propensity: e.Propensity}
	j.adopt(row)
	if j.match(row) {
		j.settle(row, Label{})
	} else {
		j.wait(auction, id)
		counts.Waiting++
		j.horizons.push(e.EventTimeMs+j.window, id, ID{})
		j.giveUpIfOutside(row)
		j.seek(row)
	}
	j.store.Put(row, e.EventTimeMs)
}

// adopt takes the conversions that came before their impression out of the
// unmatched.
func (j *Joiner) adopt(row *Row) {
	counts := &j.counts.Streams[event.Conversions]
	for i := range row.Conversions {
		c := &row.Conversions[i]
		if c.State&Orphaned != 0 {
			counts.Unmatched--
			c.State &^= Orphaned
		} else {
			counts.Waiting--
		}
		j.countOutside(row, c)
	}
}

// countOutside counts a conversion that its impression's label cannot use.
func (j *Joiner) countOutside(row *Row, c *Conversion) {
	if c.State&Seen != 0 && !j.usable(row, c) {
		j.counts.Streams[event.Conversions].Outside++
	}
}

func (j *Joiner) usable(row *Row, c *Conversion) bool {
	t := row.Winner.TimeMs
	return c.State&Counted != 0 && c.TimeMs >= t && c.TimeMs <= t+j.attrib
}

// match looks for the row's candidate, and tells the Sink of the winner when it
// is found within the window.
func (j *Joiner) match(row *Row) bool {
	for p := j.tier.head(row.Auction); p != nil; p = j.tier.next(p) {
		i := p.find(row.Item)
		if distance := row.Winner.TimeMs - p.timeMs; i < 0 || distance > j.window || distance < -j.window {
			continue
		}
		w := &row.Winner
		w.Route, w.Families, w.Weight, w.UnitID = p.route, p.families, p.weight, p.unitID
		w.Prediction, w.Reference, w.Features = p.candidate(i)
		if w.OptTypes = p.optTypes; w.OptTypes >= 0 {
			w.OptType = p.optTypeOf(i)
		}
		row.State |= HasWinner
		j.sink.Winner(w, row.cluster())
		return true
	}
	return false
}

// resolveWaiting matches the rows that wait for an auction, of which a part has
// just come.
func (j *Joiner) resolveWaiting(auction ID) {
	ws, ok := j.waiting[auction]
	if !ok {
		return
	}
	delete(j.waiting, auction)
	j.resolve(auction, ws.first)
	for _, id := range ws.rest {
		j.resolve(auction, id)
	}
}

func (j *Joiner) resolve(auction, id ID) {
	row := &j.row
	if !j.store.Get(id, row) {
		return // forgotten, and whatever it waits for with it
	}
	counts := &j.counts.Streams[event.Impressions]
	if row.State&Unmatched != 0 {
		counts.Unmatched--
		counts.UnmatchedBy[row.Mismatch]--
		counts.Waiting++
	}
	if j.match(row) {
		counts.Waiting--
		row.State &^= Unmatched
		j.settle(row, Label{})
	} else {
		j.wait(auction, id)
		if row.State&Unmatched != 0 {
			j.giveUp(row, j.missing(row))
		}
		j.giveUpIfOutside(row)
	}
	j.store.Put(row, row.Winner.TimeMs)
}

// giveUpIfOutside counts a row as unmatched without waiting for its horizon
// when its candidate is known and too far away in time.
func (j *Joiner) giveUpIfOutside(row *Row) {
	if row.State&Unmatched == 0 && j.missing(row) == OutsideWindow {
		j.giveUp(row, OutsideWindow)
	}
}

// giveUp counts a waiting row as unmatched. It stays findable, in case its
// auction comes after all.
func (j *Joiner) giveUp(row *Row, mismatch Mismatch) {
	counts := &j.counts.Streams[event.Impressions]
	counts.Waiting--
	counts.Unmatched++
	counts.UnmatchedBy[mismatch]++
	row.State |= Unmatched
	row.Mismatch = mismatch
}

// Conversion takes one decoded conversion.
func (j *Joiner) Conversion(e *event.Conversion) {
	j.observe(e.EventTimeMs)
	impression, id := makeID(e.ImpressionID), makeID(e.ConversionID)
	row := &j.row
	if !j.store.Get(impression, row) {
		*row = Row{Facts: Facts{ID: impression}, Conversions: row.Conversions[:0]}
	}
	i := slices.IndexFunc(row.Conversions, func(c Conversion) bool { return c.ID == id })
	isNew := i < 0
	if isNew {
		i = len(row.Conversions)
		row.Conversions = append(row.Conversions, Conversion{ID: id})
	}
	c := &row.Conversions[i]
	from, _ := j.label(row)
	if !j.record(c, e) {
		return
	}
	switch {
	case row.State&HasImpression != 0:
		if !e.Retracted {
			j.countOutside(row, c)
		}
		j.settle(row, from)
	case c.State&Orphaned == 0:
		if isNew {
			j.counts.Streams[event.Conversions].Waiting++
		}
		// A conversion and its retraction each have a horizon; the earlier one
		// counts, whichever of them came first.
		j.horizons.push(e.EventTimeMs+j.window, impression, id)
	}
	j.store.Put(row, e.EventTimeMs)
}

// record notes a conversion or its retraction, and reports whether that is news.
func (j *Joiner) record(c *Conversion, e *event.Conversion) bool {
	counts := &j.counts.Streams[event.Conversions]
	if e.Retracted {
		if c.State&Retracted != 0 {
			counts.Duplicate++
			return false
		}
		c.State |= Retracted
		c.RetractedMs = e.EventTimeMs
		return true
	}
	if c.State&Seen != 0 {
		if c.TimeMs == e.EventTimeMs && c.Value == e.ValueMicros && c.Type == j.sink.ConversionType(e.ConversionType) {
			counts.Duplicate++
		} else {
			counts.Conflicting++
		}
		return false
	}
	c.State |= Seen
	c.TimeMs, c.Value, c.Type = e.EventTimeMs, e.ValueMicros, j.sink.ConversionType(e.ConversionType)
	if j.isCounted(e) {
		c.State |= Counted
	}
	return true
}

// isCounted reports whether a conversion's type is one that counts.
func (j *Joiner) isCounted(e *event.Conversion) bool {
	return len(j.opts.ConversionTypes) == 0 || slices.Contains(j.opts.ConversionTypes, string(e.ConversionType))
}

// Advance counts as unmatched what has waited past its horizon by the newest
// event time of all partitions, and evicts what memory has no room for by that
// of the records taken: this partition may lag behind the others.
func (j *Joiner) Advance(newestMs int64) {
	newestMs = max(newestMs, j.newest)
	for {
		id, conversion, ok := j.horizons.pop(newestMs)
		if !ok {
			break
		}
		if j.store.Get(id, &j.row) {
			j.passHorizon(&j.row, conversion)
		}
	}
	j.pass()
	j.evictAuctions()
	j.store.Evict(j.newest-j.remember, j.opts.MemoryBytes/2)
	j.forgetWaiting()
}

func (j *Joiner) passHorizon(row *Row, conversion ID) {
	if conversion == (ID{}) {
		if row.State&(HasWinner|Unmatched) == 0 {
			j.giveUp(row, j.missing(row))
			j.store.Put(row, row.Winner.TimeMs)
		}
		return
	}
	if row.State&HasImpression != 0 {
		return
	}
	i := slices.IndexFunc(row.Conversions, func(c Conversion) bool { return c.ID == conversion })
	if i < 0 || row.Conversions[i].State&Orphaned != 0 {
		return
	}
	row.Conversions[i].State |= Orphaned
	counts := &j.counts.Streams[event.Conversions]
	counts.Waiting--
	counts.Unmatched++
	j.store.Put(row, row.Conversions[i].TimeMs)
}

// missing says what a waiting row lacks.
func (j *Joiner) missing(row *Row) Mismatch {
	mismatch := NoAuction
	for p := j.tier.head(row.Auction); p != nil; p = j.tier.next(p) {
		mismatch = max(mismatch, NoItem)
		if p.find(row.Item) >= 0 {
			mismatch = OutsideWindow
		}
	}
	return mismatch
}

// joinable is the event time, a bucket's begin, from which on impressions may
// be on their way to an auction: one may be a window younger, and the streams
// are taken in event-time order to within another.
func (j *Joiner) joinable() int64 {
	ms := j.newest - 2*j.window
	return ms - ms%j.tier.width
}

// evictAuctions drops the oldest auctions while memory is short of room, first
// those that no impression can be on its way to. Where records can be read
// again, the others follow: what still comes for them is sought there.
func (j *Joiner) evictAuctions() {
	for j.tier.bytes() > j.opts.MemoryBytes/2 {
		to := j.joinable()
		if j.opts.Seek {
			to = max(to, j.newest-j.newest%j.tier.width)
		}
		number, span, ok := j.tier.evict(to)
		if !ok {
			return
		}
		if int64(number)*j.tier.width >= j.joinable() {
			j.past.early++
		}
		j.past.note(number, span)
	}
}

// Counts says what became of the records so far.
func (j *Joiner) Counts() Counts { return j.counts }

// NewestMs is the newest event time of any record taken, 0 before the first.
func (j *Joiner) NewestMs() int64 { return j.newest }

// EvictedEarly is how many buckets of auctions have been dropped, since New,
// while impressions could still come for them, because memory was short.
func (j *Joiner) EvictedEarly() int64 { return j.past.early }

// MemoryBytes is what the join keeps in memory.
func (j *Joiner) MemoryBytes() int64 { return j.tier.bytes() + j.store.Bytes() }
