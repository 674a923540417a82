// Package partition owns the core of one partition: it decodes records, feeds
// the join, lets the aggregator count what the join says, and publishes the
// result at each commit.
//
// It is a single-threaded state machine, the same in service, demo, replay and
// tests: time is passed in, and all that leaves goes through the functions in
// Options. It knows no Kafka beyond the shape of a record.
package partition

import (
	"context"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
)

// Options configures a Core. All functions are called from the goroutine that
// calls the Core.
type Options struct {
	Partition  int32
	Formats    [event.NumStreams]event.Format
	Join       join.Options
	Aggregator aggregator.Options
	// NowMs is the clock that event times may not run ahead of.
	NowMs func() int64
	// NewestMs is the newest event time of all partitions, by which waiting
	// records pass their horizon; nil: of this partition alone.
	NewestMs func() int64
	Letters  consumer.DeadLetters
	// Publish receives what changed, at each commit.
	Publish func(source int32, newestMs int64, upserts []aggregator.Upsert)
	// Report receives the counts, at each commit; nil: nobody does.
	Report func(source int32, r Report)
}

// Report says what became of a partition's records so far.
type Report struct {
	Consumed    [event.NumStreams]int64 // records handed in
	Dead        [event.NumStreams]int64 // of these, sent to the dead letters
	DeadBy      [event.NumStreams][event.NumReasons]int64
	Join        join.Counts
	Expired     int64 // contributions to panes older than the retention
	NewestMs    int64 // newest event time
	MemoryBytes int64
	Batches     int64 // calls of Handle
}

// Core is the state machine of one partition. It implements consumer.Handler.
type Core struct {
	opts    Options
	decoder *event.Decoder
	join    *join.Joiner
	agg     *aggregator.Partition
	next    [event.NumStreams]int64
	report  Report
}

// maxPending is how many cells may wait for a commit: a backlog runs through
// event time faster than the commit interval, and its panes are best published
// while they are few.
const maxPending = 256

// New returns an empty Core, whose state begins with the topics' oldest records.
func New(opts Options) *Core {
	c := &Core{
		opts:    opts,
		decoder: event.NewDecoder(event.Options{}),
		agg:     aggregator.NewPartition(opts.Aggregator),
	}
	for s := range c.next {
		c.next[s] = consumer.Earliest
	}
	c.join = join.New(opts.Join, join.NewMemStore(), sink{c.agg})
	return c
}

// Offsets implements consumer.Handler.
func (c *Core) Offsets() [event.NumStreams]int64 { return c.next }

// EventTimeMs implements consumer.Handler.
func (c *Core) EventTimeMs(s event.Stream, value []byte) (int64, bool) {
	return event.EventTimeMs(s, c.opts.Formats[s], value)
}

// Handle implements consumer.Handler.
func (c *Core) Handle(s event.Stream, records []consumer.Record) error {
	now := c.opts.NowMs()
	c.report.Batches++
	for i := range records {
		c.handle(s, &records[i], now)
	}
	c.agg.Observe(c.join.NewestMs())
	if c.agg.Pending() > maxPending {
		c.publish()
	}
	return nil
}

func (c *Core) handle(s event.Stream, r *consumer.Record, now int64) {
	if r.Offset < c.next[s] {
		return // a fetch after a restart may begin before the offset asked for
	}
	c.report.Consumed[s]++
	c.next[s] = r.Offset + 1
	reason := event.ReasonKey
	if len(r.Key) > 0 {
		reason = c.decode(s, r.Value, now)
	}
	if reason == event.ReasonNone {
		return
	}
	c.report.Dead[s]++
	c.report.DeadBy[s][reason]++
	c.opts.Letters.Send(consumer.DeadLetter{
		Stream: s, Offset: r.Offset, LastOffset: r.Offset, Reason: reason, Detail: c.detail(reason), Key: r.Key, Value: r.Value,
	})
}

func (c *Core) detail(reason event.Reason) string {
	if reason == event.ReasonKey {
		return "the record's key is empty; key every record by auction_id"
	}
	return c.decoder.Detail()
}

func (c *Core) decode(s event.Stream, value []byte, now int64) event.Reason {
	switch s {
	case event.Predictions:
		e, reason := c.decoder.DecodePrediction(c.opts.Formats[s], value, now)
		if reason == event.ReasonNone {
			c.join.Prediction(e)
		}
		return reason
	case event.Impressions:
		e, reason := c.decoder.DecodeImpression(c.opts.Formats[s], value, now)
		if reason == event.ReasonNone {
			c.join.Impression(e)
		}
		return reason
	default:
		e, reason := c.decoder.DecodeConversion(c.opts.Formats[s], value, now)
		if reason == event.ReasonNone {
			c.join.Conversion(e)
		}
		return reason
	}
}

// Advance implements consumer.Handler.
func (c *Core) Advance(s event.Stream, next int64) { c.next[s] = max(c.next[s], next) }

// Commit implements consumer.Handler.
func (c *Core) Commit(context.Context) error {
	newest := c.join.NewestMs()
	if c.opts.NewestMs != nil {
		newest = max(newest, c.opts.NewestMs())
	}
	c.join.Advance(newest)
	c.agg.Observe(newest)
	c.publish()
	return nil
}

func (c *Core) publish() {
	c.opts.Publish(c.opts.Partition, c.agg.NewestMs(), c.agg.Flush())
	if c.opts.Report == nil {
		return
	}
	r := c.report
	r.Join = c.join.Counts()
	r.Expired = c.agg.Expired()
	r.NewestMs = c.agg.NewestMs()
	r.MemoryBytes = c.join.MemoryBytes()
	c.opts.Report(c.opts.Partition, r)
}

// Republish makes the next Commit publish everything, for a reader that starts anew.
func (c *Core) Republish() { c.agg.Republish() }

// Close implements consumer.Handler. The Core may be used again afterwards: its
// state is that of the records below Offsets.
func (c *Core) Close() error { return nil }
