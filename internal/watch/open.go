package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// open makes units of experiments that are ours and have none. It reports
// whether none of them has to wait.
func (r *Runner) open(ctx context.Context, names []string) (done bool) {
	if len(names) == 0 {
		return true
	}
	now := r.o.Now()
	for _, name := range names {
		if _, known := r.since[name]; !known {
			r.since[name] = now
		}
	}
	// What the owner before has written has to be known, all of it.
	asking, cancel := context.WithTimeout(ctx, flushPatience)
	defer cancel()
	ok, err := r.o.Log.CaughtUp(asking)
	r.report("", "topic", err)
	if err != nil || !ok {
		return false
	}
	done = true
	for _, name := range names {
		u, err := r.load(ctx, name, now.Sub(r.since[name]) >= settling)
		if r.report(name, "state", err); u == nil || err != nil {
			done = done && err != nil
			continue
		}
		delete(r.since, name)
		r.mu.Lock()
		r.units[name] = u
		r.mu.Unlock()
	}
	return done
}

// load makes a unit from the newest state that is known, and claims it. It
// returns nil while another instance may still be writing that state.
func (r *Runner) load(ctx context.Context, name string, settled bool) (*unit, error) {
	v, state, stored, err := r.o.Store.Load(name)
	if errors.Is(err, ErrFormat) {
		return nil, err
	}
	read, published, _ := r.o.Log.Get(name)
	if err != nil {
		r.log.Error("alerts: the state stored here cannot be read; that of the topic is taken", "experiment", name, "version", read.String(), "error", err)
	}
	if v.Less(read) {
		if !settled {
			return nil, nil
		}
		v, state, stored = read, published, true
	}
	epoch, err := r.o.Claim(ctx, name, v.Epoch)
	if err != nil {
		return nil, fmt.Errorf("not claimed: %w", err)
	}
	u := &unit{name: name, epoch: epoch, version: v, engine: r.o.NewEngine(r.o.Engine(name))}
	if stored {
		if err := u.engine.Restore(state); err != nil {
			return nil, fmt.Errorf("state %s: %w", v, err)
		}
	}
	u.throughMs, u.owed, u.adopt = u.engine.ThroughMs(), u.engine.Undelivered(), true
	u.mu.Lock()
	defer u.mu.Unlock()
	// Stored and published at once, so that whoever had it before learns of us.
	if err := r.save(u); err != nil {
		return nil, err
	}
	return u, nil
}

// confirm asks, of units that may have been given to others while this process
// stood still, whether they are still ours, and drops those that are not. A
// unit whose epoch would be another one now is opened again instead.
func (r *Runner) confirm(ctx context.Context, units ...*unit) (all bool) {
	all = true
	for _, u := range units {
		asking, cancel := context.WithTimeout(ctx, flushPatience)
		epoch, err := r.o.Claim(asking, u.name, u.epoch)
		cancel()
		if err != nil || epoch != u.epoch || !r.o.Owned(u.name) {
			r.log.Warn("alerts: the process stood still, and its experiment may have another owner; its state is loaded again", "experiment", u.name, "error", err)
			r.drop(u)
			all = false
		}
	}
	return all
}

// isFenced reports whether a newer owner's state has been seen.
func (r *Runner) isFenced(u *unit) bool {
	v, _, ok := r.o.Log.Get(u.name)
	return ok && v.Epoch > u.epoch
}

// save stores and publishes a unit's state under the next version; u.mu is
// held. A newer owner's state makes it do nothing.
func (r *Runner) save(u *unit) error {
	if u.given = u.given || r.isFenced(u); u.given {
		return errGiven
	}
	state, err := u.engine.State()
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	u.version = alertlog.Version{Epoch: u.epoch, Sequence: u.version.Sequence + 1}
	u.savedAt = r.o.Now()
	err = r.o.Store.Save(u.name, u.version, state)
	// The topic has to know of what was delivered even if the disk is full.
	r.o.Log.Put(u.name, u.version, state)
	if err != nil {
		return fmt.Errorf("state is not stored, so that nobody is told: %w", err)
	}
	u.urgent = false
	return nil
}

// apart is how long it was between two readings of the clock: by the monotonic
// one or by the wall's, which runs on while a machine sleeps.
func apart(a, b time.Time) time.Duration { return max(b.Sub(a), b.Round(0).Sub(a.Round(0))) }
