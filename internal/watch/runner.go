package watch

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// Engine is what judges one experiment: an alerts.Engine.
type Engine interface {
	Reconfigure(o alerts.Options)
	State() ([]byte, error)
	Restore(state []byte) error
	Step(w *alerts.Window, now time.Time) []alerts.Notification
	Tick(now time.Time, h alerts.Health) []alerts.Notification
	Undelivered() []alerts.Notification
	Delivered(sequence uint64)
	Alerts() []alerts.Alert
	ThroughMs() int64
}

// Windows has what the engines judge.
type Windows interface {
	// Complete returns the first window that begins at or after throughMs, event
	// time [fromMs, toMs), of 0 the first that there is; ok says whether it is there
	// and complete.
	Complete(experiment string, throughMs int64) (fromMs, toMs int64, ok bool)
	// Window is what a stretch of event time has added.
	Window(experiment string, fromMs, toMs int64) (*alerts.Window, error)
}

// Log carries states between instances: an alertlog.Log.
type Log interface {
	Ready() bool
	CaughtUp(ctx context.Context) (bool, error)
	Get(experiment string) (alertlog.Version, []byte, bool)
	Put(experiment string, v alertlog.Version, state []byte)
	Flush(ctx context.Context) error
}

// Store keeps states on this machine.
type Store interface {
	// Load returns the state that was saved last; ok is false where none was.
	Load(experiment string) (v alertlog.Version, state []byte, ok bool, err error)
	// Save replaces it; once it has returned, a crash does not lose it.
	Save(experiment string, v alertlog.Version, state []byte) error
}

// Outbox delivers notifications. It takes those that it has or had already
// without sending them again.
type Outbox interface {
	Add(n ...alerts.Notification) error
}

// RunnerOptions configures a Runner. All functions and interfaces are required.
type RunnerOptions struct {
	// Experiments lists all experiments that there are numbers of.
	Experiments func() []string
	// Owned reports whether the group has given an experiment to this instance.
	Owned func(experiment string) bool
	// Claim asks the group whether an experiment is ours still, and returns the
	// epoch of this ownership: higher than those of all owners before, and at
	// least seen, the newest one known.
	Claim func(ctx context.Context, experiment string, seen uint64) (epoch uint64, err error)
	// Ready reports whether the numbers are those of all that was there at the start.
	Ready     func() bool
	Engine    func(experiment string) alerts.Options
	NewEngine func(alerts.Options) Engine
	Windows   Windows
	Health    func(experiment string) alerts.Health
	Log       Log
	Store     Store
	Outbox    Outbox

	Interval time.Duration    // between turns; 0: 1 s
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: slog.Default
}

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
		o: o, log: o.Logger, units: map[string]*unit{}, others: map[string]shown{},
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
	if r.o.Ready() && r.o.Log.Ready() {
		r.follow(ctx)
	}
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

// follow takes up the experiments that have become ours, and gives up those
// that are no longer.
func (r *Runner) follow(ctx context.Context) {
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
	var opening []string
	for name := range owned {
		if r.unit(name) == nil {
			opening = append(opening, name)
		}
	}
	slices.Sort(opening)
	r.open(ctx, opening)
}

// Owns reports whether an experiment's alerts are this instance's to tell: its
// state is loaded and claimed, and the process has not stood still since it was
// last known to be.
func (r *Runner) Owns(experiment string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.units[experiment] != nil && apart(r.ended, r.o.Now()) <= stalled
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
