package dashboards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// firingGauge is 1 while a rule fires in rampgauge itself.
const firingGauge = "rampgauge_alert_firing"

// firing passes on what rampgauge has found, one alert a severity: a gauge has
// no severity, but each rule does. Rules about the service itself are left to
// service, which also works while rampgauge does not.
func firing(o Options) []rule {
	bySeverity := map[alerts.Severity][]string{}
	var limits []string
	for _, r := range o.Rules {
		switch {
		case r.Against == alerts.Limit:
			limits = append(limits, regexp.QuoteMeta(r.Name))
		case !r.Disabled:
			bySeverity[r.Severity] = append(bySeverity[r.Severity], regexp.QuoteMeta(r.Name))
		}
	}
	// What no list names is of a rule that is newer than this file.
	named := slices.Concat(limits, bySeverity[alerts.Critical], bySeverity[alerts.Info])
	var rules []rule
	for _, s := range []alerts.Severity{alerts.Critical, alerts.Warning, alerts.Info} {
		match := "=~\"" + strings.Join(bySeverity[s], "|")
		switch {
		case s == alerts.Warning:
			match = "!~\"" + strings.Join(named, "|")
		case len(bySeverity[s]) == 0:
			continue
		}
		rules = append(rules, rule{
			alert: "RampgaugeRuleFiring",
			expr:  fmt.Sprintf("max by (job, experiment, arm, rule) (%s{rule%s\"}) == 1", firingGauge, match),
			// A restart or a new owner of the experiment is no end of it.
			keep:   o.keep(5 * time.Minute),
			labels: []pair{{"severity", string(s)}},
			annotations: located([]pair{
				{"summary", "{{ $labels.experiment }}, arm {{ $labels.arm }}: {{ $labels.rule }}"},
				{"description", "rampgauge has evidence for it by its own tests. The families, towers or stages and the numbers are in /api/v1/alerts."},
			}, runbooks+"{{ $labels.rule }}", o.Server+"/experiments/{{ $labels.experiment }}"),
		})
	}
	return rules
}
