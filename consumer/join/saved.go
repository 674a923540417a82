package join

// Saved is what a Joiner remembers besides its Store and the auctions in
// memory. Together with the rows, the spans and the predictions from Retain on,
// it is the whole of its state.
type Saved struct {
	NewestMs  int64
	EvictedMs int64 // auctions before it are not in memory
	Counts    Counts
	Postponed []Postponed `json:",omitempty"`
}

// Saved returns what to store beside the rows.
func (j *Joiner) Saved() Saved {
	return Saved{
		NewestMs: j.newest, EvictedMs: max(j.tier.evicted, j.joinable()), Counts: j.counts, Postponed: j.past.postponed,
	}
}

// Retain is the offset of the oldest prediction that must be handed to Known
// when the state that Saved belongs to is read back; next, that of the first
// one not yet taken, when there is none.
func (j *Joiner) Retain(next int64) int64 {
	passed := j.tier.number(max(0, j.joinable()))
	for number, b := range j.tier.buckets {
		if number >= passed {
			next = min(next, b.span.First)
		}
	}
	return next
}

// Spans calls f with each bucket whose span has changed since the last call:
// its number, and where its predictions are; known is false for one that is
// forgotten.
func (j *Joiner) Spans(f func(bucket uint32, s Span, known bool)) {
	for number, known := range j.past.changed {
		f(number, j.past.spans[number], known)
	}
	clear(j.past.changed)
}

// Restore gives a new Joiner what was saved: first this, then RestoreSpan and
// RestoreRow in any order.
func (j *Joiner) Restore(s Saved) {
	j.newest, j.counts = s.NewestMs, s.Counts
	j.tier.evicted = s.EvictedMs
	j.past.postponed = s.Postponed
}

// RestoreSpan gives back what Spans gave.
func (j *Joiner) RestoreSpan(bucket uint32, s Span) { j.past.spans[bucket] = s }

// RestoreRow gives back what is waited for by a row that waits.
func (j *Joiner) RestoreRow(row *Row) {
	if row.State&HasImpression != 0 {
		j.wait(row.Auction, row.ID)
		if row.State&Unmatched == 0 {
			j.horizons.push(row.Winner.TimeMs+j.window, row.ID, ID{})
		}
		j.seek(row)
		return
	}
	for i := range row.Conversions {
		if c := &row.Conversions[i]; c.State&Orphaned == 0 {
			j.horizons.push(c.firstMs()+j.window, row.ID, c.ID)
		}
	}
}
