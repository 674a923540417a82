package deliver

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// Preview is a call that would be made.
type Preview struct {
	Receiver string
	receiver.Request
}

// DryRun returns the calls that would be made for n, secrets masked, without
// making them and without a queue: Dir may be empty. A receiver that cannot
// write its message is an error, beside the previews of the others.
func DryRun(options Options, n alerts.Notification) ([]Preview, error) {
	var out []Preview
	var errs []error
	names := options.Routes.Match(n)
	for _, r := range options.Receivers {
		if !slices.Contains(names, r.Name()) || !r.Accepts(n.Action) {
			continue
		}
		requests, err := r.Preview(n)
		if err != nil {
			errs = append(errs, fmt.Errorf("receiver %s: %w", r.Name(), err))
		}
		for _, q := range requests {
			out = append(out, Preview{r.Name(), q})
		}
	}
	return out, errors.Join(errs...)
}

// DryRun is the function of the same name with the outbox's own options.
func (o *Outbox) DryRun(n alerts.Notification) ([]Preview, error) { return DryRun(o.o, n) }
