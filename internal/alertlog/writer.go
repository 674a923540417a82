package alertlog

import (
	"context"
	"fmt"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
)

// batchBytes bounds a batch before compression, unless one state alone is larger.
const batchBytes = 512 << 10

// flying is a state on its way to the topic.
type flying struct {
	experiment string
	version    Version
	message    consumer.Message
}

// take removes what fits in one batch for one partition from the queue.
func (l *Log) take(partitions int) (partition int32, batch []flying) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rest []string
	size := 0
	for _, name := range l.queue {
		e := l.held[name]
		if !e.mine { // a newer owner's has taken its place
			e.queued = false
			continue
		}
		home := aggregator.Home(name, partitions)
		if len(batch) > 0 && (home != partition || size+len(e.state) > batchBytes) {
			rest = append(rest, name)
			continue
		}
		partition, e.queued = home, false
		size += len(e.state)
		batch = append(batch, flying{name, e.version, consumer.Message{Key: []byte(keyPrefix + name), Value: AppendValue(nil, e.version, e.state)}})
	}
	l.queue = rest
	return partition, batch
}

func (l *Log) write(ctx context.Context, partitions int) {
	for failures := 0; ctx.Err() == nil; {
		partition, batch := l.take(partitions)
		if len(batch) == 0 {
			l.ended()
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
			continue
		}
		failed, refused := l.produce(ctx, partition, batch)
		l.settle(batch, failed, refused)
		if len(failed) == 0 {
			failures = 0
			if len(refused) == 0 {
				l.kafka.Recovered()
			}
			continue
		}
		failures++
		consumer.Backoff(ctx, failures)
	}
}

// produce writes a batch, in halves where it is too large, and returns what it
// could not write: what is to be tried again, and what the broker never takes.
func (l *Log) produce(ctx context.Context, partition int32, batch []flying) (failed, refused []flying) {
	messages := make([]consumer.Message, len(batch))
	for i := range batch {
		messages[i] = batch[i].message
	}
	err := l.kafka.Produce(ctx, int(partition), messages)
	if err == nil {
		l.stats.Written.Add(int64(len(batch)))
		return nil, nil
	}
	if ctx.Err() != nil {
		return batch, nil
	}
	l.stats.WriteErrors.Add(1)
	if consumer.TooLarge(err) {
		if half := len(batch) / 2; half > 0 {
			failed, refused = l.produce(ctx, partition, batch[:half])
			f, r := l.produce(ctx, partition, batch[half:])
			return append(failed, f...), append(refused, r...)
		}
		// Trying it again would hold up the others; its next version is tried.
		l.kafka.Report(fmt.Errorf("%s: the state of experiment %q has %d bytes; raise the topic's max.message.bytes: %w",
			configKey, batch[0].experiment, len(batch[0].message.Value), err))
		l.stats.TooLarge.Add(1)
		return nil, batch
	}
	l.kafka.Report(fmt.Errorf("%s: states wait to be written: %w", configKey, err))
	return batch, nil
}

// settle notes what has been written, and queues what has not behind the others.
func (l *Log) settle(batch, failed, refused []flying) {
	l.mu.Lock()
	missing := make(map[string]bool, len(failed)+len(refused))
	for i := range refused {
		missing[refused[i].experiment] = true
	}
	for i := range failed {
		missing[failed[i].experiment] = true
		if e := l.held[failed[i].experiment]; e != nil && e.mine {
			l.enter(failed[i].experiment, e)
		}
	}
	for i := range batch {
		f := &batch[i]
		if e := l.held[f.experiment]; e != nil && !missing[f.experiment] && e.written.Less(f.version) {
			e.written = f.version
		}
	}
	l.mu.Unlock()
	l.ended()
}

// ended wakes those who wait in Flush.
func (l *Log) ended() {
	l.mu.Lock()
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
}
