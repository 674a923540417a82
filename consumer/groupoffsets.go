package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/segmentio/kafka-go"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// groupOffsets writes the published positions as the group's offsets, for lag
// tools and for the other members' CaughtUp. Nothing here reads them back to
// start from, so a failure is counted and no more.
type groupOffsets struct {
	ctx      context.Context // of what outlives the generation
	client   *client
	group    string
	seat     seat
	stats    *Stats
	problems *problems
	topics   [event.NumStreams]string

	written map[topicPartition]kafka.OffsetCommit
	busy    chan struct{} // closed when the commit under way is over; nil: none
}

// commit starts to write what has changed, unless a commit is under way.
func (g *groupOffsets) commit(workers []*worker) {
	if g.busy != nil {
		select {
		case <-g.busy:
		default:
			return
		}
	}
	now := make(map[topicPartition]kafka.OffsetCommit)
	offsets := make(map[string][]kafka.OffsetCommit)
	for _, w := range workers {
		for i, topic := range g.topics {
			at := w.published[i].Load()
			if at < 0 {
				continue
			}
			o := kafka.OffsetCommit{Partition: int(w.partition), Offset: at, Metadata: w.metadata()}
			now[topicPartition{topic, w.partition}] = o
			offsets[topic] = append(offsets[topic], o)
		}
	}
	if len(now) == 0 || maps.Equal(now, g.written) {
		return
	}
	g.written = now
	done := make(chan struct{})
	g.busy = done
	go func() {
		defer close(done)
		err := g.client.current(g.ctx, g.group, g.seat, offsets)
		if err == nil {
			g.problems.over("group offsets")
			return
		}
		g.stats.GroupCommitErrors.Add(1)
		if !errors.Is(err, ErrFenced) {
			g.problems.report("group offsets", errorKind(err), fmt.Errorf("commit of offsets: %w", err))
		}
	}()
}

// final writes the last positions and waits a little for that: the end of the
// generation would cut it off.
func (g *groupOffsets) final(workers []*worker) {
	if g.busy != nil {
		waitFor(g.busy, leavePatience)
	}
	g.commit(workers)
	if g.busy != nil {
		waitFor(g.busy, leavePatience)
	}
}
