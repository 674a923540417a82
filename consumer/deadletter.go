package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// letter is a dead letter on its way to its topic.
type letter struct {
	key, value []byte
	headers    []kafka.Header
	truncated  bool
}

func (l *letter) size() int {
	n := len(l.key) + len(l.value) + 100
	for _, h := range l.headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// letterWriter writes the dead letters of all workers, in the order in which
// they were sent. It tries for as long as it runs: while the topic cannot be
// reached, the buffer fills and then the workers wait.
type letterWriter struct {
	client   *client
	options  *Options
	problems *problems
	stats    *Stats

	mu      sync.Mutex
	queue   []*letter
	bytes   int
	sent    uint64        // letters ever queued
	written uint64        // letters ever acknowledged
	changed chan struct{} // closed, and replaced, when written has grown

	wake       chan struct{} // capacity 1
	partitions int           // of the topic; 0: to be looked up
	turn       int           // the partition for the next batch
	single     bool          // the next batch is to be one letter
}

func newLetterWriter(c *Consumer) *letterWriter {
	return &letterWriter{client: c.client, options: &c.options, problems: c.problems, stats: &c.stats,
		changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// letters is one worker's way to the writer: it implements DeadLetters.
type letters struct {
	writer    *letterWriter
	partition int32
	ctx       context.Context // ends Send's waiting
	stop      context.CancelFunc
	alive     func() // the handler waits on purpose
	last      uint64 // of the writer's count: the worker's last letter
	lost      int    // letters not queued, because ctx was done
}

func newLetters(w *letterWriter, partition int32, alive func()) *letters {
	l := &letters{writer: w, partition: partition, alive: alive}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// Send queues a copy of d. It waits while the buffer is full.
func (l *letters) Send(d DeadLetter) {
	w := l.writer
	lt := &letter{key: slices.Clone(d.Key), value: slices.Clone(d.Value)}
	header := func(key, value string) {
		lt.headers = append(lt.headers, kafka.Header{Key: key, Value: []byte(value)})
	}
	header("reason", d.Reason.String())
	header("topic", w.options.Topics[d.Stream])
	header("partition", strconv.Itoa(int(l.partition)))
	header("offset", strconv.FormatInt(d.Offset, 10))
	if d.LastOffset > d.Offset {
		header("last_offset", strconv.FormatInt(d.LastOffset, 10))
	}
	if d.Detail != "" {
		header("detail", d.Detail)
	}
	lt.cut(w.options.DeadLetterRecord)
	seq, ok := w.enqueue(l.ctx, lt, l.alive)
	if !ok {
		l.lost++
		return
	}
	l.last = seq
	w.stats.DeadLetters[d.Stream][d.Reason].Add(1)
}

// flush waits until every letter sent so far is on the topic.
func (l *letters) flush(ctx context.Context) error {
	if l.lost > 0 {
		return fmt.Errorf("%d not queued", l.lost)
	}
	for {
		l.writer.mu.Lock()
		missing := int64(l.last) - int64(l.writer.written)
		changed := l.writer.changed
		l.writer.mu.Unlock()
		if missing <= 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("topic %q: %w", l.writer.options.DeadLetterTopic, ctx.Err())
		case <-l.ctx.Done():
			return fmt.Errorf("topic %q: %w", l.writer.options.DeadLetterTopic, l.ctx.Err())
		}
	}
}

// cut shortens the value, and if need be the key, so that both fit in limit.
func (l *letter) cut(limit int) {
	if len(l.key)+len(l.value) <= limit {
		return
	}
	l.key = l.key[:min(len(l.key), limit/2)]
	l.value = l.value[:min(len(l.value), limit-len(l.key))]
	if !l.truncated {
		l.truncated = true
		l.headers = append(l.headers, kafka.Header{Key: "truncated", Value: []byte("true")})
	}
}

func (w *letterWriter) enqueue(ctx context.Context, l *letter, alive func()) (uint64, bool) {
	for {
		w.mu.Lock()
		if len(w.queue) == 0 || w.bytes+l.size() <= w.options.DeadLetterBytes {
			w.queue = append(w.queue, l)
			w.bytes += l.size()
			w.sent++
			seq := w.sent
			w.mu.Unlock()
			signal(w.wake)
			return seq, true
		}
		changed := w.changed
		w.mu.Unlock()
		alive()
		select {
		case <-changed:
		case <-time.After(w.options.StuckAfter / 4):
		case <-ctx.Done():
			return 0, false
		}
	}
}

// run writes until ctx is done.
func (w *letterWriter) run(ctx context.Context) {
	failures := 0
	for {
		batch := w.next()
		if len(batch) == 0 {
			select {
			case <-w.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := w.write(ctx, batch)
		if err == nil {
			failures, w.single = 0, false
			w.problems.over(w.place())
			w.acknowledge(batch)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		w.stats.DeadLetterErrors.Add(1)
		if errors.Is(err, kafka.MessageSizeTooLarge) && w.shrink(batch) {
			continue
		}
		w.partitions = 0
		failures++
		w.problems.report(w.place(), errorKind(err), fmt.Errorf("%s: dead letters cannot be written, reading waits for them: %w", w.place(), err))
		select {
		case <-time.After(backoff(failures)):
		case <-ctx.Done():
			return
		}
	}
}

// shrink makes less of a batch that the topic does not take: first the one
// letter at its front, then half of that letter. It returns false when nothing
// is left to cut.
func (w *letterWriter) shrink(batch []*letter) bool {
	if len(batch) > 1 {
		w.single = true
		return true
	}
	l := batch[0]
	if len(l.key)+len(l.value) == 0 {
		return false
	}
	w.mu.Lock()
	w.bytes -= l.size()
	l.cut((len(l.key) + len(l.value)) / 2)
	w.bytes += l.size()
	w.mu.Unlock()
	return true
}

func (w *letterWriter) place() string { return "topic " + w.options.DeadLetterTopic }

// next returns the letters at the front of the queue that fit in one batch.
func (w *letterWriter) next() []*letter {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, 0
	for n < len(w.queue) {
		if size += w.queue[n].size(); n > 0 && (w.single || size > w.options.DeadLetterRecord) {
			break
		}
		n++
	}
	return slices.Clone(w.queue[:n])
}

func (w *letterWriter) acknowledge(batch []*letter) {
	w.mu.Lock()
	for _, l := range batch {
		w.bytes -= l.size()
	}
	w.queue = slices.Delete(w.queue, 0, len(batch))
	w.written += uint64(len(batch))
	close(w.changed)
	w.changed = make(chan struct{})
	w.mu.Unlock()
	w.stats.DeadLettersWritten.Add(uint64(len(batch)))
}

func (w *letterWriter) write(ctx context.Context, batch []*letter) error {
	if w.partitions == 0 {
		if err := w.prepare(ctx); err != nil {
			return err
		}
	}
	now := time.Now()
	records := make([]protocol.Record, len(batch))
	for i, l := range batch {
		records[i] = kafka.Record{Time: now, Key: kafka.NewBytes(l.key), Value: kafka.NewBytes(l.value), Headers: l.headers}
	}
	w.turn++
	res, err := w.client.kafkaClient().Produce(ctx, &kafka.ProduceRequest{
		Topic: w.options.DeadLetterTopic, Partition: w.turn % w.partitions, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = res.Error
	}
	if err == nil && len(res.RecordErrors) > 0 {
		err = fmt.Errorf("%d records refused: %w", len(res.RecordErrors), res.RecordErrors[0])
	}
	return err
}

// prepare finds out how many partitions the topic has, and creates it with one
// where it is missing.
func (w *letterWriter) prepare(ctx context.Context) error {
	topic := w.options.DeadLetterTopic
	res, err := w.client.topicMetadata(ctx, []string{topic})
	if err != nil {
		return err
	}
	if len(res.Topics) == 1 && res.Topics[0].ErrorCode == 0 && len(res.Topics[0].Partitions) > 0 {
		w.partitions = len(res.Topics[0].Partitions)
		return nil
	}
	created, err := w.client.kafkaClient().CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: -1}},
	})
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := created.Errors[topic]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return fmt.Errorf("create: %w", err)
	}
	w.partitions = 1
	return nil
}
