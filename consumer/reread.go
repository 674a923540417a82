package consumer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// rereadQueue is how many bytes a reread fetches ahead: what it holds of the
// broker's answers is at most twice as much, unless a batch is larger.
const rereadQueue = 256 << 10

// reread reads a range of one of the partition's topics again. It has a source
// of its own, which the fetcher serves as it serves the others, so that leader
// moves, outages, checksums and codecs are dealt with in one place.
type reread struct {
	consumer *Consumer
	worker   *worker
	source   *source
	stream   *stream
	last     int64
	passed   int       // bytes that the pacer knows of
	endSince time.Time // when the topic was first seen to end before last
}

// reread implements Assignment.Reread.
func (c *Consumer) reread(ctx, base context.Context, w *worker, of event.Stream, first, last int64, f func([]Record) error) error {
	if first > last {
		return nil
	}
	src := &source{
		stream: of, topic: c.options.Topics[of], partition: w.partition, next: max(first, 0), reread: true, last: last,
		quota: rereadQueue, data: make(chan struct{}, 1), room: c.fetcher.room, leader: -1,
	}
	decoder := batchDecoder{codecs: c.codecs, buffers: c.fetcher.buffers, maxBytes: c.options.MaxBatchBytes}
	r := &reread{consumer: c, worker: w, source: src, last: last, stream: newStream(src, src.next, decoder, new(Stats))}
	c.fetcher.add(base, src)
	defer c.fetcher.remove(base, src)
	defer r.stream.drop()
	for r.stream.next <= last {
		if err := r.step(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// step hands on one batch, or waits for one.
func (r *reread) step(ctx context.Context, f func([]Record) error) error {
	r.worker.watch.alive()
	if err := ctx.Err(); err != nil {
		return r.stopped(err)
	}
	now := time.Now()
	ready, bad := r.stream.fill(now)
	switch {
	case bad != nil: // it went to the dead letters when it was first read
		return nil
	case !ready:
		return r.idle(ctx, now)
	}
	r.endSince = time.Time{}
	records := r.stream.records
	for len(records) > 0 && records[len(records)-1].Offset > r.last {
		records = records[:len(records)-1]
	}
	if len(records) > 0 {
		r.consumer.stats.RereadRecords.Add(uint64(len(records)))
		if err := f(records); err != nil {
			return err
		}
	}
	r.stream.handed(len(r.stream.records))
	return r.pace(ctx)
}

// pace waits as long as what has been taken from the queue is to take.
func (r *reread) pace(ctx context.Context) error {
	n := r.source.taken() - r.passed
	r.passed += n
	for until := r.consumer.pacer.next(n, time.Now()); ; {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		if err := r.wait(ctx, left, nil); err != nil {
			return err
		}
	}
}

// idle waits for the fetcher, and gives up on records that do not come back.
func (r *reread) idle(ctx context.Context, now time.Time) error {
	if err := r.source.failure(); err != nil {
		return err
	}
	pause := time.Second
	switch {
	case !r.stream.resumeAt.IsZero():
		pause = r.stream.resumeAt.Sub(now)
	case !r.source.caughtUp():
		r.endSince = time.Time{}
	default:
		if r.endSince.IsZero() {
			r.endSince = now
		}
		if end, _ := r.source.end(); now.Sub(r.endSince) > beyondPatience {
			return beyondEnd(r.source.place(), r.stream.next, end)
		}
	}
	return r.wait(ctx, pause, r.source.data)
}

// wait waits for at most d, and not so long that the handler seems stuck.
func (r *reread) wait(ctx context.Context, d time.Duration, data <-chan struct{}) error {
	r.worker.watch.alive()
	timer := time.NewTimer(min(d, r.consumer.options.StuckAfter/4))
	defer timer.Stop()
	select {
	case <-data:
	case <-timer.C:
	case <-ctx.Done():
		return r.stopped(ctx.Err())
	case <-r.worker.letters.ctx.Done(): // the worker has been given up
		return r.stopped(r.worker.letters.ctx.Err())
	}
	return nil
}

func (r *reread) stopped(err error) error {
	return fmt.Errorf("%s: reading again from offset %d: %w", r.source.place(), r.stream.next, err)
}

// pacer spreads what all rereads take over time.
type pacer struct {
	perSecond int

	mu   sync.Mutex
	free time.Time // when all that has been taken so far is paid for
}

// next takes n bytes and returns when to go on.
func (p *pacer) next(n int, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(float64(n) / float64(p.perSecond) * float64(time.Second)))
	return p.free
}
