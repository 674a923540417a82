package deliver

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// sender makes the calls to one receiver, one at a time, in a goroutine of Run.
type sender struct {
	box      *Outbox
	receiver Receiver
	name     string
	logger   *slog.Logger
	wake     chan struct{}
	counters counters

	// Of the goroutine alone.
	retries     map[string]retry // by alert key, of those whose last call failed
	streak      int              // failures without success between, of one key after another
	lastFailed  string           // the key of the last failure
	paused      time.Time        // until when nothing is sent
	pausedFor   time.Duration
	nextRefresh time.Time
}

// retry is what a key waits for.
type retry struct {
	attempts int
	failures int // attempts that may have failed because of the key
	at       time.Time
}

type counters struct {
	sent, failed, retried, refused, disowned, refreshed atomic.Uint64
}

func newSender(o *Outbox, r Receiver) *sender {
	return &sender{
		box: o, receiver: r, name: r.Name(), logger: o.o.Logger.With("receiver", r.Name()),
		wake: make(chan struct{}, 1), retries: map[string]retry{},
	}
}

// idle is how long to wait if only a new notification can bring work.
const idle = time.Hour

func (s *sender) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(s.step(ctx))
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// step makes at most one call, and returns how long there is nothing to do.
func (s *sender) step(ctx context.Context) time.Duration {
	now := s.box.o.Now()
	if d := s.paused.Sub(now); d > 0 {
		return d
	}
	wait := idle
	if r, ok := s.receiver.(Refresher); ok {
		if wait = s.nextRefresh.Sub(now); wait <= 0 {
			s.refresh(ctx, r)
			return 0
		}
	}
	e, retryIn := s.pick(now)
	if e == nil {
		return min(wait, retryIn)
	}
	if !s.box.o.Owned(e.n.Experiment) {
		s.logger.Info("a notification is left to the new owner of its experiment", "experiment", e.n.Experiment, "key", e.n.Key, "action", e.n.Action)
		s.counters.disowned.Add(1)
		s.settle(e, disowned, false)
		delete(s.retries, e.n.Key)
		return 0
	}
	limit := s.receiver.Limit()
	if full := s.box.windows.reserve(limit, now); full > 0 {
		return min(wait, full)
	}
	if limit.Calls > 0 {
		s.box.record(false, record{Call: &called{limit.Key, now.UnixMilli()}})
	}
	if s.retries[e.n.Key].attempts > 0 {
		s.counters.retried.Add(1)
	}
	calling, called := finishing(ctx)
	err := s.receiver.Send(calling, e.n)
	called()
	s.box.windows.end(limit, s.box.o.Now())
	s.heard(ctx, e, err)
	return 0
}

// grace is how long a call that is under way at the end may still take: what
// was heard and is broken off would be sent again.
const grace = 2 * time.Second

// finishing is a context that outlives ctx by grace.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	calling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return calling, func() { stop(); cancel() }
}

// pick returns what to send next: of each key the oldest, keys that have not
// failed before those that have, critical alerts before others and those before
// changes, and then the oldest. If there is nothing now, it says when there is.
func (s *sender) pick(now time.Time) (best *entry, wait time.Duration) {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	wait = idle
	seen := map[string]bool{}
	bestRank := 0
	for _, e := range s.box.state.entries {
		if !slices.Contains(e.waiting, s.name) || seen[e.n.Key] {
			continue
		}
		seen[e.n.Key] = true
		r := s.retries[e.n.Key]
		if d := r.at.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		rank := urgency(e.n)
		if r.failures > 0 {
			rank += 10
		}
		if best == nil || rank < bestRank {
			best, bestRank = e, rank
		}
	}
	return best, wait
}

func urgency(n alerts.Notification) int {
	switch {
	case n.Action == alerts.Change:
		return 2
	case n.Severity == alerts.Critical:
		return 0
	}
	return 1
}

// heard draws the conclusions of a call.
func (s *sender) heard(ctx context.Context, e *entry, err error) {
	if err != nil && ctx.Err() != nil {
		return // broken off by us
	}
	place := []any{"experiment", e.n.Experiment, "key", e.n.Key, "action", e.n.Action}
	if err == nil {
		_, keep := s.receiver.(Refresher)
		s.counters.sent.Add(1)
		s.settle(e, sent, keep)
		delete(s.retries, e.n.Key)
		s.succeeded()
		return
	}
	s.counters.failed.Add(1)
	kind, retryAfter := receiver.Unavailable, time.Duration(0)
	if f := (*receiver.Error)(nil); errors.As(err, &f) {
		kind, retryAfter = f.Kind, f.RetryAfter
	}
	if kind == receiver.Refused {
		s.counters.refused.Add(1)
		s.logger.Error("a notification was refused, and is not sent again", append(place, "summary", e.n.Summary, "err", err)...)
		s.settle(e, refused, false)
		delete(s.retries, e.n.Key)
		s.succeeded() // somebody answers
		return
	}
	r := s.retries[e.n.Key]
	r.attempts++
	if kind == receiver.Unavailable {
		r.failures++
		r.at = s.box.o.Now().Add(backoff(r.failures, time.Second, time.Minute))
	}
	s.retries[e.n.Key] = r
	s.failed(e.n.Key, kind, retryAfter)
	s.logger.Warn("a notification was not accepted, and is sent again", append(place, "attempt", r.attempts, "pause", s.pausedFor, "err", err)...)
}

func (s *sender) settle(e *entry, how outcome, keep bool) {
	s.box.record(true, record{Settle: &settled{identity: e.id, Receiver: s.name, Outcome: how, Keep: keep}})
}

// succeeded ends a pause. If the receiver was away as a whole, what failed
// meanwhile has not failed by itself.
func (s *sender) succeeded() {
	if s.streak > 1 {
		clear(s.retries)
	}
	s.streak, s.lastFailed, s.pausedFor = 0, "", 0
}

// failed says how long the receiver as a whole is left alone: not at all for the
// sake of one key, longer and longer if others fail as well.
func (s *sender) failed(key string, kind receiver.Kind, retryAfter time.Duration) {
	if key != s.lastFailed || kind != receiver.Unavailable {
		s.streak++
		s.lastFailed = key
	}
	s.pausedFor = 0
	switch {
	case kind == receiver.Limited:
		s.pausedFor = retryAfter
		if retryAfter == 0 {
			s.pausedFor = limitedPause
		}
	case kind == receiver.Unauthorized:
		s.pausedFor = backoff(s.streak, time.Minute, 5*time.Minute)
	case retryAfter > 0:
		s.pausedFor = retryAfter
	case s.streak > 1:
		s.pausedFor = backoff(s.streak-1, time.Second, 30*time.Second)
	}
	s.paused = s.box.o.Now().Add(s.pausedFor)
}
