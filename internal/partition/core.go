// Package partition owns the core of one partition: it decodes records, feeds
// the join, lets the aggregator count what the join says, stores what must
// survive, and publishes the result at each commit.
//
// It is a single-threaded state machine, the same in service, demo, replay and
// tests: time is passed in, disk is a State, and all that leaves goes through
// the functions in Options. It knows no Kafka beyond the shape of a record.
package partition

import (
	"context"
	"fmt"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
)

// Options configures a Core. All functions are called from the goroutine that
// calls the Core.
type Options struct {
	Partition int32
	// Topics are the names of the streams' topics, of which the state is.
	Topics [event.NumStreams]string
	// Epoch orders the owners of the partition, of which the last one counts.
	Epoch      uint64
	Formats    [event.NumStreams]event.Format
	Join       join.Options
	Aggregator aggregator.Options
	// NowMs is the clock that event times may not run ahead of.
	NowMs func() int64
	// NewestMs is the newest event time of all partitions, by which waiting
	// records pass their horizon; nil: of this partition alone.
	NewestMs func() int64
	Letters  consumer.DeadLetters
	// Prepare is called with what is about to be published, before each commit,
	// and may have more of it published; nil: it is not.
	Prepare func(*aggregator.Partition)
	// Publish receives what changed, at each commit, once it is stored.
	Publish func(source int32, newestMs int64, upserts []aggregator.Upsert)
	// News receives, before Publish, the event times of the first and the newest
	// event of a commit that are newer than all before it, in Unix milliseconds; it
	// is not called for a commit without. nil: nobody does.
	News func(firstMs, newestMs int64)
	// Report receives the counts, at each commit; nil: nobody does.
	Report func(source int32, r Report)
	// Reread calls f with the predictions at the offsets from first to last, in
	// order and as far as the topic still holds them. It is how records that come
	// too late for memory are resolved; nil: they count as late.
	Reread func(ctx context.Context, first, last int64, f func([]consumer.Record) error) error
	// SeekEveryMs is how long late records are gathered before Reread is asked
	// for them, by NowMs.
	SeekEveryMs int64
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
	// EvictedEarly is how many buckets of auctions this process has dropped while
	// impressions could still come for them, because memory was short.
	EvictedEarly int64
	Seeking      int   // records that came too late for memory and are being sought
	Batches      int64 // calls of Handle
}

// Core is the state machine of one partition. It implements consumer.Handler.
type Core struct {
	opts     Options
	settings string
	state    State
	decoder  *event.Decoder
	join     *join.Joiner
	agg      *aggregator.Partition

	// next are the offsets of the records to take next; those below applied have
	// been counted, and are read again because memory was lost.
	next, applied [event.NumStreams]int64
	report        Report
	soughtMs      int64 // when late records were last sought
	news          news

	entries []Pane // scratch of a commit
	arena   []byte
}

// maxPending is how many cells may wait for a commit: a backlog runs through
// event time faster than the commit interval, and cells take more memory than
// the panes that they become.
const maxPending = 256

// Offsets implements consumer.Handler.
func (c *Core) Offsets() [event.NumStreams]int64 { return c.next }

// Counted are the offsets below which records had been counted when the Core was
// opened; consumer.Earliest in a new one.
func (c *Core) Counted() [event.NumStreams]int64 { return c.applied }

// EventTimeMs implements consumer.Handler.
func (c *Core) EventTimeMs(s event.Stream, value []byte) (int64, bool) {
	return event.EventTimeMs(s, c.opts.Formats[s], value)
}

// Handle implements consumer.Handler. The error is that of the State.
func (c *Core) Handle(s event.Stream, records []consumer.Record) error {
	now := c.opts.NowMs()
	c.report.Batches++
	for i := range records {
		c.handle(s, &records[i], now)
	}
	c.agg.Observe(c.join.NewestMs())
	if c.agg.Pending() > maxPending {
		c.agg.Collect()
	}
	return c.state.Err()
}

