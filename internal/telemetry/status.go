package telemetry

import "github.com/rampgauge/rampgauge/consumer/event"

// StreamCounts is what became of the records of one stream. All counts are of
// records and at least 0.
type StreamCounts struct {
	Consumed, Duplicate, Conflicting, Dead, Unmatched, Late, Outside int64
	// Waiting counts the records that may still be matched: their horizon has
	// not passed.
	Waiting int64
	// UnmatchedBy splits Unmatched by what is missing.
	UnmatchedBy [NumWhys]int64
	// DeadBy splits Dead by reason.
	DeadBy [event.NumReasons]int64
}

// Add adds the counts of another partition of the same stream.
func (c *StreamCounts) Add(o *StreamCounts) {
	c.Consumed += o.Consumed
	c.Duplicate += o.Duplicate
	c.Conflicting += o.Conflicting
	c.Dead += o.Dead
	c.Unmatched += o.Unmatched
	c.Late += o.Late
	c.Outside += o.Outside
	c.Waiting += o.Waiting
	for i := range o.UnmatchedBy {
		c.UnmatchedBy[i] += o.UnmatchedBy[i]
	}
	for i := range o.DeadBy {
		c.DeadBy[i] += o.DeadBy[i]
	}
}

// UnmatchedRatio is the share of unmatched records among those that the join
// had to place and whose fate is settled. It is false while there are none.
func (c *StreamCounts) UnmatchedRatio() (float64, bool) {
	settled := c.Consumed - c.Duplicate - c.Conflicting - c.Dead - c.Late - c.Outside - c.Waiting
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
	Budgets     Budgets
}

// Budgets is what the service takes of what it may take, in bytes.
type Budgets struct {
	JoinMemory int64 // held by the join
	StateDisk  int64 // taken on disk by the states of all partitions
	// OverDisk is true while no records are read because StateDisk is more than
	// it may be.
	OverDisk bool
}

// PartitionLag is how far one partition of one stream is behind.
type PartitionLag struct {
	Stream    event.Stream
	Partition int32
	Records   int64
}
