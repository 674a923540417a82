package panes

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
)

// configKey is what names the topic in the configuration, and in messages.
const configKey = "topics.panes"

// Options configures a Topic. Kafka, Topic, Merged and Levels are required.
type Options struct {
	// Kafka says how to reach the brokers; only what is about connections,
	// fetching and logging is used.
	Kafka  consumer.Options
	Topic  string
	Merged *aggregator.Merged
	Levels aggregator.Levels
	// CaughtUp reports whether a source has counted all that was on its input
	// topics when it was opened; nil: all have.
	CaughtUp func(source int32) bool
	// Seen is called, from the reader's goroutine, when Merged has got all that a
	// source owned here has published of some news, see Source.News; nil: it is not.
	Seen func(source int32, firstMs, newestMs int64)
	// Partitions of the topic where it is made; 0: 4. More of them spread the
	// writing over brokers; every instance reads them all.
	Partitions int
	// Settings are further settings of the topic where it is made.
	Settings map[string]string
	// QueueBytes may wait to be written. Beyond, panes stay with their sources,
	// and are compared with the topic once it takes them again; 0: 64 MiB.
	QueueBytes int
	Logger     *slog.Logger // nil: slog.Default
}

// settings are those of a topic that is made here. Every write of a pane
// replaces an earlier one, so that the cleaner is to come often: a new reader
// reads what it has left.
func (o *Options) settings() map[string]string {
	s := map[string]string{
		"cleanup.policy":            "compact",
		"min.cleanable.dirty.ratio": "0.2",
		"min.compaction.lag.ms":     "60000",    // readers at the end see each commit whole
		"max.compaction.lag.ms":     "3600000",  // quiet partitions are cleaned as well
		"segment.ms":                "600000",   // the newest segment is never cleaned
		"delete.retention.ms":       "86400000", // a reader may take this long
	}
	for k, v := range o.Settings {
		s[k] = v
	}
	return s
}

// batchBytes bounds a batch before compression, well below what brokers take.
const batchBytes = 512 << 10

// Stats counts what a Topic has done. The counters only grow.
type Stats struct {
	Read        atomic.Int64 // records read
	Known       atomic.Int64 // of these, known already and not decoded
	Undecodable atomic.Int64 // of these, skipped
	Written     atomic.Int64 // records acknowledged
	WriteErrors atomic.Int64 // batches that failed and were tried again
	Corrected   atomic.Int64 // panes published again because the topic had them otherwise
}

// Topic is the panes topic. Its methods are safe for concurrent use.
type Topic struct {
	opts  Options
	log   *slog.Logger
	kafka *consumer.Topic
	stats Stats
	index index

	ctx     context.Context // ends with Run
	stop    context.CancelFunc
	started chan struct{} // closed once the topic is there and lanes are set
	lanes   []*lane
	queued  atomic.Int64 // bytes
	ready   atomic.Bool

	// Of the reader's goroutine.
	decoder *aggregator.Decoder
	refused map[string]bool // kinds of undecodable records that were logged
}

// New returns a Topic that does nothing until Run. Merged is in replay from now
// on, until the Topic is ready.
func New(o Options) *Topic {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Kafka.Logger == nil {
		o.Kafka.Logger = o.Logger
	}
	if o.CaughtUp == nil {
		o.CaughtUp = func(int32) bool { return true }
	}
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 64 << 20
	}
	o.Merged.BeginReplay()
	ctx, stop := context.WithCancel(context.Background())
	return &Topic{
		ctx: ctx, stop: stop,
		opts: o, log: o.Logger, kafka: consumer.NewTopic(o.Kafka, o.Topic), index: newIndex(),
		started: make(chan struct{}), decoder: aggregator.NewDecoder(o.Levels), refused: map[string]bool{},
	}
}

// Stats returns the counters.
func (t *Topic) Stats() *Stats { return &t.stats }

// Run makes the topic where it is missing, then reads and writes until ctx is
// done, and returns nil. What is queued then is not written: call Flush before.
// It returns earlier only with consumer.ErrNotCompacted.
func (t *Topic) Run(ctx context.Context) error {
	defer t.kafka.Close()
	defer t.stop()
	n, err := t.kafka.Compacted(ctx, configKey, consumer.TopicConfig{Partitions: t.opts.Partitions, Settings: t.opts.settings()})
	if err != nil || ctx.Err() != nil {
		return err
	}
	for p := range n {
		t.lanes = append(t.lanes, newLane(t, p))
	}
	close(t.started)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, l := range t.lanes {
		wg.Go(func() { l.run(ctx) })
	}
	wg.Go(func() { t.replay(ctx) })
	t.kafka.Read(ctx, consumer.Reading{Handle: t.handle, GaveUp: t.gaveUp, Lost: t.lost})
	return nil
}

// replay ends Merged's replay once the topic has been read up to where it ended
// at first.
func (t *Topic) replay(ctx context.Context) {
	began := time.Now()
	if t.kafka.ReadToEnd(ctx, configKey) {
		t.opts.Merged.EndReplay()
		t.ready.Store(true)
		t.log.Info("panes: caught up", "topic", t.opts.Topic, "records", t.stats.Read.Load(), "took", time.Since(began).Round(time.Millisecond))
	}
}

// Ready reports whether the topic has been read up to where it ended at the start.
func (t *Topic) Ready() bool { return t.ready.Load() }

// CaughtUp reports whether Merged has all that is on the topic now, and the
// topic all that the sources open here have published, with nothing left to
// compare or to correct. An error says that the brokers could not be asked.
func (t *Topic) CaughtUp(ctx context.Context) (bool, error) {
	if !t.Ready() || !t.settled() {
		return false, nil
	}
	ends, err := t.kafka.Ends(ctx)
	if err != nil {
		return false, fmt.Errorf("topics.panes: %w", err)
	}
	// What was read on the way may ask for more to be written.
	return t.kafka.Has(ends) && t.settled(), nil
}

// settled reports whether the topic has all that the sources here have to say.
func (t *Topic) settled() bool {
	for _, l := range t.lanes {
		if !l.drained(l.mark()) {
			return false
		}
	}
	return !t.index.unsettled()
}

// Flush waits until all that is queued now is on the topic.
func (t *Topic) Flush(ctx context.Context) error {
	select {
	case <-t.started:
	default:
		return nil // nothing is queued before
	}
	for _, l := range t.lanes {
		if err := l.await(ctx, l.mark()); err != nil {
			return fmt.Errorf("topics.panes: %q: partition %d: panes not written: %w", t.opts.Topic, l.partition, err)
		}
	}
	return nil
}
