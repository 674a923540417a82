package consumer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Reading receives what Topic.Read reads. Its functions are called from the
// goroutine that calls Read.
type Reading struct {
	// Handle gets records of one partition in offset order, valid during the call.
	Handle func(partition int32, records []Record)
	// GaveUp is told of a batch that cannot be read; reading goes on behind it.
	GaveUp func(partition int32, first, last int64, detail string)
	// Lost is told that a partition ends before what was read of it, for longer
	// than a new leader's view may lag. It is read from its oldest record again.
	Lost func(partition int32)
}

// tail is one reading of a topic.
type tail struct {
	Reading
	topic   *Topic
	fetcher *fetcher
	codecs  *codecs
	count   atomic.Int32 // partitions
	data    chan struct{}
	streams []*stream
}

// Read hands in every record of the topic, from the oldest on, and goes on with
// what is written later, until ctx is done. It is called once.
func (t *Topic) Read(ctx context.Context, r Reading) {
	l := &tail{Reading: r, topic: t, codecs: newCodecs(t.options.MaxBatchBytes), data: make(chan struct{}, 1)}
	l.fetcher = &fetcher{
		client: t.client, options: &t.options, topics: []string{t.name}, problems: t.problems, stats: &t.stats, buffers: new(buffers),
		commands: make(chan func()), answers: make(chan func(), 16), room: make(chan struct{}, 1),
		brokers: make(map[int32]*broker), leaders: make(map[topicPartition]int32),
		onCounts: func(counts [event.NumStreams]int) {
			if n := int32(counts[0]); n > l.count.Load() {
				l.count.Store(n)
				signal(l.data)
			}
		},
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { l.fetcher.run(ctx) })
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for int32(len(l.streams)) < l.count.Load() {
			l.streams = append(l.streams, l.open(ctx, int32(len(l.streams))))
		}
		wait := time.Hour
		for p := range l.streams {
			wait = min(wait, l.drain(ctx, int32(p)))
		}
		timer.Reset(wait)
		select {
		case <-l.data:
		case <-timer.C:
		case <-ctx.Done():
			for _, s := range l.streams {
				s.drop()
			}
			return
		}
	}
}

// open begins to read a partition at its oldest record.
func (l *tail) open(ctx context.Context, partition int32) *stream {
	o := &l.topic.options
	src := &source{
		topic: l.topic.name, partition: partition, next: Earliest,
		quota: o.QueueBytes, data: l.data, room: l.fetcher.room, leader: -1,
	}
	d := batchDecoder{codecs: l.codecs, buffers: l.fetcher.buffers, maxBytes: o.MaxBatchBytes}
	l.fetcher.add(ctx, src)
	return newStream(src, Earliest, d, &l.topic.stats)
}

// drain hands in all that one partition has queued, and says when to look
// again if nothing arrives.
func (l *tail) drain(ctx context.Context, partition int32) time.Duration {
	s := l.streams[partition]
	if s.source.failure() != nil {
		s.drop()
		l.fetcher.remove(ctx, s.source)
		s = l.open(ctx, partition)
		l.streams[partition] = s
		l.topic.advance(partition, Earliest)
		l.Lost(partition)
	}
	for ctx.Err() == nil {
		now := time.Now()
		ready, bad := s.fill(now)
		switch {
		case bad != nil:
			l.GaveUp(partition, bad.first, bad.last, bad.detail)
		case ready:
			l.Handle(partition, s.records)
			s.handed(len(s.records))
			s.advance = true
		}
		if s.advance {
			s.advance = false
			l.topic.advance(partition, s.next)
		}
		if !ready && bad == nil {
			if s.resumeAt.IsZero() {
				return time.Hour
			}
			return max(s.resumeAt.Sub(now), time.Millisecond)
		}
	}
	return 0
}

func (t *Topic) advance(partition int32, next int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for int(partition) >= len(t.positions) {
		t.positions = append(t.positions, Earliest)
	}
	t.positions[partition] = next
	close(t.moved)
	t.moved = make(chan struct{})
}

// Has reports whether everything below the given offsets has been handed in.
func (t *Topic) Has(ends []int64) bool {
	has, _ := t.has(ends)
	return has
}

func (t *Topic) has(ends []int64) (bool, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, end := range ends {
		if p >= len(t.positions) || t.positions[p] < end {
			return false, t.moved
		}
	}
	return true, nil
}

// Await waits until everything below the given offsets has been handed in.
func (t *Topic) Await(ctx context.Context, ends []int64) error {
	for {
		has, moved := t.has(ends)
		if has {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("topic %q: not read to its end: %w", t.name, ctx.Err())
		}
	}
}

// ends asks the leaders for the end of every partition of the topics.
func (c *client) ends(ctx context.Context, topics []string) (map[topicPartition]int64, error) {
	res, err := c.topicMetadata(ctx, topics)
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	byLeader := make(map[int32][]topicPartition)
	total := 0
	for _, t := range res.Topics {
		if t.ErrorCode != 0 {
			return nil, fmt.Errorf("topic %q: %w", t.Name, kafka.Error(t.ErrorCode))
		}
		for _, p := range t.Partitions {
			byLeader[p.LeaderID] = append(byLeader[p.LeaderID], topicPartition{t.Name, p.PartitionIndex})
			total++
		}
	}
	ends := make(map[topicPartition]int64, total)
	for leader, of := range byLeader {
		slices.SortFunc(of, compareTopicPartition)
		if leader < 0 {
			return nil, fmt.Errorf("%s/%d: %w", of[0].topic, of[0].partition, kafka.LeaderNotAvailable)
		}
		found, errs, err := c.offsets(ctx, leader, latestOffset, of)
		if err != nil {
			return nil, fmt.Errorf("broker %d: %w", leader, err)
		}
		for tp, err := range errs {
			return nil, fmt.Errorf("%s/%d: %w", tp.topic, tp.partition, err)
		}
		for tp, end := range found {
			ends[tp] = end
		}
	}
	return ends, nil
}
