package consumer

import (
	"sync/atomic"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Stats counts what a Consumer has done since it was made. All counters only
// grow and may be read at any time.
type Stats struct {
	Records [event.NumStreams]atomic.Uint64 // handed to handlers
	Bytes   atomic.Uint64                   // of record sets fetched to be read once, as compressed
	Batches atomic.Uint64                   // record batches looked at, of every kind

	ControlBatches atomic.Uint64 // transaction markers, skipped
	AbortedBatches atomic.Uint64 // of aborted transactions, dropped
	CorruptBatches atomic.Uint64 // given up and sent to the dead letters
	Refetches      atomic.Uint64 // batches fetched again after a checksum mismatch

	Fetches      atomic.Uint64 // fetch requests answered
	FetchErrors  atomic.Uint64 // fetch requests, or partitions in them, that failed
	OffsetResets atomic.Uint64 // partitions that lost records to retention before they were read

	RecordsLost [event.NumStreams]atomic.Uint64 // offsets deleted before they were read: at least as many as records

	RereadRecords atomic.Uint64 // handed to handlers a second time, as they asked
	RereadBytes   atomic.Uint64 // of record sets fetched for that, as compressed

	Generations       atomic.Uint64 // group generations joined
	Commits           atomic.Uint64 // commits by handlers
	GroupCommitErrors atomic.Uint64 // group offsets that could not be written

	// DeadLetters counts the letters accepted, by stream and reason;
	// DeadLettersWritten those that the broker has acknowledged.
	DeadLetters        [event.NumStreams][event.NumReasons]atomic.Uint64
	DeadLettersWritten atomic.Uint64
	DeadLetterErrors   atomic.Uint64 // tries that failed; each is repeated
}
