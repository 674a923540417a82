package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// Receiver is a place that notifications are sent to.
type Receiver interface {
	// Name is unique among the receivers.
	Name() string
	// Accepts says whether such notifications are sent there at all.
	Accepts(alerts.Action) bool
	// Limit is how often Send may be called.
	Limit() receiver.Limit
	// Send returns nil once n was accepted. An error that is no *receiver.Error is
	// taken for one of kind receiver.Unavailable.
	Send(ctx context.Context, n alerts.Notification) error
	// Preview returns the calls that Send would make, secrets masked.
	Preview(n alerts.Notification) ([]receiver.Request, error)
}

// Refresher is a Receiver that forgets the alerts that it is not told of again.
type Refresher interface {
	Receiver
	// RefreshEvery is how often Refresh is to be called while alerts are firing.
	RefreshEvery() time.Duration
	// Refresh tells of all alerts that are firing, by their triggers.
	Refresh(ctx context.Context, firing []alerts.Notification) error
}

// Options are what an Outbox needs.
type Options struct {
	// Dir holds the queue. No other outbox may use it at the same time.
	Dir       string
	Receivers []Receiver
	Routes    Routes
	// Owned says whether this instance speaks for an experiment. It is asked
	// directly before each call; what is not owned any more is left to the new
	// owner. nil: all are owned.
	Owned func(experiment string) bool
	// Delivered is called when all receivers of a notification have accepted it or
	// refused it for good: from one goroutine of Run, and again for one that is
	// added again. May be nil.
	Delivered func(alerts.Notification)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger is told of what fails; nil: nobody is.
	Logger *slog.Logger
}

// Check reports everything that is wrong with the options.
func (o Options) Check() error {
	var errs []error
	if o.Dir == "" {
		errs = append(errs, errors.New("outbox: dir: must not be empty"))
	}
	names := map[string]bool{}
	for _, r := range o.Receivers {
		if names[r.Name()] {
			errs = append(errs, fmt.Errorf("receivers: name %q is used twice", r.Name()))
		}
		names[r.Name()] = true
	}
	return errors.Join(append(errs, o.Routes.Check(names))...)
}

func (o Options) withDefaults() Options {
	if o.Owned == nil {
		o.Owned = func(string) bool { return true }
	}
	if o.Delivered == nil {
		o.Delivered = func(alerts.Notification) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
