package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/rampgauge/rampgauge/consumer/event"
)

const (
	heartbeatsPerSession = 5
	rebalanceTimeout     = 30 * time.Second
	joinPause            = 300 * time.Millisecond // after a failed try to join
	leavePatience        = 2 * time.Second        // for the coordinator, once the workers have committed
)

// member takes part in the group until ctx is done or something fails for
// good. The workers run under base.
func (c *Consumer) member(ctx, base context.Context) error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.options.Group, Brokers: c.options.Brokers, Dialer: c.dialer(), Topics: c.options.Topics[:],
		GroupBalancers:    []kafka.GroupBalancer{balancer{topics: c.options.Topics[:], held: c.held}},
		HeartbeatInterval: c.options.SessionTimeout / heartbeatsPerSession, SessionTimeout: c.options.SessionTimeout,
		RebalanceTimeout: rebalanceTimeout, JoinGroupBackoff: joinPause, Timeout: c.options.RequestTimeout,
	})
	if err != nil {
		return fmt.Errorf("group %q: %w", c.options.Group, err)
	}
	for err == nil && ctx.Err() == nil {
		var gen *kafka.Generation
		if gen, err = group.Next(ctx); err == nil {
			c.problems.over("group " + c.options.Group)
			err = c.generation(ctx, base, gen)
		} else {
			err = c.joinFailed(ctx, err)
		}
	}
	if stopped := c.stopWorkers(base, c.live()); ctx.Err() != nil || err == nil {
		err = errors.Join(err, stopped)
	}
	closeGroup(group)
	return err
}

// closeGroup leaves the group. A join under way may hold it up for the whole
// rebalance timeout; the group then notices our silence instead.
func closeGroup(group *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		group.Close()
		close(left)
	}()
	waitFor(left, leavePatience)
}

// waitFor waits until c is closed, but no longer than d.
func waitFor(c <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
	}
}

// joinFailed decides whether joining is tried again.
func (c *Consumer) joinFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // leaving is no failure to join
	}
	place := "group " + c.options.Group
	switch {
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		return fmt.Errorf("%s: the broker denies it; allow Read on the group: %w", place, ErrAuthorization)
	case errors.Is(err, kafka.InconsistentGroupProtocol):
		return fmt.Errorf("%s: its members are of another program or version: %w", place, err)
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return fmt.Errorf("%s: %w: %w", place, ErrAuthentication, err)
	case errors.Is(err, kafka.RebalanceInProgress), errors.Is(err, kafka.GroupCoordinatorNotAvailable), errors.Is(err, kafka.NotCoordinatorForGroup),
		errors.Is(err, kafka.GroupLoadInProgress), errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.IllegalGeneration):
		return nil // the coordinator is new, or others join as well
	}
	c.problems.report(place, errorKind(err), fmt.Errorf("%s: join: %w", place, err))
	return nil
}

// generation works for one generation of the group.
func (c *Consumer) generation(ctx, base context.Context, gen *kafka.Generation) (err error) {
	done := make(chan struct{})
	// The group joins its next generation only after this function has
	// returned: no partition has two workers in one member.
	gen.Start(func(ended context.Context) {
		defer close(done)
		err = c.serve(ctx, base, ended, gen)
	})
	<-done
	return err
}

func (c *Consumer) serve(ctx, base, ended context.Context, gen *kafka.Generation) error {
	if ended.Err() != nil {
		return nil
	}
	c.stats.Generations.Add(1)
	if err := c.assign(ctx, base, assignedPartitions(gen)); err != nil {
		return err
	}
	c.log.Info("kafka: partitions assigned", "group", gen.GroupID, "generation", gen.ID, "partitions", len(c.live()))
	offsets := &groupOffsets{gen: gen, stats: &c.stats, problems: c.problems, topics: c.options.Topics}
	tick := time.NewTicker(c.options.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			offsets.commit(c.live())
			if err := c.anyStuck(time.Now()); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
			workers := c.live()
			err := c.stopWorkers(base, workers)
			offsets.final(workers)
			return err
		case w := <-c.failed:
			return w.err
		case <-c.recount:
			c.log.Info("kafka: the number of partitions has changed")
		case <-ended.Done():
		}
		c.pauseWorkers(base)
		offsets.final(c.live())
		return nil
	}
}

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

// assign makes the workers those of the given partitions: it closes the ones
// that went elsewhere, resumes those that stayed and opens the new ones.
func (c *Consumer) assign(ctx, base context.Context, partitions []int32) error {
	var lost []*worker
	for _, w := range c.live() {
		if !slices.Contains(partitions, w.partition) {
			lost = append(lost, w)
		}
	}
	if err := c.stopWorkers(base, lost); err != nil {
		// They belong to another member now, which starts from what is durable.
		c.log.Error("kafka: a partition given away was not committed", "error", err)
	}
	for _, p := range partitions {
		c.mu.Lock()
		w := c.workers[p]
		c.mu.Unlock()
		if w != nil {
			c.resume(base, w)
			continue
		}
		w, err := newWorker(ctx, c, p)
		if err != nil {
			return err
		}
		var own context.Context
		own, w.abandon = context.WithCancel(base)
		c.mu.Lock()
		c.workers[p] = w
		c.mu.Unlock()
		c.fetcher.add(base, w.sources()...)
		go c.runWorker(own, w)
	}
	c.mu.Lock()
	c.assigned = true
	c.mu.Unlock()
	return nil
}

func (c *Consumer) runWorker(own context.Context, w *worker) {
	defer w.abandon()
	w.run(own)
	if w.err != nil && own.Err() == nil {
		select {
		case c.failed <- w:
		default: // one failure is enough to end the Consumer
		}
	}
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

func (c *Consumer) resume(base context.Context, w *worker) {
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
	for i, w := range workers {
		if errs[i] != nil {
			w.letters.stop()
			w.abandon()
			waitFor(w.done, time.Second)
		}
		c.fetcher.remove(base, w.sources()...)
		c.mu.Lock()
		delete(c.workers, w.partition)
		c.mu.Unlock()
	}
	return errors.Join(errs...)
}
