package consumer

import (
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
	gen      *kafka.Generation
	stats    *Stats
	problems *problems
	topics   [event.NumStreams]string

	written map[topicPartition]int64
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
	now := make(map[topicPartition]int64)
	offsets := make(map[string]map[int]int64)
	for _, w := range workers {
		for i, topic := range g.topics {
			at := w.published[i].Load()
			if at < 0 {
				continue
			}
			now[topicPartition{topic, w.partition}] = at
			if offsets[topic] == nil {
				offsets[topic] = make(map[int]int64)
			}
			offsets[topic][int(w.partition)] = at
		}
	}
	if maps.Equal(now, g.written) {
		return
	}
	g.written = now
	done := make(chan struct{})
	g.busy = done
	go func() {
		defer close(done)
		err := g.gen.CommitOffsets(offsets)
		if err == nil {
			g.problems.over("group offsets")
			return
		}
		g.stats.GroupCommitErrors.Add(1)
		if !errors.Is(err, kafka.RebalanceInProgress) && !errors.Is(err, kafka.IllegalGeneration) && !errors.Is(err, kafka.UnknownMemberId) {
			g.problems.report("group offsets", errorKind(err), fmt.Errorf("group %q: commit of offsets: %w", g.gen.GroupID, err))
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