func (c *Core) handle(s event.Stream, r *consumer.Record, now int64) {
	if r.Offset < c.next[s] {
		return // a fetch after a restart may begin before the offset asked for
	}
	c.next[s] = r.Offset + 1
	known := r.Offset < c.applied[s]
	reason := event.ReasonKey
	if len(r.Key) > 0 {
		reason = c.decode(s, r, known, now)
	}
	if known {
		return
	}
	c.report.Consumed[s]++
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

func (c *Core) decode(s event.Stream, r *consumer.Record, known bool, now int64) event.Reason {
	switch s {
	case event.Predictions:
		e, reason := c.decoder.DecodePrediction(c.opts.Formats[s], r.Value, now)
		switch {
		case reason != event.ReasonNone:
		case known:
			c.join.Known(e, r.Offset)
		default:
			c.news.take(e.EventTimeMs, now)
			c.join.Prediction(e, r.Offset)
		}
		return reason
	case event.Impressions:
		e, reason := c.decoder.DecodeImpression(c.opts.Formats[s], r.Value, now)
		if reason == event.ReasonNone {
			c.news.take(e.EventTimeMs, now)
			c.join.Impression(e)
		}
		return reason
	default:
		e, reason := c.decoder.DecodeConversion(c.opts.Formats[s], r.Value, now)
		if reason == event.ReasonNone {
			c.news.take(e.EventTimeMs, now)
			c.join.Conversion(e)
		}
		return reason
	}
}

// Advance implements consumer.Handler.
func (c *Core) Advance(s event.Stream, next int64) { c.next[s] = max(c.next[s], next) }

// Commit implements consumer.Handler. Nothing is published that is not stored.
func (c *Core) Commit(ctx context.Context) error {
	if err := c.seek(ctx); err != nil {
		return err
	}
	newest := c.join.NewestMs()
	if c.opts.NewestMs != nil {
		newest = max(newest, c.opts.NewestMs())
	}
	c.join.Advance(newest)
	c.agg.Observe(newest)
	if c.opts.Prepare != nil {
		c.opts.Prepare(c.agg)
	}
	upserts := c.agg.Flush()
	if err := c.store(upserts); err != nil {
		return err
	}
	c.news.tell(c.opts.News)
	c.opts.Publish(c.opts.Partition, c.agg.NewestMs(), upserts)
	c.reportNow()
	return nil
}

// Unfinished implements consumer.Handler: late records wait for another Commit.
func (c *Core) Unfinished() bool { return c.opts.Reread != nil && c.join.Seeking() > 0 }

func (c *Core) reportNow() {
	if c.opts.Report != nil {
		c.opts.Report(c.opts.Partition, c.Report())
	}
}

// Report says what became of the records so far.
func (c *Core) Report() Report {
	r := c.report
	r.Join = c.join.Counts()
	r.Expired = c.agg.Expired()
	r.NewestMs = c.agg.NewestMs()
	r.MemoryBytes = c.join.MemoryBytes()
	r.EvictedEarly = c.join.EvictedEarly()
	r.Seeking = c.join.Seeking()
	return r
}

// seek reads again what may say more about the records that came too late for
// memory, all of them at once.
func (c *Core) seek(ctx context.Context) error {
	now := c.opts.NowMs()
	if !c.Unfinished() || now-c.soughtMs < c.opts.SeekEveryMs {
		return nil
	}
	if c.next[event.Predictions] < c.applied[event.Predictions] {
		return nil // where the rest of what is to be read again belongs is not known yet
	}
	c.soughtMs = now
	ranges := c.join.SeekRanges()
	s := c.join.BeginSeek()
	for _, span := range ranges {
		err := c.opts.Reread(ctx, span.First, span.Last, func(records []consumer.Record) error {
			for i := range records {
				r := &records[i]
				if r.Offset < span.First || r.Offset > span.Last || len(r.Key) == 0 {
					continue
				}
				if e, reason := c.decoder.DecodePrediction(c.opts.Formats[event.Predictions], r.Value, now); reason == event.ReasonNone {
					s.Found(e, r.Offset)
				}
			}
			return nil
		})
		if err != nil {
			s.Abort()
			if ctx.Err() != nil {
				return nil //nolint:nilerr // the commit is to be short; the rest waits for another one
			}
			return fmt.Errorf("partition %d: read predictions %d to %d again: %w", c.opts.Partition, span.First, span.Last, err)
		}
	}
	s.End()
	return c.state.Err()
}

// Version is that of the last commit.
func (c *Core) Version() aggregator.Version { return c.agg.Version() }

// Republish makes the next Commit publish everything, for a reader that starts anew.
func (c *Core) Republish() { c.agg.Republish() }

// Close implements consumer.Handler.
func (c *Core) Close() error { return c.state.Close() }
