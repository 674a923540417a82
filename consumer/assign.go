package consumer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// errRejoin means that the generation is over before its partitions are open.
var errRejoin = errors.New("generation is over")

func assignedPartitions(gen *kafka.Generation) []int32 {
	count := make(map[int32]int)
	for _, list := range gen.Assignments {
		for _, a := range list {
			count[int32(a.ID)]++
		}
	}
	var partitions []int32
	for p, n := range count {
		if n == int(event.NumStreams) {
			partitions = append(partitions, p)
		}
	}
	slices.Sort(partitions)
	return partitions
}

// assign makes the workers those of the given partitions: it drops the ones
// that went elsewhere or may have been there, resumes those that stayed and
// opens the new ones.
func (c *Consumer) assign(ctx, base, ended context.Context, now seat, partitions []int32) error {
	lost, err := c.ended()
	if err != nil {
		return err
	}
	gap := !now.follows(c.seat)
	for _, w := range c.live() {
		if (gap || !slices.Contains(partitions, w.partition)) && !slices.Contains(lost, w) {
			lost = append(lost, w)
		}
	}
	if gap && len(lost) > 0 {
		c.log.Warn("kafka: the group may have gone on without this member; its partitions are opened anew",
			"partitions", len(lost), "generation", now.generation, "before", c.seat.generation)
		c.setAssigned(false)
	}
	c.dropWorkers(base, lost)
	c.seat = now

	opening, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ended, cancel)()
	for _, p := range partitions {
		if w := c.worker(p); w != nil {
			c.resume(base, w, now)
			continue
		}
		if err := c.open(opening, base, now, p); err != nil {
			return err
		}
	}
	c.setAssigned(true)
	return nil
}

// open starts a worker for a partition.
func (c *Consumer) open(opening, base context.Context, now seat, partition int32) error {
	err := c.awaitLeaving(opening, partition)
	var w *worker
	if err == nil {
		w, err = newWorker(opening, base, c, partition, now)
	}
	switch {
	case err == nil:
	case opening.Err() != nil:
		return errRejoin
	case errors.Is(err, ErrFenced) && errors.Is(c.client.current(opening, c.options.Group, now, nil), ErrFenced):
		return errRejoin // we were too slow
	default:
		return err
	}
	var own context.Context
	own, w.abandon = context.WithCancel(base)
	c.mu.Lock()
	c.workers[partition] = w
	c.mu.Unlock()
	c.fetcher.add(base, w.sources()...)
	go c.runWorker(own, w)
	return nil
}

// awaitLeaving waits until a worker that was given up has left the partition:
// two handlers in one process would share the state on its disk.
func (c *Consumer) awaitLeaving(ctx context.Context, partition int32) error {
	w := c.leaving[partition]
	if w == nil {
		return nil
	}
	tick := time.NewTicker(c.options.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			delete(c.leaving, partition)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			if err := w.stuck(now, c.options.StuckAfter); err != nil {
				return err
			}
		}
	}
}

func (c *Consumer) worker(partition int32) *worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers[partition]
}

func (c *Consumer) setAssigned(assigned bool) {
	c.mu.Lock()
	c.assigned = assigned
	c.mu.Unlock()
}

func (c *Consumer) runWorker(own context.Context, w *worker) {
	defer w.abandon()
	w.run(own)
	if w.err != nil {
		signal(c.failed)
	}
}

// ended looks for workers that have ended by themselves: fenced ones, and the
// error of any other.
func (c *Consumer) ended() (fenced []*worker, err error) {
	for _, w := range c.live() {
		select {
		case <-w.done:
			if !errors.Is(w.err, ErrFenced) {
				return nil, w.err
			}
			fenced = append(fenced, w)
		default:
		}
	}
	return fenced, nil
}

// each sends a command to several workers at once and waits for all.
func (c *Consumer) each(base context.Context, workers []*worker, kind commandKind) []error {
	ctx, cancel := context.WithTimeout(base, c.options.LeaveTimeout)
	defer cancel()
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		wg.Go(func() { errs[i] = w.send(ctx, kind) })
	}
	wg.Wait()
	return errs
}

// pauseWorkers has every worker commit and stand still. One that is busy for
// too long goes on: its partition may still stay here.
func (c *Consumer) pauseWorkers(base context.Context) {
	workers := c.live()
	for i, err := range c.each(base, workers, pauseWorker) {
		workers[i].paused = err == nil
	}
}

// resume has a worker go on in another seat.
func (c *Consumer) resume(base context.Context, w *worker, in seat) {
	w.seat.Store(&in)
	if w.paused {
		w.paused = false
		// A worker that cannot resume has ended, and its end says why.
		_ = w.send(base, resumeWorker)
	}
}

// stopWorkers has workers commit and end. One that is held up, by a handler or
// by dead letters that cannot be written, ends without a commit.
func (c *Consumer) stopWorkers(base context.Context, workers []*worker) error {
	errs := c.each(base, workers, stopWorker)
	var held []*worker
	for i, w := range workers {
		if errs[i] != nil {
			held = append(held, w)
		}
	}
	c.giveUp(held)
	c.remove(base, workers)
	return errors.Join(errs...)
}

// dropWorkers has workers end without another commit: other members may have
// their partitions, and begin with what was durable.
func (c *Consumer) dropWorkers(base context.Context, workers []*worker) {
	for _, w := range workers {
		w.fenced.Store(true)
	}
	c.giveUp(workers)
	c.remove(base, workers)
	for _, w := range workers {
		select {
		case <-w.done:
			if w.closed != nil {
				c.log.Error("kafka: a partition given away was not closed well", "error", w.closed)
			}
		default: // its handler has not returned
			c.leaving[w.partition] = w
		}
	}
}

// giveUp makes workers end as soon as their handlers return, and waits a
// little for that.
func (c *Consumer) giveUp(workers []*worker) {
	for _, w := range workers {
		w.letters.stop()
		w.abandon()
	}
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	for _, w := range workers {
		select {
		case <-w.done:
		case <-patience.C:
			return
		}
	}
}

func (c *Consumer) remove(base context.Context, workers []*worker) {
	for _, w := range workers {
		c.fetcher.remove(base, w.sources()...)
		c.mu.Lock()
		delete(c.workers, w.partition)
		c.mu.Unlock()
	}
}
