package watch

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// turnWindows bounds what one experiment catches up with in a turn.
	turnWindows = 360
	// publishEvery is how old a stored state may be of which nobody has to be told.
	publishEvery = 10 * time.Second
	// lookback is how far back an experiment is judged that was never judged before.
	lookback = time.Hour
	// settling is how long an experiment that another instance has judged last has
	// to be ours before its state is taken: that instance may be writing it.
	settling = 2 * time.Second
	// stalled is how long a process may stand still until it asks whether what was
	// its own still is: well below the session after which the group goes on.
	stalled = 5 * time.Second
	// ackPatience is how long the outbox is held up until a delivery is on the topic.
	ackPatience = time.Second
	// flushPatience is how long a state given away is waited for to be written.
	flushPatience = 2 * time.Second
)

// Runner has one engine for each experiment that this instance owns. Run is
// called once; the other methods are safe for concurrent use.
type Runner struct {
	o   RunnerOptions
	log *slog.Logger

	mu     sync.Mutex
	units  map[string]*unit
	others map[string]shown // what the log's states say, by experiment
	ended  time.Time        // of the last turn
	opened chan struct{}    // closed once all that was ours at first has a unit

	// Of Run's goroutine.
	since    map[string]time.Time // when experiments became ours that have no unit yet
	problems map[problem]string   // what is logged and not over
}

// problem names what a problem is with.
type problem struct{ experiment, with string }

// NewRunner returns a Runner that does nothing until Run.
func NewRunner(o RunnerOptions) *Runner {
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Runner{
		o: o, log: o.Logger, units: map[string]*unit{}, others: map[string]shown{}, opened: make(chan struct{}),
		since: map[string]time.Time{}, problems: map[problem]string{},
	}
}

// Run judges what is owned here until ctx is done, then stores and publishes
// all states, and returns nil.
func (r *Runner) Run(ctx context.Context) error {
	tick := time.NewTicker(r.o.Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.turn(ctx)
		case <-ctx.Done():
			r.release(context.WithoutCancel(ctx), r.all())
			return nil
		}
	}
}

// turn does what is due of every experiment.
func (r *Runner) turn(ctx context.Context) {
	began := r.o.Now()
	if !r.ended.IsZero() && apart(r.ended, began) > stalled {
		r.confirm(ctx, r.all()...)
	}
	r.follow(ctx, r.o.Ready() && r.o.Log.Ready())
	due := r.all()
	for n := 0; len(due) > 0 && n < turnWindows && r.o.Now().Sub(began) < r.o.Interval; n++ {
		due = slices.DeleteFunc(due, func(u *unit) bool { return !r.step(u) })
	}
	for _, u := range r.all() {
		r.finish(ctx, u, began)
	}
	r.mu.Lock()
	r.ended = r.o.Now()
	r.mu.Unlock()
}

// follow gives up the experiments that are ours no longer and, if it is ready,
// takes up those that have become ours.
func (r *Runner) follow(ctx context.Context, ready bool) {
	owned := map[string]bool{}
	for _, name := range r.o.Experiments() {
		if r.o.Owned(name) {
			owned[name] = true
		}
	}
	var lost []*unit
	for _, u := range r.all() {
		if !owned[u.name] {
			lost = append(lost, u)
		}
	}
	r.release(ctx, lost)
	maps.DeleteFunc(r.since, func(name string, _ time.Time) bool { return !owned[name] })
	if !ready {
		return
	}
	var opening []string
	for name := range owned {
		if r.unit(name) == nil {
			opening = append(opening, name)
		}
	}
	slices.Sort(opening)
	if r.open(ctx, opening) && r.isOpening() {
		close(r.opened)
	}
}

func (r *Runner) isOpening() bool {
	select {
	case <-r.opened:
		return false
	default:
		return true
	}
}

// Opened is closed once the states of all experiments that were given to this
// instance at first are loaded, or cannot be: from then on Owns tells what an
// outbox may send, and what it may drop.
func (r *Runner) Opened() <-chan struct{} { return r.opened }

// Owns reports whether an experiment's alerts are this instance's to tell: its
// state is loaded and claimed, and the process has not stood still since it was
// last known to be.
func (r *Runner) Owns(experiment string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.units[experiment]
	if u == nil {
		return false
	}
	if apart(r.ended, r.o.Now()) <= stalled {
		return true
	}
	// Should it be ours after all, what was dropped for this answer is handed over again.
	u.denied.Store(true)
	return false
}

func (r *Runner) unit(name string) *unit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.units[name]
}

// all lists the units, by name.
func (r *Runner) all() []*unit {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*unit, 0, len(r.units))
	for _, u := range r.units {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b *unit) int { return strings.Compare(a.name, b.name) })
	return out
}

// drop forgets units as they are. What they had not stored is judged again by
// whoever has the experiment.
func (r *Runner) drop(units ...*unit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range units {
		if r.units[u.name] == u {
			delete(r.units, u.name)
		}
	}
}

// report logs a problem with something of an experiment, once until it is over
// or another one.
func (r *Runner) report(experiment, with string, err error) {
	p := problem{experiment, with}
	if err == nil {
		delete(r.problems, p)
		return
	}
	if text := err.Error(); r.problems[p] != text {
		r.problems[p] = text
		r.log.Error("alerts: a problem", "with", with, "experiment", experiment, "error", err)
	}
}
