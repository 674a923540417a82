package watch

import (
	"context"
	"log/slog"
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
	Open() []alerts.Notification
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

// Outbox delivers notifications of experiments that Owns tells it are owned
// here, and drops those of others. It is not to run before Opened says so.
type Outbox interface {
	// Add takes notifications; those that it has or had already are not sent again.
	Add(n ...alerts.Notification) error
	// Adopt has it remind receivers that forget of alerts that are firing.
	Adopt(triggers ...alerts.Notification) error
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
	// Ready reports whether the numbers are those of all that was there at the
	// start, and the group has given what it gives to this instance.
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
