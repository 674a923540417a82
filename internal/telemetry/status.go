package telemetry

import "github.com/rampgauge/rampgauge/consumer/event"

// StreamCounts is what became of the records of one stream. All counts are of
// records and at least 0.
type StreamCounts struct {
	Consumed, Duplicate, Conflicting, Dead, Unmatched, Late int64
	// Waiting counts the records that may still be matched: their horizon has
	// not passed.
	Waiting int64
	// Whys splits Unmatched by reason.
	Whys [NumWhys]int64
}

// UnmatchedRatio is the share of unmatched records among those whose fate is
// settled: neither duplicates nor refused nor still waiting. It is false while
// there are none.
func (c *StreamCounts) UnmatchedRatio() (float64, bool) {
	settled := c.Consumed - c.Duplicate - c.Conflicting - c.Dead - c.Waiting
	if settled <= 0 || c.Unmatched < 0 || c.Unmatched > settled {
		return 0, false
	}
	return float64(c.Unmatched) / float64(settled), true
}

// Status is how far the pipeline has come.
type Status struct {
	// CaughtUp is true once every record that was on the topics when the
	// status was asked for is in the numbers.
	CaughtUp bool
	// LagRecords is how many records are on the topics but not in the numbers.
	LagRecords int64
	// WatermarkMs is the event time, in Unix milliseconds, that the numbers
	// reach; 0 before the first record.
	WatermarkMs int64
	Streams     [event.NumStreams]StreamCounts
}

// PartitionLag is how far one partition of one stream is behind.
type PartitionLag struct {
	Stream    event.Stream
	Partition int32
	Records   int64
}
