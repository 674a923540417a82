package consumer

import (
	"context"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Earliest is the offset that means the oldest record that the topic still holds.
const Earliest int64 = -2

// Record is one Kafka record. Key, Value and Headers are valid during the call only.
type Record struct {
	Offset      int64
	TimestampMs int64
	Key, Value  []byte
	Headers     []byte // as on the wire, nil when there are none; see Header
}

// Header returns the value of the record's first header with this key.
func (r *Record) Header(key string) (value []byte, ok bool) {
	n, size := varint(r.Headers)
	b := r.Headers[size:]
	for range n {
		name, rest, named := lengthPrefixed(b)
		value, rest, valued := lengthPrefixed(rest)
		if !named || !valued {
			return nil, false
		}
		if string(name) == key {
			return value, true
		}
		b = rest
	}
	return nil, false
}

// Handler is the state machine behind one partition number of the three
// topics. All its methods are called from one goroutine.
type Handler interface {
	// Offsets says, for each stream, the offset of the first record to hand in.
	Offsets() [event.NumStreams]int64
	// EventTimeMs peeks at a record's event time, so that the worker can take
	// the streams in event-time order. It returns false when it cannot tell
	// cheaply; the worker then uses the record's Kafka timestamp.
	EventTimeMs(s event.Stream, value []byte) (int64, bool)
	// Handle takes records of one stream in offset order. An error ends the
	// worker: bad records are not errors, they go to the dead letters.
	Handle(s event.Stream, records []Record) error
	// Advance says that every record of s below next has been handed in or can
	// never be (control batches, aborted transactions, compaction gaps).
	Advance(s event.Stream, next int64)
	// Commit makes all that was handed in visible in the numbers, and durable
	// where the state is. The worker calls it at the commit interval, when it
	// has caught up, and before it leaves.
	Commit(ctx context.Context) error
	// Unfinished says that the last Commit left something that another one will
	// finish, although no record may come. The worker then calls Commit again at
	// the commit interval.
	Unfinished() bool
	// Close releases the state. No method is called after it.
	Close() error
}

// DeadLetter is one record that was refused, or one record batch that could
// not be read.
type DeadLetter struct {
	Stream     event.Stream
	Offset     int64 // of the record, or of the batch's first record
	LastOffset int64 // of the batch's last record; Offset for a single record
	Reason     event.Reason
	Detail     string // a constant or numbers, never payload
	Key, Value []byte // copied by the receiver
}

// DeadLetters receives what a Handler refuses. Send copies and may block until
// there is room; the letters sent before a Commit are on the dead-letter topic
// before that Commit's offsets count as done.
type DeadLetters interface {
	Send(d DeadLetter)
}
