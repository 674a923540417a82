package panes

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
)

// versionHeader carries the version of a tombstone, as two big-endian numbers.
const versionHeader = "version"

// lane writes to one partition of the topic: one batch at a time, so that
// records arrive in order, and each until it is acknowledged. A pane that
// changes while it waits takes the place of its older version, but a tombstone
// goes to the end: behind the wide pane that its pane has become part of.
type lane struct {
	t         *Topic
	partition int
	wake      chan struct{} // capacity 1

	mu      sync.Mutex
	queue   []*waiting
	byKey   map[string]*waiting // of queue
	entered uint64              // records ever queued
	left    uint64              // of these, acknowledged
	changed chan struct{}       // closed, and replaced, when left has grown
}

// waiting is a record on its way.
type waiting struct {
	message consumer.Message
	version aggregator.Version
	source  *Source
	since   uint64 // sequence of the oldest version that is not on the topic
	dropped bool   // another record has its place
	// progress says that it is about its source, and no pane.
	progress bool
}

func (w *waiting) size() int64 { return int64(len(w.message.Key) + len(w.message.Value) + 100) }

func newLane(t *Topic, partition int) *lane {
	return &lane{t: t, partition: partition, wake: make(chan struct{}, 1), byKey: map[string]*waiting{}, changed: make(chan struct{})}
}

// put queues records in order.
func (l *lane) put(records []*waiting) {
	if len(records) == 0 {
		return
	}
	l.mu.Lock()
	for _, w := range records {
		l.enter(w)
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// enter queues one record, or has it replace an older one of its key.
func (l *lane) enter(w *waiting) {
	old := l.byKey[string(w.message.Key)]
	if old != nil && !old.version.Less(w.version) {
		return
	}
	w.since = w.version.Sequence
	if old != nil && old.source == w.source {
		w.since = old.since
		w.source.replaced(old, w)
	} else {
		w.source.owes(w.since)
		if old != nil { // the source was opened anew meanwhile
			old.source.paid(old.since)
		}
	}
	l.t.queued.Add(w.size())
	if old != nil {
		l.t.queued.Add(-old.size())
		if w.message.Value != nil || old.message.Value == nil {
			old.message, old.version, old.source, old.since = w.message, w.version, w.source, w.since
			return
		}
		old.dropped = true
	}
	l.queue = append(l.queue, w)
	l.byKey[string(w.message.Key)] = w
	l.entered++
}

// take removes the records at the front of the queue that fit in one batch.
func (l *lane) take() []*waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	var batch []*waiting
	n, size := 0, int64(0)
	for _, w := range l.queue {
		if w.dropped {
			n++
			l.left++
			continue
		}
		if size += w.size(); len(batch) > 0 && size > batchBytes {
			break
		}
		delete(l.byKey, string(w.message.Key))
		batch = append(batch, w)
		n++
	}
	l.queue = slices.Delete(l.queue, 0, n)
	return batch
}

func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		batch := l.take()
		if len(batch) == 0 {
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
			continue
		}
		l.write(ctx, batch)
	}
}

// write tries until the batch is on the topic, in halves where it is too large.
func (l *lane) write(ctx context.Context, batch []*waiting) {
	messages := make([]consumer.Message, len(batch))
	for i, w := range batch {
		messages[i] = w.message
	}
	for failures := 1; ; failures++ {
		err := l.t.kafka.Produce(ctx, l.partition, messages)
		if err == nil {
			l.acknowledge(batch)
			return
		}
		if ctx.Err() != nil {
			return
		}
		l.t.stats.WriteErrors.Add(1)
		if consumer.TooLarge(err) {
			if half := len(batch) / 2; half > 0 {
				l.write(ctx, batch[:half])
				l.write(ctx, batch[half:])
				return
			}
			err = fmt.Errorf("a record of %d bytes; raise the topic's max.message.bytes: %w", batch[0].size(), err)
		}
		l.t.kafka.Report(fmt.Errorf("topics.panes: panes wait to be written: %w", err))
		consumer.Backoff(ctx, failures)
	}
}

func (l *lane) acknowledge(batch []*waiting) {
	l.t.kafka.Recovered()
	l.t.stats.Written.Add(int64(len(batch)))
	var size int64
	for _, w := range batch {
		w.source.paid(w.since)
		size += w.size()
	}
	l.t.queued.Add(-size)
	l.mu.Lock()
	l.left += uint64(len(batch))
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
}

// mark stands for all that has been queued so far.
func (l *lane) mark() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entered
}

// drained reports whether all before the mark is on the topic.
func (l *lane) drained(mark uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left >= mark
}

func (l *lane) await(ctx context.Context, mark uint64) error {
	for {
		l.mu.Lock()
		left, changed := l.left, l.changed
		l.mu.Unlock()
		if left >= mark {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
