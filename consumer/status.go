package consumer

import (
	"context"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// PartitionLag is how far one partition of one topic has come.
type PartitionLag struct {
	Stream    event.Stream
	Topic     string
	Partition int32
	Position  int64 // all below is in the numbers; Earliest: nothing yet
	End       int64 // end of what can be read, as of the last fetch; -1: not known yet
}

// Records is the lag in offsets, which is at least the number of records: 0
// when the end is not known yet.
func (l PartitionLag) Records() int64 { return max(l.End-max(l.Position, 0), 0) }

// Lag lists the partitions that this member has, by partition and stream. It
// asks no broker.
func (c *Consumer) Lag() []PartitionLag {
	var all []PartitionLag
	for _, w := range c.live() {
		for i, s := range w.streams {
			end, ok := s.source.end()
			if !ok {
				end = -1
			}
			all = append(all, PartitionLag{Stream: event.Stream(i), Topic: s.source.topic, Partition: w.partition,
				Position: w.published[i].Load(), End: end})
		}
	}
	return all
}

// Ready says whether the group has assigned partitions to this member (maybe
// none) and their handlers are open.
func (c *Consumer) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.assigned
}

// Assigned lists the partition numbers that this member has, ascending.
func (c *Consumer) Assigned() []int32 {
	var partitions []int32
	for _, w := range c.live() {
		partitions = append(partitions, w.partition)
	}
	return partitions
}

// CaughtUp says whether every record that was on the topics when it was called
// has been handed in and committed by its handler, with nothing left to another
// commit, and how many offsets are missing. Records of transactions that are still open do not count. For the
// partitions of other members it goes by the group's offsets, which they write
// after they commit.
func (c *Consumer) CaughtUp(ctx context.Context) (caughtUp bool, lag int64, err error) {
	ends, err := c.ends(ctx)
	if err != nil {
		return false, 0, err
	}
	position := make(map[topicPartition]int64)
	unfinished := false
	var others []topicPartition
	c.mu.Lock()
	assigned := c.assigned
	for tp := range ends {
		if w := c.workers[tp.partition]; w != nil {
			position[tp] = w.published[slices.Index(c.options.Topics[:], tp.topic)].Load()
			unfinished = unfinished || w.unfinished.Load()
		} else {
			others = append(others, tp)
		}
	}
	c.mu.Unlock()
	if assigned && len(others) > 0 {
		left, err := c.groupPositions(ctx, others, position)
		if err != nil {
			return false, 0, err
		}
		unfinished = unfinished || left
	}
	caughtUp = assigned && !unfinished
	for tp, end := range ends {
		at, ok := position[tp]
		if !ok || at < 0 {
			// Where it begins is not known yet, even if the topic is empty.
			caughtUp, at = false, 0
		}
		lag += max(end-at, 0)
	}
	return caughtUp && lag == 0, lag, nil
}

// ends asks the leaders for the end of every partition of the topics.
func (c *Consumer) ends(ctx context.Context) (map[topicPartition]int64, error) {
	ends, err := c.client.ends(ctx, c.options.Topics[:])
	if err != nil {
		return nil, fmt.Errorf("caught up: %w", err)
	}
	return ends, nil
}

// groupPositions adds the group's offsets of the given partitions, and says
// whether one of them is unfinished.
func (c *Consumer) groupPositions(ctx context.Context, of []topicPartition, position map[topicPartition]int64) (unfinished bool, err error) {
	topics := make(map[string][]int)
	for _, tp := range of {
		topics[tp.topic] = append(topics[tp.topic], int(tp.partition))
	}
	res, err := c.client.kafkaClient().OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: c.options.Group, Topics: topics})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return false, fmt.Errorf("caught up: group offsets: %w", err)
	}
	for topic, list := range res.Topics {
		for _, p := range list {
			if p.Error == nil && p.CommittedOffset >= 0 {
				position[topicPartition{topic, int32(p.Partition)}] = p.CommittedOffset
				unfinished = unfinished || p.Metadata == unfinishedMetadata
			}
		}
	}
	return unfinished, nil
}
