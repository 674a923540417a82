// Package join owns who won and who converted: it matches auctions, impressions
// and conversions of one partition by their ids, whatever the order in which
// they come, and tells a Sink each fact once.
//
// It is a single-threaded state machine without clock, disk or Kafka of its
// own. Auctions wait for impressions in a memory tier that is dropped by time
// bucket; impressions and conversions wait in a Store. It computes no number
// and knows no experiment: what an auction counts in is a Route that the Sink
// gave it.
package join

import (
	"time"

	"github.com/zeebo/xxh3"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// ID is the 128-bit hash of an auction, impression or conversion id. Two of a
// billion ids share one with a probability below 1e-20.
type ID struct{ Hi, Lo uint64 }

func makeID(b []byte) ID {
	h := xxh3.Hash128(b)
	return ID{h.Hi, h.Lo}
}

// Options bounds the join.
type Options struct {
	Window            time.Duration // largest distance of an impression from its auction, either way
	AttributionWindow time.Duration // a conversion counts up to this long after its impression
	ConversionTypes   []string      // counted types; empty: all
	// Retention is that of the panes. A row is kept for an hour longer at least,
	// since panes go by whole hours and a label may come that late; and never for
	// less than its windows need. 0: for that only.
	Retention time.Duration
	// MemoryBytes is what the partition's join may keep in memory before it
	// evicts what is past its horizon. Below it nothing is evicted.
	MemoryBytes int64
	// Seek says that predictions can be read again: what comes too late for
	// memory waits for SeekRanges to be read. Without it, it counts as late.
	Seek bool
}

// Winner is one shown candidate, with what its auction said of it.
type Winner struct {
	Route      int32
	Families   int32 // family table, -1: none listed
	OptTypes   int32 // table of optimization types, -1: none
	OptType    uint8 // the candidate's place in it
	Features   uint64
	Prediction float32
	Reference  float32 // 0: none
	Weight     float32
	Propensity float32 // of the impression; 0: unknown
	TimeMs     int64   // of the impression
	CostMicros int64
	UnitID     uint64
}

// Label is what a winner's conversions make of it. The zero value is label 0.
type Label struct {
	Positive bool
	// DelayMs is how long after the impression the first conversion was that
	// counts, and Type what it was; both are 0 unless Positive.
	DelayMs int64
	Type    int32
}

// Sink is told each fact once.
type Sink interface {
	// Route, Families and OptTypes number what a prediction says of its auction,
	// and ConversionType what a conversion is, so that the join can keep the number.
	Route(p *event.Prediction) int32
	Families(p *event.Prediction) int32
	OptTypes(p *event.Prediction) int32
	ConversionType(name []byte) int32
	// Candidates counts all candidates of p, which are of a cluster, and p's
	// auction if it is the first that is seen of it; Calls its tower calls.
	Candidates(route int32, p *event.Prediction, cluster uint64, first bool)
	Calls(route int32, p *event.Prediction)
	// Winner counts a winner with label 0 and no value; Label and Value change
	// that afterwards.
	Winner(w *Winner, cluster uint64)
	Label(w *Winner, cluster uint64, from, to Label)
	Value(w *Winner, micros int64)
}

// clusterOf is a hash of what was randomised: the unit, or the auction where its
// unit is unknown.
func clusterOf(unit uint64, auction ID) uint64 {
	if unit == 0 {
		unit = auction.Lo
	}
	// Units may be numbers in a row: the bits are mixed, so that each of them
	// sways the highest.
	unit ^= unit >> 32
	unit *= 0x9e3779b97f4a7c15
	unit ^= unit >> 29
	return unit * 0xbf58476d1ce4e5b9
}

// Counts says what became of the records. Waiting and Unmatched describe the
// present, the others what has happened so far.
type Counts struct {
	Streams    [event.NumStreams]StreamCounts
	Candidates int64 // counted
}

// StreamCounts is about the records of one stream.
type StreamCounts struct {
	Duplicate   int64 // records of which everything was known
	Conflicting int64 // records that contradict a known one with the same id
	Late        int64 // records older than what is remembered: could be duplicates, so left out
	Outside     int64 // conversions outside the attribution window, or of a type not counted
	Waiting     int64 // records without counterpart, horizon not yet passed
	Unmatched   int64 // records without counterpart, horizon passed
	// UnmatchedBy splits Unmatched of impressions by what is missing.
	UnmatchedBy [NumMismatches]int64
}

// Mismatch is why an impression is no winner.
type Mismatch uint8

// The mismatches.
const (
	NoAuction     Mismatch = iota // no prediction of its auction
	NoItem                        // its item is not among its auction's candidates
	OutsideWindow                 // its auction is farther away than the window
	NumMismatches
)

// String is the mismatch as a metric label.
func (m Mismatch) String() string {
	return [...]string{"no_auction", "no_item", "outside_window"}[m]
}
