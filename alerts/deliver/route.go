package deliver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/alerts"
)

// Routes say who is told of what. The first route of List that matches decides,
// and with Continue the next one that matches too; Default gets what matches
// none.
type Routes struct {
	List    []Route
	Default []string
}

// Route matches notifications by all of its fields that are not empty.
type Route struct {
	Experiment string // a glob: * stands for any text, ? for one character
	Owner      string // the experiment's owner, exactly
	// Severities are those of alerts. A change has none, so that a route with
	// severities matches no change.
	Severities []alerts.Severity
	Rule       string // a glob
	Changes    Changes
	Receivers  []string
	// Continue looks at the routes behind this one as well.
	Continue bool
}

// Changes is whether a route is for steps of the ramp.
type Changes string

// Whether a route is for steps of the ramp.
const (
	AlertsAndChanges Changes = ""
	OnlyChanges      Changes = "yes"
	OnlyAlerts       Changes = "no"
)

// Match returns the names of the receivers of n, each once, in the order of the
// routes.
func (r Routes) Match(n alerts.Notification) []string {
	var names []string
	matched := false
	for _, route := range r.List {
		if !route.matches(n) {
			continue
		}
		matched = true
		names = append(names, route.Receivers...)
		if !route.Continue {
			break
		}
	}
	if !matched {
		names = append(names, r.Default...)
	}
	var once []string
	for _, name := range names {
		if !slices.Contains(once, name) {
			once = append(once, name)
		}
	}
	return once
}

func (r Route) matches(n alerts.Notification) bool {
	change := n.Action == alerts.Change
	return (r.Changes == AlertsAndChanges || change == (r.Changes == OnlyChanges)) &&
		(r.Experiment == "" || glob(r.Experiment, n.Experiment)) &&
		(r.Owner == "" || r.Owner == n.Owner) &&
		(r.Rule == "" || glob(r.Rule, n.Rule)) &&
		(len(r.Severities) == 0 || !change && slices.Contains(r.Severities, n.Severity))
}

// Check reports everything that is wrong with the routes, given the names of the
// receivers there are.
func (r Routes) Check(known map[string]bool) error {
	var errs []error
	names := func(place string, list []string) {
		for _, name := range list {
			if !known[name] {
				errs = append(errs, fmt.Errorf("%s: there is no receiver %q; want one of %s", place, name, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
			}
		}
	}
	for i, route := range r.List {
		place := fmt.Sprintf("routes[%d]", i)
		if len(route.Receivers) == 0 {
			errs = append(errs, fmt.Errorf("%s: receivers: must not be empty", place))
		}
		names(place+".receivers", route.Receivers)
		if !slices.Contains([]Changes{AlertsAndChanges, OnlyChanges, OnlyAlerts}, route.Changes) {
			errs = append(errs, fmt.Errorf("%s.changes: %q is unknown; want yes, no or nothing", place, route.Changes))
		}
		if route.Changes == OnlyChanges && len(route.Severities) > 0 {
			errs = append(errs, fmt.Errorf("%s.severities: changes have none, so that nothing can match", place))
		}
		for _, s := range route.Severities {
			if s != alerts.Critical && s != alerts.Warning && s != alerts.Info {
				errs = append(errs, fmt.Errorf("%s.severities: %q is no severity; want critical, warning or info", place, s))
			}
		}
	}
	names("default", r.Default)
	return errors.Join(errs...)
}

// glob matches text with a pattern in which * stands for any text and ? for one
// character. It goes back to the last star only, so it takes no more than the
// product of the lengths.
func glob(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	i, k, star, mark := 0, 0, -1, 0
	for k < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, k
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[k]):
			i++
			k++
		case star >= 0:
			mark++
			i, k = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
