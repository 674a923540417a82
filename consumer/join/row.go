package join

import "cmp"

// Row is what is remembered of one impression id: the impression, once it was
// seen, its winner, once it was matched, and the conversions that name it.
type Row struct {
	Facts
	Conversions []Conversion
}

// Facts is the part of a Row that has a fixed size.
type Facts struct {
	ID       ID
	Auction  ID
	Item     uint64
	Winner   Winner
	State    State
	Mismatch Mismatch // while Unmatched
	Value    int64    // micros told to the Sink
}

// State is what is known of a Row.
type State uint8

// The states, combined as bits.
const (
	HasImpression State = 1 << iota
	HasWinner
	Unmatched // counted as unmatched, but not given up
	Positive  // label 1 was told to the Sink
	// Sought says that an auction older than memory has been looked for in vain.
	Sought State = 1 << 6
)

// Conversion is one conversion id of a Row.
type Conversion struct {
	ID          ID
	TimeMs      int64 // of the conversion, once Seen
	RetractedMs int64 // of its retraction, once Retracted
	Value       int64
	Type        int32 // once Seen
	State       ConversionState
}

// cluster is that of the row's winner.
func (r *Row) cluster() uint64 { return clusterOf(r.Winner.UnitID, r.Auction) }

// firstMs is the earlier time of a conversion and its retraction.
func (c *Conversion) firstMs() int64 {
	switch {
	case c.State&Retracted == 0:
		return c.TimeMs
	case c.State&Seen == 0:
		return c.RetractedMs
	}
	return min(c.TimeMs, c.RetractedMs)
}

// before orders conversions by their time, and those of one time by their ids,
// so that which of them is the first does not depend on which came first.
func (c *Conversion) before(o *Conversion) bool {
	return cmp.Or(cmp.Compare(c.TimeMs, o.TimeMs), cmp.Compare(c.ID.Hi, o.ID.Hi), cmp.Compare(c.ID.Lo, o.ID.Lo)) < 0
}

// ConversionState is what is known of a Conversion.
type ConversionState uint8

// The states, combined as bits.
const (
	Seen      ConversionState = 1 << iota // the conversion itself, not only its retraction
	Retracted                             // its retraction
	Counted                               // of a type that counts
	Orphaned                              // counted as unmatched, for want of an impression
)

// Store keeps rows. Get fills row, reusing its Conversions, and reports whether
// there is one; Put copies it in. Evict forgets rows that were first put with a
// time before ms, oldest first, until at most bytes are in use.
type Store interface {
	Get(id ID, row *Row) bool
	Put(row *Row, timeMs int64)
	Evict(ms, bytes int64)
	// EvictedMs is the time before which rows may have been forgotten.
	EvictedMs() int64
	Bytes() int64
}
