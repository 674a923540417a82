package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/heartbeat"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// ErrFenced means that the group has gone on without this member, so that
// another may have the partition by now. A Handler may return it, wrapped, when
// its state says so: its worker then ends without a commit and the member joins
// the group anew, where any other error ends the Consumer.
var ErrFenced = errors.New("another member may have the partition")

// Assignment is a partition number that this member has been given, and what
// its handler may use. The functions but Wake, and Current without offsets, are
// for the handler's own goroutine.
type Assignment struct {
	Partition  int32
	Generation int32 // of the group, which counts up with every rebalance
	Letters    DeadLetters
	// Current asks the coordinator whether the member still has its place in the
	// group: nil when it does, ErrFenced when it does not, another error when the
	// coordinator could not be asked. Where the partition has stayed over
	// rebalances, that is its place in the newest generation. On the way it writes
	// the given offsets (those >= 0) as the group's, which lag tools and other
	// members' CaughtUp go by: all below them must be in the numbers already.
	Current func(ctx context.Context, next [event.NumStreams]int64) error
	// Reread calls f with the records of a stream at the offsets from first to
	// last, which have been handed in before, in order and as far as the topic
	// still holds them: what retention or compaction has removed, control batches,
	// aborted transactions and batches that cannot be read are not there. f may be
	// called many times, with records that are valid during the call; its error
	// ends Reread. Reread waits while the broker is away, takes no more than
	// RereadBytesPerSecond, and returns when ctx is done or the worker is given up.
	Reread func(ctx context.Context, s event.Stream, first, last int64, f func([]Record) error) error
	// Alive says that a handler which does not return waits on purpose, so that it
	// is not taken for stuck. It is to be called more often than StuckAfter.
	Alive func()
	// Wake has Unfinished asked again, because something other than a record has
	// come for which a Commit is wanted. It may be called from any goroutine, and
	// does nothing once the handler is closed.
	Wake func()
}

// seat is a member's place in one generation of the group.
type seat struct {
	member     string
	generation int32
}

// follows says whether no other member can have had a partition that this one
// had in the seat before and has in s: the seat is the same, or that of the
// next generation, and of the same member. A generation that was missed, or an
// id that the group has forgotten, means that it has gone on without us.
func (s seat) follows(before seat) bool {
	return s.member == before.member && (s.generation == before.generation || s.generation == before.generation+1)
}

// current asks the coordinator whether the group is still that of s, and has
// it write offsets unless there are none. An offset is written by all replicas
// of the group's log, so that also a coordinator that has been replaced, and
// does not know it yet, does not confirm a seat that is gone.
func (c *client) current(ctx context.Context, group string, s seat, offsets map[string][]kafka.OffsetCommit) error {
	err := c.sit(ctx, group, s, offsets)
	switch {
	case errors.Is(err, kafka.RebalanceInProgress):
		// The generation and the member are looked at first: they are right.
		return nil
	case errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.FencedInstanceID):
		return fmt.Errorf("group %q: generation %d: %w: %w", group, s.generation, err, ErrFenced)
	case err != nil:
		return fmt.Errorf("group %q: generation %d: %w", group, s.generation, err)
	}
	return nil
}

func (c *client) sit(ctx context.Context, group string, s seat, offsets map[string][]kafka.OffsetCommit) error {
	if len(offsets) == 0 {
		return c.heartbeat(ctx, group, s)
	}
	res, err := c.kafkaClient().OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: int(s.generation), MemberID: s.member, Topics: offsets,
	})
	if err != nil {
		return err
	}
	for topic, list := range res.Topics {
		for _, p := range list {
			if p.Error != nil {
				return fmt.Errorf("offset of %s/%d: %w", topic, p.Partition, p.Error)
			}
		}
	}
	return nil
}

// heartbeat asks the coordinator. kafka-go's Client.Heartbeat does not: it goes
// to any broker, and takes the throttle time for the error.
func (c *client) heartbeat(ctx context.Context, group string, s seat) error {
	res, err := c.send(ctx, anyBroker, &findcoordinator.Request{Key: group})
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	at := res.(*findcoordinator.Response)
	if at.ErrorCode != 0 {
		return fmt.Errorf("coordinator: %w", kafka.Error(at.ErrorCode))
	}
	res, err = c.roundTrip(ctx, &direct{
		request: &heartbeat.Request{GroupID: group, GenerationID: s.generation, MemberID: s.member},
		broker:  at.NodeID, clientID: c.clientID, oldest: true,
	})
	if err != nil {
		return err
	}
	if code := res.(*heartbeat.Response).ErrorCode; code != 0 {
		return kafka.Error(code)
	}
	return nil
}

// assignment is what the handler of a worker gets.
func (c *Consumer) assignment(base context.Context, w *worker) Assignment {
	return Assignment{
		Partition: w.partition, Generation: w.seat.Load().generation, Letters: w.letters,
		Current: w.current, Alive: w.watch.alive, Wake: func() { signal(w.data) },
		Reread: func(ctx context.Context, s event.Stream, first, last int64, f func([]Record) error) error {
			return c.reread(ctx, base, w, s, first, last, f)
		},
	}
}

// current implements Assignment.Current.
func (w *worker) current(ctx context.Context, next [event.NumStreams]int64) error {
	if w.fenced.Load() {
		return fmt.Errorf("partition %d: %w", w.partition, ErrFenced)
	}
	offsets := make(map[string][]kafka.OffsetCommit)
	for i := range next {
		// What the last commit has published is never taken back.
		if at := max(next[i], w.published[i].Load()); next[i] >= 0 {
			offsets[w.options.Topics[i]] = []kafka.OffsetCommit{{Partition: int(w.partition), Offset: at, Metadata: w.metadata()}}
		}
	}
	if err := w.client.current(ctx, w.options.Group, *w.seat.Load(), offsets); err != nil {
		return fmt.Errorf("partition %d: %w", w.partition, err)
	}
	return nil
}

// unfinishedMetadata is written with the group offsets of a partition whose
// last commit left something to another one.
const unfinishedMetadata = "unfinished"

func (w *worker) metadata() string {
	if w.unfinished.Load() {
		return unfinishedMetadata
	}
	return ""
}
