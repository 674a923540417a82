package deliver

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// Adopt takes over alerts that are firing already, by their triggers, when this
// instance becomes the owner of their experiment: from now on their receivers
// are told of them again, if these are of a kind that forgets. Nobody is paged
// by it. What is known to be firing here is left as it is.
func (o *Outbox) Adopt(triggers ...alerts.Notification) error {
	o.mu.Lock()
	var records []record
	for _, n := range triggers {
		for _, s := range o.senders {
			_, forgets := s.receiver.(Refresher)
			_, fires := o.state.firing[s.name][n.Key]
			if forgets && !fires && n.Action == alerts.Trigger && slices.Contains(o.o.Routes.Match(n), s.name) {
				records = append(records, record{Fire: &firing{s.name, n}})
			}
		}
	}
	err := o.write(true, records...)
	o.mu.Unlock()
	return err
}

// refresh tells the receiver of all that fires.
func (s *sender) refresh(ctx context.Context, r Refresher) {
	now := s.box.o.Now()
	firing := s.firingNow()
	if len(firing) == 0 {
		s.nextRefresh = now.Add(r.RefreshEvery())
		return
	}
	err := r.Refresh(ctx, firing)
	switch f := (*receiver.Error)(nil); {
	case err == nil:
		s.counters.refreshed.Add(uint64(len(firing)))
		s.succeeded()
	case ctx.Err() != nil:
		return
	case errors.As(err, &f) && f.Kind == receiver.Refused:
		s.logger.Error("the receiver refuses to be reminded of alerts that are firing", "alerts", len(firing), "err", err)
	default:
		s.counters.failed.Add(1)
		kind := receiver.Unavailable
		if f != nil {
			kind = f.Kind
		}
		s.streak++ // it is about no key, so that another must not be waited for
		s.failed("", kind, 0)
		s.logger.Warn("the receiver could not be reminded of alerts that are firing", "alerts", len(firing), "pause", s.pausedFor, "err", err)
		return // and is tried again after the pause
	}
	s.nextRefresh = now.Add(r.RefreshEvery())
}

// firingNow returns what is to be told again: not what waits to be resolved, or
// it would fire anew, and not what is left to a new owner.
func (s *sender) firingNow() []alerts.Notification {
	s.box.mu.Lock()
	all := maps.Clone(s.box.state.firing[s.name])
	for _, e := range s.box.state.entries {
		if e.n.Action == alerts.Resolve && slices.Contains(e.waiting, s.name) {
			delete(all, e.n.Key)
		}
	}
	s.box.mu.Unlock()
	var out []alerts.Notification
	var gone []record
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if s.box.o.Owned(all[key].Experiment) {
			out = append(out, all[key])
		} else {
			gone = append(gone, record{Quiet: &quietened{s.name, key}})
		}
	}
	if len(gone) > 0 {
		s.box.record(true, gone...)
	}
	return out
}
