package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// errGiven means that an experiment has been given away, or taken.
var errGiven = errors.New("another instance has it now")

// unit is one experiment that is owned here.
type unit struct {
	name  string
	epoch uint64 // of the ownership

	mu      sync.Mutex
	engine  Engine
	version alertlog.Version // of the last state that is stored
	savedAt time.Time
	urgent  bool // somebody is to be told, or has been, and that is not stored
	given   bool // nothing is stored any more

	denied atomic.Bool // the outbox may have dropped what it had

	// Of the Runner's goroutine.
	adopt     bool                  // receivers may not be reminded of what is firing
	throughMs int64                 // event time up to which windows were taken
	owed      []alerts.Notification // not handed to the outbox yet
}

// step takes the next window of an experiment; false when there is none.
func (r *Runner) step(u *unit) bool {
	from, to, ok := r.o.Windows.Complete(u.name, u.throughMs)
	if u.throughMs == 0 && from > 0 { // not more than a little of what was before us
		u.throughMs = max(from, r.o.Health(u.name).NewestMs-lookback.Milliseconds())
		from, to, ok = r.o.Windows.Complete(u.name, u.throughMs)
	}
	if !ok || to <= u.throughMs {
		return false
	}
	w, err := r.o.Windows.Window(u.name, from, to)
	if err != nil {
		err = fmt.Errorf("window %d to %d ms: %w", from, to, err)
	}
	if r.report(u.name, "window", err); err != nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.take(u.engine.Step(w, r.o.Now()))
	u.throughMs = to
	return true
}

// take notes what is to be told; mu is held.
func (u *unit) take(told []alerts.Notification) {
	if len(told) > 0 {
		u.owed = append(u.owed, told...)
		u.urgent = true
	}
}

// finish ends a unit's turn: what the clock alone tells, the state, and then
// the notifications, which are stored by then.
func (r *Runner) finish(ctx context.Context, u *unit, began time.Time) {
	now, health := r.o.Now(), r.o.Health(u.name)
	u.mu.Lock()
	u.take(u.engine.Tick(now, health))
	if u.denied.Swap(false) {
		u.owed, u.adopt = u.engine.Undelivered(), true
	}
	var err error
	due := u.urgent || now.Sub(u.savedAt) >= publishEvery
	if due {
		err = r.save(u)
	} else if r.isFenced(u) {
		err = errGiven
	}
	u.mu.Unlock()
	if errors.Is(err, errGiven) {
		r.log.Warn("alerts: what is not stored of the experiment is left to its new owner", "experiment", u.name, "epoch", u.epoch, "error", err)
		r.drop(u)
		return
	}
	if due {
		r.report(u.name, "state", err)
	}
	if err != nil || len(u.owed) == 0 && !u.adopt {
		return
	}
	// Since the turn began the process may have stood still.
	if apart(began, r.o.Now()) > stalled && !r.confirm(ctx, u) {
		return
	}
	r.report(u.name, "outbox", r.handOver(u))
}

// handOver gives the outbox what it has to know.
func (r *Runner) handOver(u *unit) error {
	if u.adopt {
		u.mu.Lock()
		open := u.engine.Open()
		u.mu.Unlock()
		if err := r.o.Outbox.Adopt(open...); err != nil {
			return fmt.Errorf("%d alerts that are firing may be forgotten: outbox: %w", len(open), err)
		}
		u.adopt = false
	}
	if len(u.owed) > 0 {
		if err := r.o.Outbox.Add(u.owed...); err != nil {
			return fmt.Errorf("%d notifications wait: outbox: %w", len(u.owed), err)
		}
		u.owed = nil
	}
	return nil
}

// Delivered marks a notification as delivered for good, stores that and
// publishes it. It returns once the topic has it, so that a next owner does not
// repeat more than one delivery, but does not wait long for a topic that is
// away. One of an experiment that has no engine here is ignored: whoever loads
// its state hands it to an outbox again, which knows it or delivers it under the
// same key.
func (r *Runner) Delivered(n alerts.Notification) error {
	u := r.unit(n.Experiment)
	if u == nil {
		return nil
	}
	u.mu.Lock()
	u.engine.Delivered(n.Sequence)
	u.urgent = true
	err := r.save(u)
	u.mu.Unlock()
	if errors.Is(err, errGiven) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("alerts: experiment %q: notification %d is delivered: %w", n.Experiment, n.Sequence, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), ackPatience)
	defer cancel()
	_ = r.o.Log.Flush(ctx) // the topic says by itself what it is missing
	return nil
}

// release stores and publishes the states of units that are given away, and
// waits a little for them to be on the log.
func (r *Runner) release(ctx context.Context, units []*unit) {
	if len(units) == 0 {
		return
	}
	for _, u := range units {
		u.mu.Lock()
		if err := r.save(u); err != nil && !errors.Is(err, errGiven) {
			r.report(u.name, "state", err)
		}
		u.given = true // a delivery that is noted from now on is not
		u.mu.Unlock()
	}
	r.drop(units...)
	ctx, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	if err := r.o.Log.Flush(ctx); err != nil {
		r.log.Warn("alerts: states given away are not on the topic yet; their next owner may judge some windows again", "error", err)
	}
}
