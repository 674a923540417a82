package alertlog

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/consumer"
)

// configKey is what names the topic in the configuration, and in messages.
const configKey = "topics.alerts"

// Options configures a Log. Kafka and Topic are required.
type Options struct {
	// Kafka says how to reach the brokers; only what is about connections,
	// fetching and logging is used.
	Kafka consumer.Options
	Topic string
	// Settings are further settings of the topic where it is made.
	Settings map[string]string
	Logger   *slog.Logger // nil: slog.Default
}

// settings are those of a topic that is made here. It holds one state an
// experiment, each of which is replaced every few seconds.
func (o *Options) settings() map[string]string {
	s := map[string]string{
		"cleanup.policy":            "compact",
		"min.cleanable.dirty.ratio": "0.2",
		"min.compaction.lag.ms":     "60000",   // what a zombie writes last is replaced by then
		"segment.ms":                "600000",  // the newest segment is never cleaned
		"max.message.bytes":         "8388608", // a state with many breakdowns
	}
	maps.Copy(s, o.Settings)
	return s
}

// Stats counts what a Log has done. The counters only grow.
type Stats struct {
	Read        atomic.Int64 // records read
	Stale       atomic.Int64 // of these, older than what was known
	Undecodable atomic.Int64 // of these, skipped
	Written     atomic.Int64 // records acknowledged
	WriteErrors atomic.Int64 // batches that failed and were tried again
	TooLarge    atomic.Int64 // states that the topic does not take
	Rewritten   atomic.Int64 // states written again because the topic ended in older ones
}

// Log is the alerts topic. Its methods are safe for concurrent use.
type Log struct {
	opts  Options
	log   *slog.Logger
	kafka *consumer.Topic
	stats Stats
	ready atomic.Bool
	wake  chan struct{} // capacity 1

	mu      sync.Mutex
	held    map[string]*entry
	queue   []string      // experiments with something to be written, each once
	changed chan struct{} // closed, and replaced, when a write has ended

	refused map[string]bool // of the reader: kinds of undecodable records that were logged
}

// entry is the newest state known of an experiment.
type entry struct {
	version Version
	state   []byte
	mine    bool    // put here, and nothing newer was read since
	written Version // the newest that is acknowledged
	queued  bool
	seen    bool // this very version was read: an older one that is read later lies behind it
}

// owes reports whether the topic may lack this state.
func (e *entry) owes() bool { return e.mine && e.written.Less(e.version) }

// New returns a Log that does nothing until Run, but takes states.
func New(o Options) *Log {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Kafka.Logger == nil {
		o.Kafka.Logger = o.Logger
	}
	return &Log{
		opts: o, log: o.Logger, kafka: consumer.NewTopic(o.Kafka, o.Topic), wake: make(chan struct{}, 1),
		held: map[string]*entry{}, changed: make(chan struct{}), refused: map[string]bool{},
	}
}

// Stats returns the counters.
func (l *Log) Stats() *Stats { return &l.stats }

// Run makes the topic where it is missing, then reads and writes until ctx is
// done, and returns nil. What is queued then is not written: call Flush before.
// It returns earlier only with consumer.ErrNotCompacted.
func (l *Log) Run(ctx context.Context) error {
	defer l.kafka.Close()
	n, err := l.kafka.Compacted(ctx, configKey, consumer.TopicConfig{Partitions: 1, Settings: l.opts.settings()})
	if err != nil || ctx.Err() != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { l.write(ctx, n) })
	wg.Go(func() {
		began := time.Now()
		if l.kafka.ReadToEnd(ctx, configKey) {
			l.ready.Store(true)
			l.log.Info("alerts topic: caught up", "topic", l.opts.Topic, "records", l.stats.Read.Load(), "took", time.Since(began).Round(time.Millisecond))
		}
	})
	l.kafka.Read(ctx, consumer.Reading{Handle: l.handle, GaveUp: l.gaveUp, Lost: l.lost})
	return nil
}

// Ready reports whether the topic has been read up to where it ended at the start.
func (l *Log) Ready() bool { return l.ready.Load() }

// CaughtUp reports whether everything that is on the topic now has been read.
// An error says that the brokers could not be asked.
func (l *Log) CaughtUp(ctx context.Context) (bool, error) {
	if !l.Ready() {
		return false, nil
	}
	ends, err := l.kafka.Ends(ctx)
	if err != nil {
		return false, fmt.Errorf("%s: %w", configKey, err)
	}
	return l.kafka.Has(ends), nil
}

// Get returns the newest state of an experiment, put here or read, which must
// not be changed; ok is false where there is none.
func (l *Log) Get(experiment string) (v Version, state []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.held[experiment]
	if e == nil {
		return v, nil, false
	}
	return e.version, e.state, true
}

// All yields the newest state of each experiment, as Get does, in no order.
func (l *Log) All() iter.Seq2[string, Version] {
	l.mu.Lock()
	all := make(map[string]Version, len(l.held))
	for name, e := range l.held {
		all[name] = e.version
	}
	l.mu.Unlock()
	return maps.All(all)
}

// Put has a state written some time soon, and tries until it is, unless a newer
// one takes its place before. A state that is not newer than the one known is
// ignored. The state belongs to the Log from then on.
func (l *Log) Put(experiment string, v Version, state []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.held[experiment]
	if e == nil {
		e = &entry{}
		l.held[experiment] = e
	}
	if !e.version.Less(v) {
		return
	}
	e.version, e.state, e.mine, e.seen = v, state, true, false
	l.enter(experiment, e)
}

// enter queues an experiment; mu is held.
func (l *Log) enter(experiment string, e *entry) {
	if e.queued {
		return
	}
	e.queued = true
	l.queue = append(l.queue, experiment)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Flush waits until what was put before is on the topic, or newer states are.
func (l *Log) Flush(ctx context.Context) error {
	l.mu.Lock()
	want := map[string]Version{}
	for name, e := range l.held {
		if e.owes() {
			want[name] = e.version
		}
	}
	l.mu.Unlock()
	for {
		l.mu.Lock()
		for name, v := range want {
			if e := l.held[name]; e == nil || !e.mine || !e.written.Less(v) {
				delete(want, name)
			}
		}
		changed := l.changed
		l.mu.Unlock()
		if len(want) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: %q: %d states not written: %w", configKey, l.opts.Topic, len(want), ctx.Err())
		}
	}
}
