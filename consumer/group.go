package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
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
		GroupBalancers:    []kafka.GroupBalancer{balancer{topics: c.options.Topics[:], claims: c.claims}},
		HeartbeatInterval: c.options.SessionTimeout / heartbeatsPerSession, SessionTimeout: c.options.SessionTimeout,
		RebalanceTimeout: rebalanceTimeout, JoinGroupBackoff: joinPause, Timeout: c.options.RequestTimeout,
	})
	if err != nil {
		return fmt.Errorf("group %q: %w", c.options.Group, err)
	}
	joining := time.Now()
	for err == nil && ctx.Err() == nil {
		var gen *kafka.Generation
		if gen, err = group.Next(ctx); err == nil {
			c.problems.over("group " + c.options.Group)
			c.log.Info("kafka: joined the group", "group", gen.GroupID, "generation", gen.ID, "took", time.Since(joining).Round(time.Millisecond))
			err = c.generation(ctx, base, gen)
			joining = time.Now()
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
	now := seat{member: gen.MemberID, generation: gen.ID}
	offsets := &groupOffsets{ctx: base, client: c.client, group: c.options.Group, seat: now, stats: &c.stats, problems: c.problems, topics: c.options.Topics}
	if err := c.assign(ctx, base, ended, now, assignedPartitions(gen)); errors.Is(err, errRejoin) {
		c.standStill(base, offsets)
		return nil
	} else if err != nil {
		return err
	}
	c.log.Info("kafka: partitions assigned", "group", gen.GroupID, "generation", gen.ID, "partitions", len(c.live()))
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
		case <-c.failed:
			fenced, err := c.ended()
			if err != nil {
				return err
			}
			if len(fenced) == 0 {
				continue // it had been given up
			}
			c.log.Warn("kafka: a partition has been taken by another member; joining anew", "partition", fenced[0].partition, "error", fenced[0].err)
			c.dropWorkers(base, fenced)
		case <-c.recount:
			c.log.Info("kafka: the number of partitions has changed")
		case <-ended.Done():
		}
		c.standStill(base, offsets)
		return nil
	}
}

// standStill ends a generation: the workers commit and wait for the next one.
// If the generation has ended because the group goes on without us, they are
// dropped instead; when that cannot be known, the next one's number tells.
func (c *Consumer) standStill(base context.Context, offsets *groupOffsets) {
	ctx, cancel := context.WithTimeout(base, leavePatience)
	defer cancel()
	err := c.client.current(ctx, c.options.Group, offsets.seat, nil)
	if !errors.Is(err, ErrFenced) {
		c.pauseWorkers(base)
		offsets.final(c.live())
		return
	}
	if workers := c.live(); len(workers) > 0 {
		c.log.Warn("kafka: the group has gone on without this member (was it stopped, or cut off?); what is not committed is read again",
			"partitions", len(workers), "error", err)
		c.setAssigned(false)
		c.dropWorkers(base, workers)
	}
}
