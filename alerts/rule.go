package alerts

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Against is what a rule compares an arm with.
type Against string

// What an arm can be compared with.
const (
	Control  Against = "control"  // the control arm in the same window
	Past     Against = "past"     // the arm itself, before
	Baseline Against = "baseline" // the offline profile of the experiment
	Level    Against = "level"    // a number that it ought to have
	Limit    Against = "limit"    // a number that it must not exceed, for the service's own health
)

// Direction is which way a metric has to move for a rule.
type Direction string

// Directions.
const (
	Up     Direction = "up"
	Down   Direction = "down"
	Either Direction = "either"
)

// Severity is how urgent an alert is.
type Severity string

// Severities, the most urgent first.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Rule says when somebody has to be told of one metric.
type Rule struct {
	Name    string
	Metric  Metric
	Against Against // empty: the metric's default
	// Level is what the metric ought to be; of calibrations 1 where it is 0.
	Level float64
	// Effect is the least size of what is to be told: relative, or a difference of
	// shares, as the metric says; of a Limit the limit.
	Effect float64
	// Tolerance is what is put up with, below Effect and in its units: the null of
	// the test, and where an alert can end. 0: half of Effect.
	Tolerance float64
	Direction Direction // empty: the one that does harm
	// For is how long both must have held until the alert fires.
	For time.Duration
	// KeepFiring is how long the effect must have been gone until it is resolved.
	KeepFiring time.Duration
	// Window is the event time that one step of the test takes in: a multiple of
	// the smallest pane; 0: one pane.
	Window time.Duration
	// MinEvents is how many clusters (auctions, calls, conversions) each arm needs
	// before the rule says anything.
	MinEvents float64
	Keys      []string // families, towers, stages, topics; empty: all
	// Slices are the breakdowns that are tested beneath the total and named with
	// it, as [surface] or [surface, country].
	Slices   [][]string
	Severity Severity
	Summary  string // what is wrong, in a few words
	Runbook  string // address of what to do
	Disabled bool
}

// Budget is how many false alarms an experiment may have.
type Budget struct {
	// PerMonth is the expected number of false alarms that an experiment has in 30
	// days, over all its arms, slices and metrics together. Above 0, below 1.
	PerMonth float64
}

// DefaultBudget is one false alarm in ten months of an experiment.
func DefaultBudget() Budget { return Budget{PerMonth: 0.1} }

// withDefaults fills what a rule leaves to its metric.
func (r Rule) withDefaults() Rule {
	i, ok := r.Metric.info()
	if !ok {
		return r
	}
	if r.Against == "" {
		r.Against = i.against[0]
	}
	if r.Direction == "" {
		r.Direction = i.harm
	}
	if r.Severity == "" {
		r.Severity = Warning
	}
	if r.Level == 0 && (r.Metric == MetricCalibration || r.Metric == MetricCandidateCalibration) {
		r.Level = 1
	}
	if r.KeepFiring == 0 {
		r.KeepFiring = 2 * time.Minute
	}
	if r.MinEvents == 0 {
		r.MinEvents = 100
	}
	return r
}

// tolerated is what the rule puts up with.
func (r *Rule) tolerated() float64 {
	if r.Tolerance > 0 {
		return r.Tolerance
	}
	return r.Effect / 2
}

// Problem is what is wrong with a field of a rule, under the name that the
// configuration gives it.
type Problem struct {
	Field string
	Text  string
}

// String is the field and what is wrong with it.
func (p Problem) String() string { return p.Field + ": " + p.Text }

// Check reports everything that is wrong with a rule.
func (r Rule) Check() []Problem {
	var out []Problem
	require := func(ok bool, field, format string, args ...any) {
		if !ok {
			out = append(out, Problem{field, fmt.Sprintf(format, args...)})
		}
	}
	require(r.Name != "", "name", "must not be empty")
	require(!strings.ContainsAny(r.Name, " \t\n/\""), "name", "%q has a blank, quote or slash; want a name such as coverage-drop", r.Name)
	i, known := r.Metric.info()
	if !known {
		names := make([]string, len(metrics))
		for k, m := range metrics {
			names[k] = string(m.metric)
		}
		require(false, "metric", "%q is no metric; want one of %s", r.Metric, strings.Join(names, ", "))
		return out
	}
	r = r.withDefaults()
	require(slices.Contains(i.against, r.Against), "against", "%q cannot be used with %s; want one of %s", r.Against, r.Metric, joined(i.against))
	require(r.Effect > 0 || i.kind == kindUnits, "effect", "%g is out of range; want more than 0", r.Effect)
	if i.kind == kindShare || r.Metric == MetricUnmatched {
		require(r.Effect <= 1, "effect", "%g is out of range; want a share, at most 1", r.Effect)
	}
	require(r.Tolerance >= 0 && (r.Tolerance == 0 || r.Tolerance < r.Effect), "tolerance", "%g is out of range; want 0 for half of effect, or less than effect", r.Tolerance)
	require(slices.Contains([]Direction{Up, Down, Either}, r.Direction), "direction", "%q is no direction; want one of up, down, either", r.Direction)
	require(slices.Contains([]Severity{Critical, Warning, Info}, r.Severity), "severity", "%q is no severity; want one of critical, warning, info", r.Severity)
	require(r.For >= 0, "for", "%s is negative", r.For)
	require(r.KeepFiring >= 0, "keep_firing_for", "%s is negative", r.KeepFiring)
	require(r.Window >= 0, "window", "%s is negative", r.Window)
	require(r.MinEvents >= 0, "min_events", "%g is negative", r.MinEvents)
	require(len(r.Keys) == 0 || i.keyed != "", "keys", "%s has no keys", r.Metric)
	require(len(r.Slices) == 0 || i.kind != kindThreshold && i.kind != kindUnits, "slices", "%s has no slices", r.Metric)
	for _, s := range r.Slices {
		require(len(s) > 0, "slices", "an empty list names no dimension")
	}
	return out
}

func joined[T ~string](list []T) string {
	s := make([]string, len(list))
	for i, v := range list {
		s[i] = string(v)
	}
	return strings.Join(s, ", ")
}
