package consumer

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// ErrStuck means that Handle or Commit of a Handler did not return. Heartbeats do not depend on
// handlers, so that the group would leave the partition with this member for good.
var ErrStuck = errors.New("handler does not return")

// watch is what a worker tells of the call that its Handler is in.
type watch struct {
	since  atomic.Int64 // when the call began, Unix ns; 0: in none
	stream atomic.Int32 // handed in, committing: during a commit
	offset atomic.Int64 // of the first record handed in
}

const committing = int32(event.NumStreams)

func (w *watch) enter(stream int32, offset int64) {
	w.stream.Store(stream)
	w.offset.Store(offset)
	w.since.Store(time.Now().UnixNano())
}

func (w *watch) leave() { w.since.Store(0) }

// alive starts the time of the call under way anew.
func (w *watch) alive() {
	if w.since.Load() != 0 {
		w.since.Store(time.Now().UnixNano())
	}
}

// stuck returns the error of a call that has lasted longer than limit.
func (w *worker) stuck(now time.Time, limit time.Duration) error {
	since := w.watch.since.Load()
	if since == 0 || now.Sub(time.Unix(0, since)) <= limit {
		return nil
	}
	place := fmt.Sprintf("partition %d: commit", w.partition)
	if s := w.watch.stream.Load(); s != committing {
		place = fmt.Sprintf("%s: offset %d", w.streams[s].source.place(), w.watch.offset.Load())
	}
	return fmt.Errorf("%s: no return for %s; this member leaves, so that another takes the partition: restart it: %w", place, limit, ErrStuck)
}

// anyStuck looks at all workers.
func (c *Consumer) anyStuck(now time.Time) error {
	for _, w := range c.live() {
		if err := w.stuck(now, c.options.StuckAfter); err != nil {
			return err
		}
	}
	return nil
}
