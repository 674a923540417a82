package partition

import (
	"github.com/rampgauge/rampgauge/consumer/join"
)

// State is what a Core remembers. What was put since the last Commit is read
// back from memory; a crash forgets it, and nothing else. A State belongs to
// one goroutine.
type State interface {
	// Store holds the join's rows. Its methods cannot fail; what went wrong in
	// them is in Err.
	join.Store
	// EachWaiting calls f with every stored row that waits for something: an
	// impression without winner, or conversions without impression. The row is
	// valid during the call.
	EachWaiting(f func(row *join.Row)) error
	// Meta is what the last Commit stored, nil in a new State.
	Meta() []byte
	// EachPane calls f with every stored pane, in key order. The bytes are valid
	// during the call.
	EachPane(f func(key, value []byte) error) error
	// Commit stores the rows put since the last one, panes and meta, all or
	// nothing, and returns when they survive a crash. After an error the State
	// is of no more use: close it, and open it anew.
	Commit(meta []byte, panes []Pane) error
	// Err is the first error that a read or a write met since the State was
	// opened. A Core stops at it before it publishes anything.
	Err() error
	Close() error
}

// Pane is one stored pane of the aggregator: what its reader needs to tell it
// from others, and its packed sums. Without Value it is to be deleted.
type Pane struct{ Key, Value []byte }
