package dashboards

import (
	"fmt"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// runbooks is where the runbooks of alerts are that no default rule has.
const runbooks = "https://github.com/rampgauge/rampgauge/blob/main/docs/runbooks.md#"

// serviceRules are the rules about the service, by metric.
type serviceRules map[alerts.Metric]alerts.Rule

// service makes the alerts about rampgauge itself, which are the same whichever
// way is chosen for experiments. Four of them are default rules; each of those
// is left out where the rule is disabled.
func service(o Options) []rule {
	known := serviceRules{}
	for _, r := range o.Rules {
		if r.Against == alerts.Limit && !r.Disabled {
			known[r.Metric] = r
		}
	}
	var rules []rule
	if r, ok := known[alerts.MetricNoData]; ok {
		rules = append(rules, o.noData(r), o.experimentNoData(r))
	}
	if r, ok := known[alerts.MetricWatermark]; ok {
		rules = append(rules, o.watermarkStuck(r))
	}
	if r, ok := known[alerts.MetricLag]; ok {
		rules = append(rules, o.consumerLag(r))
	}
	if r, ok := known[alerts.MetricUnmatched]; ok {
		rules = append(rules, o.joinHealth(r))
	}
	return append(rules, o.deadLetters(), o.seriesDropped(), o.stateOverBudget(), o.checkpointsFailing(), o.targetDown(), o.targetMissing(), o.watchdog())
}

// coming says that records have been read in the last minutes.
const coming = `sum by (job) (rate(rampgauge_records_total{outcome="consumed"}[5m])) > 0`

func (o Options) noData(r alerts.Rule) rule {
	return o.ofRule(r, "RampgaugeNoData",
		fmt.Sprintf("time() - max by (job) (rampgauge_watermark_timestamp_seconds) > %s\nunless on (job)\n%s", number(r.Effect), coming),
		"rampgauge reads no records",
		"The newest event is "+asNumber+" s old, and no record of any stream has come for five minutes.", "/")
}

// experimentNoData finds experiments that were there and are no more: they have
// no series, and others of the same rampgauge go on.
func (o Options) experimentNoData(r alerts.Rule) rule {
	gone := time.Duration(r.Effect)*time.Second - o.shortest()
	gone = max(gone, time.Minute)
	series := func(d time.Duration) string {
		return fmt.Sprintf(`max by (job, experiment) (max_over_time(rampgauge_window_candidates{window="%s"%s}[%s]))`, duration(o.shortest()), o.totals(), duration(d))
	}
	return o.ofRule(r, "RampgaugeExperimentNoData",
		series(gone+time.Hour)+"\nunless on (job, experiment)\n"+series(gone)+"\nand on (job)\n"+coming,
		"{{ $labels.experiment }}: no auction of the experiment has come",
		"For "+duration(gone+o.shortest())+" there has been no candidate of the experiment, while records of others come. It ends by itself after an hour, so that an experiment that is over stays quiet.",
		"/experiments/{{ $labels.experiment }}")
}

func (o Options) watermarkStuck(r alerts.Rule) rule {
	const newest = "max by (job) (rampgauge_watermark_timestamp_seconds)"
	// Whoever reads old topics is behind as well, but gains on the clock.
	return o.ofRule(r, "RampgaugeWatermarkStuck",
		fmt.Sprintf("time() - %s > %s\nand\n%s - max by (job) (rampgauge_watermark_timestamp_seconds offset 5m) < 150\nand on (job)\n%s", newest, number(r.Effect), newest, coming),
		"event time stands still while records come",
		"The newest event is "+asNumber+" s old and event time goes by at less than half the pace of the clock, though records are read.", "/")
}

func (o Options) consumerLag(r alerts.Rule) rule {
	return o.ofRule(r, "RampgaugeConsumerLag",
		"sum by (job) (rampgauge_consumer_lag_records) > "+number(r.Effect),
		"records come faster than they are read",
		asNumber+" records on the topics are not in the numbers yet.", "/")
}

func (o Options) joinHealth(r alerts.Rule) rule {
	count := func(outcome string) string {
		return `sum by (job, topic) (increase(rampgauge_records_total{outcome="` + outcome + `"}[30m]))`
	}
	return o.ofRule(r, "RampgaugeJoinHealth",
		fmt.Sprintf("%s / %s > %s\nand\n%s >= %s", count("unmatched"), count("consumed"), number(r.Effect), count("consumed"), number(max(r.MinEvents, 1))),
		"{{ $labels.topic }} find no partner",
		"In the last 30 minutes "+asShare+" as many {{ $labels.topic }} as came were given up: their horizon passed without the record that they belong to.", "/")
}

func (o Options) deadLetters() rule {
	const refused, all = "sum by (job, topic) (increase(rampgauge_dead_letters_total[10m]))", `sum by (job, topic) (increase(rampgauge_records_total{outcome="consumed"}[10m]))`
	return o.own("RampgaugeDeadLetters", "dead-letters", alerts.Warning, refused+" / "+all+" > 0.001", 5*time.Minute, 10*time.Minute,
		"{{ $labels.topic }} are refused",
		"In the last 10 minutes "+asShare+" of {{ $labels.topic }} could not be decoded or broke the contract, and are in no number.")
}

func (o Options) seriesDropped() rule {
	return o.own("RampgaugeSeriesDropped", "series-dropped", alerts.Warning, "sum by (job) (increase(rampgauge_series_dropped_total[15m])) > 0", 0, 15*time.Minute,
		"the series budget cuts series",
		"In the last 15 minutes about "+asNumber+" series were cut, and what is about them cannot alert.")
}

func (o Options) stateOverBudget() rule {
	return o.own("RampgaugeStateOverBudget", "state-over-budget", alerts.Critical, "max by (job, instance) (rampgauge_state_over_budget) == 1", 5*time.Minute, 5*time.Minute,
		"{{ $labels.instance }} reads no records: its states are over state.max_disk",
		"State takes more disk than state.max_disk allows, so nothing is read until there is room.")
}

func (o Options) checkpointsFailing() rule {
	return o.own("RampgaugeCheckpointsFailing", "checkpoints-failing", alerts.Warning,
		"sum by (job, instance) (increase(rampgauge_checkpoints_total{outcome=\"failed\"}[15m])) > 0\nunless on (job, instance)\nsum by (job, instance) (increase(rampgauge_checkpoints_total{outcome=\"made\"}[15m])) > 0",
		5*time.Minute, 15*time.Minute,
		"{{ $labels.instance }} makes no checkpoints",
		"In the last 15 minutes every checkpoint failed: if the disk is lost, everything since the last one is read again.")
}

func (o Options) targetDown() rule {
	return o.own("RampgaugeTargetDown", "target-down", alerts.Critical, fmt.Sprintf(`up{job="%s"} == 0`, o.Job), 3*time.Minute, 0,
		"{{ $labels.instance }} does not answer the scrape",
		"Prometheus has not been able to read /metrics of the instance for three minutes. Its partitions move to others, if there are any.")
}

func (o Options) targetMissing() rule {
	return o.own("RampgaugeTargetMissing", "target-missing", alerts.Critical, fmt.Sprintf(`absent(up{job="%s"})`, o.Job), 5*time.Minute, 0,
		"Prometheus knows no rampgauge",
		"No target of the job {{ $labels.job }} is known: none of the other alerts can fire.")
}

// watchdog always fires: who does not hear it any more has lost the way that
// alerts take.
func (o Options) watchdog() rule {
	return rule{
		alert: "Watchdog", expr: "vector(1)",
		labels: []pair{{"job", o.Job}, {"severity", "none"}},
		annotations: located([]pair{
			{"summary", "always fires: its absence is the alert"},
			{"description", "Route it to a service that pages when it has not heard from it for a while."},
		}, runbooks+"watchdog", o.Server+"/"),
	}
}

// ofRule makes the alert of a default rule about the service.
func (o Options) ofRule(r alerts.Rule, name, expr, summary, description, page string) rule {
	return rule{
		alert: name, expr: expr, hold: o.hold(r.For), keep: o.keep(r.KeepFiring),
		labels:      []pair{{"rule", r.Name}, {"severity", string(r.Severity)}},
		annotations: located([]pair{{"summary", summary}, {"description", description}}, r.Runbook, o.Server+page),
	}
}

// own makes an alert that only Prometheus has.
func (o Options) own(name, anchor string, severity alerts.Severity, expr string, hold, keep time.Duration, summary, description string) rule {
	return rule{
		alert: name, expr: expr, hold: o.hold(hold), keep: o.keep(keep),
		labels:      []pair{{"severity", string(severity)}},
		annotations: located([]pair{{"summary", summary}, {"description", description}}, runbooks+anchor, o.Server+"/"),
	}
}
