package watch

import (
	"cmp"
	"slices"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/alertlog"
)

// shown is what a state on the log says.
type shown struct {
	version alertlog.Version
	alerts  []alerts.Alert
}

// Alerts lists the alerts of all experiments there are, by experiment and key:
// of those owned here as they are, of others as their owners have published them.
func (r *Runner) Alerts() []alerts.Alert {
	var out []alerts.Alert
	owned := map[string]bool{}
	for _, u := range r.all() {
		owned[u.name] = true
		u.mu.Lock()
		out = append(out, u.engine.Alerts()...)
		u.mu.Unlock()
	}
	for _, name := range r.o.Experiments() {
		if !owned[name] {
			out = append(out, r.published(name)...)
		}
	}
	slices.SortStableFunc(out, func(a, b alerts.Alert) int {
		return cmp.Or(cmp.Compare(a.Experiment, b.Experiment), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// published is what the newest state on the log says of an experiment.
func (r *Runner) published(name string) []alerts.Alert {
	v, state, ok := r.o.Log.Get(name)
	if !ok {
		return nil
	}
	r.mu.Lock()
	known, ok := r.others[name]
	r.mu.Unlock()
	if ok && known.version == v {
		return known.alerts
	}
	known = shown{version: v}
	known.alerts, _ = alerts.AlertsOf(state) // what cannot be read its owner shows
	r.mu.Lock()
	r.others[name] = known
	r.mu.Unlock()
	return known.alerts
}

// Reconfigure gives the options of a new configuration to all engines.
func (r *Runner) Reconfigure() {
	for _, u := range r.all() {
		u.mu.Lock()
		u.engine.Reconfigure(r.o.Engine(u.name))
		u.mu.Unlock()
	}
}
