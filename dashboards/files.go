package dashboards

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// File is one generated file.
type File struct {
	Path    string // with slashes, below the directory that is written to
	Content []byte
}

// Files makes all files for o, in the order of their paths. The error names
// everything that is wrong with o.
func Files(o Options) ([]File, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("dashboards: %w", err)
	}
	o.Server = strings.TrimRight(o.Server, "/")
	comparisons, left := compared(o)
	recording := records(o, comparisons)
	own := slices.Clone(recording)
	for _, c := range comparisons {
		own = append(own, c.alert)
	}
	about := service(o)
	return []File{
		{"prometheus/firing.yml", []byte(writeGroups(firingHead, []group{
			{"rampgauge-firing", firing(o)}, {"rampgauge-service", about},
		}))},
		{"prometheus/firing_test.yml", []byte(writeTests("firing.yml", []string{"rampgauge-firing", "rampgauge-service"}, firingTests(o)))},
		{"prometheus/rules.yml", []byte(writeGroups(rulesHead+left, []group{
			{"rampgauge-experiments", own}, {"rampgauge-service", about},
		}))},
		{"prometheus/rules_test.yml", []byte(writeTests("rules.yml", []string{"rampgauge-experiments", "rampgauge-service"}, slices.Concat(comparisonTests(o, comparisons), serviceTests(o, about))))},
	}, nil
}

const firingHead = `Made by rampgauge dashboards from the definitions of its alerts. Do not edit.

For those who page from Prometheus: it passes on what rampgauge itself has found,
by tests that may be looked at for ever and within one budget of false alarms.
This is the file to choose. Load it or rules.yml, never both: each breach would
page twice. Set alerts.mode to off, so that rampgauge pages nobody itself.
`

const rulesHead = `Made by rampgauge dashboards from the definitions of its alerts. Do not edit.

For those who page from Prometheus and want PromQL alone to decide. Load it or
firing.yml, never both. firing.yml is the better one: here the intervals are 95 %
for one look at one number, and Prometheus looks at every evaluation. That an
alert needs the effect, limits that are apart by what the rule tolerates, mostly
half of it, and both for as long as a window lasts stands in for a test that may
be looked at for ever; no number of false alarms a month is promised. Budgets and
slices of rules are not here: alerts are about totals.

Series are told apart by job, experiment, arm and key. An arm or control with
several series, as while a window holds two steps of a ramp, is taken for the
envelope of them: it counts as different only where all of them are.

Rules that cannot be expressed over what /metrics has, and are in firing.yml:
`

// compared makes the alerts of all rules about experiments, and the list of
// those that cannot be made.
func compared(o Options) ([]comparison, string) {
	var made []comparison
	var left strings.Builder
	for _, r := range o.Rules {
		if r.Disabled || r.Against == alerts.Limit {
			continue
		}
		g, reason := gaugeOf(r)
		if reason != "" {
			fmt.Fprintf(&left, "- %s: %s.\n", r.Name, reason)
			continue
		}
		made = append(made, compare(o, r, g))
	}
	if left.Len() == 0 {
		left.WriteString("- none.\n")
	}
	return made, left.String()
}

// records makes the recording rules that comparisons need, each once.
func records(o Options, comparisons []comparison) []rule {
	var rules []rule
	for _, g := range gauges {
		var windows []time.Duration
		least := 0.0
		for _, c := range comparisons {
			if c.gauge.metric == g.metric {
				windows = append(windows, c.window)
				// One recorded series serves several rules: the strictest has its way.
				least = max(least, c.MinEvents)
			}
		}
		if len(windows) > 0 {
			slices.Sort(windows)
			rules = append(rules, g.record(o, slices.Compact(windows), least)...)
		}
	}
	return rules
}
