package dashboards

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Options say what the rules have to know of a deployment.
type Options struct {
	// Rules are those that become alerts, already merged with the defaults.
	Rules []alerts.Rule
	// Control is the name of the control arm, the same in all experiments.
	Control string
	// Slices are all dimensions that aggregation.slices names. Rules are about
	// totals and select them by an empty matcher for each; a dimension that no
	// gauge has does no harm here.
	Slices []string
	// Windows are those of aggregation.windows, whole seconds.
	Windows []time.Duration
	// Job is the job that Prometheus scrapes rampgauge under.
	Job string
	// Server is where people find rampgauge's pages, without a slash at its end.
	Server string
	// For and KeepFiring replace those of every alert, for trials. 0: by the rules.
	For, KeepFiring time.Duration
}

// DefaultOptions are the default rules for the default configuration.
func DefaultOptions() Options {
	return Options{
		Rules:   alerts.Merge(nil),
		Control: "control",
		Slices:  []string{"log_source", "surface", "segment"},
		Windows: []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour},
		Job:     "rampgauge",
		Server:  "http://127.0.0.1:8080",
	}
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// Validate reports everything that no rules can be made of, under the names of
// the fields.
func (o Options) Validate() error {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for _, r := range o.Rules {
		for _, p := range r.Check() {
			require(false, "rule %s: %s", r.Name, p)
		}
	}
	require(o.Control != "", "control: must not be empty: want the name of the control arm")
	require(o.Job != "", "job: must not be empty: want the job name of the scrape configuration")
	for _, s := range o.Slices {
		require(labelName.MatchString(s), "slices: %q is no label name of Prometheus", s)
	}
	require(len(o.Windows) > 0, "windows: must not be empty: want those of aggregation.windows")
	for _, w := range o.Windows {
		require(w >= time.Second && w%time.Second == 0, "windows: %s: want whole seconds", w)
	}
	require(o.For%time.Second == 0 && o.For >= 0, "for: %s: want whole seconds", o.For)
	require(o.KeepFiring%time.Second == 0 && o.KeepFiring >= 0, "keep firing: %s: want whole seconds", o.KeepFiring)
	u, err := url.Parse(o.Server)
	require(err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"), "server: %q: want http://host:port or https://host:port", o.Server)
	return errors.Join(errs...)
}

// window is the exported window that stands in for that of a rule: the smallest
// that is as long, else the longest.
func (o Options) window(r alerts.Rule) time.Duration {
	ws := slices.Sorted(slices.Values(o.Windows))
	for _, w := range ws {
		if w >= r.Window {
			return w
		}
	}
	return ws[len(ws)-1]
}

// shortest is the window that shows soonest whether anything comes.
func (o Options) shortest() time.Duration { return slices.Min(o.Windows) }
