package dashboards

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// gauge is what /metrics has of a metric that rules are about. Only those with
// an interval are here: an effect without evidence pages by chance.
type gauge struct {
	metric   alerts.Metric
	name     string
	key      string // the label that tells its series of one arm apart
	only     string // the one value of it that is meant; empty: each
	ok       bool   // it has a gauge of whether it can be used
	floor    string // the gauge of how many events it is from
	relative bool   // arms are compared by their ratio, not their difference
	inverse  bool   // it is one over the metric of the rule
	noun     string
	typical  float64 // a healthy value, for unit tests
}

var gauges = []gauge{
	{metric: alerts.MetricCalibration, name: "rampgauge_calibration_adjusted_ratio", ok: true, floor: "rampgauge_window_conversions", relative: true, inverse: true, noun: "ratio of predicted to observed conversions, adjusted for label age,", typical: 1},
	{metric: alerts.MetricCandidateCalibration, name: "rampgauge_calibration_ratio", key: "population", only: "candidates", ok: true, floor: "rampgauge_window_candidates", relative: true, noun: "ratio of predictions to references of candidates", typical: 1},
	{metric: alerts.MetricLogMAE, name: "rampgauge_log_mae", ok: true, floor: "rampgauge_window_candidates", relative: true, noun: "mean absolute log difference of prediction and reference", typical: 0.5},
	{metric: alerts.MetricLogLoss, name: "rampgauge_log_loss", ok: true, floor: "rampgauge_window_winners", relative: true, noun: "log loss of winners", typical: 0.25},
	{metric: alerts.MetricCoverage, name: "rampgauge_feature_coverage_ratio", key: "family", floor: "rampgauge_window_candidates", noun: "share of candidates with family {{ $labels.family }}", typical: 0.875},
	// Where all calls fail there may be no candidate: no floor.
	{metric: alerts.MetricServingSuccess, name: "rampgauge_serving_success_ratio", key: "tower", noun: "share of calls to tower {{ $labels.tower }} that succeed", typical: 0.875},
}

// inexpressible says why a metric cannot be judged from what /metrics has.
var inexpressible = map[alerts.Metric]string{
	alerts.MetricSampleRatio:     "needs the units first exposed to each arm and a test that may be looked at for ever; no gauge has them",
	alerts.MetricVersionSkew:     "rampgauge_embedding_skew_ratio has no interval, so there is an effect but no evidence",
	alerts.MetricServingP99:      "rampgauge_serving_latency_seconds has quantiles without intervals",
	alerts.MetricStage:           "rampgauge_funnel_candidates counts candidates, which hang together within an auction; there is no interval",
	alerts.MetricCandidates:      "needs the number of auctions, which no gauge has",
	alerts.MetricConversionDelay: "needs when conversions come, by age; no gauge has it",
}

// gaugeOf finds the gauge that a rule is judged by, or says why there is none.
func gaugeOf(r alerts.Rule) (g gauge, reason string) {
	if r.Against == alerts.Baseline {
		return gauge{}, "the offline profile is in no gauge"
	}
	for _, g := range gauges {
		if g.metric == r.Metric {
			return g, ""
		}
	}
	if reason, ok := inexpressible[r.Metric]; ok {
		return gauge{}, reason
	}
	panic(fmt.Sprintf("BUG: metric %s of rule %s has neither a gauge nor a reason", r.Metric, r.Name))
}

// recorded is the name of a recording rule of g: part is empty, _low or _high,
// and operation min or max over the steps of the ramp.
func (g gauge) recorded(part, operation string) string {
	level := "experiment_arm_window"
	if g.key != "" {
		level += "_" + g.key
	}
	return level + ":" + g.name + part + ":" + operation
}

// labels are those of the recorded series.
func (g gauge) labels() []string {
	l := []string{"job", "experiment", "arm", "window"}
	if g.key != "" {
		l = append(l, g.key)
	}
	return l
}

// matched are the labels in which a series of an arm and of control agree.
func (g gauge) matched() string {
	return strings.Join(slices.DeleteFunc(g.labels(), func(l string) bool { return l == "arm" }), ", ")
}

// record makes the recording rules of g over the windows that rules need. While
// a window holds two steps of the ramp, or two instances answer for an
// experiment that moves, there are several series of one arm: their envelope is
// recorded, so that an arm counts as different only where all of them are.
func (g gauge) record(o Options, windows []time.Duration, floor float64) []rule {
	names := make([]string, len(windows))
	for i, w := range windows {
		names[i] = duration(w)
	}
	match := fmt.Sprintf(`window=~"%s"%s`, strings.Join(names, "|"), o.totals())
	own := match
	if g.only != "" {
		own = fmt.Sprintf(`%s="%s", %s`, g.key, g.only, match)
	}
	var rules []rule
	for _, p := range []struct{ part, operation string }{{"", "min"}, {"", "max"}, {"_low", "min"}, {"_high", "max"}} {
		var b strings.Builder
		fmt.Fprintf(&b, "%s by (%s) (\n  %s%s{%s}\n", p.operation, strings.Join(g.labels(), ", "), g.name, p.part, own)
		if g.ok {
			fmt.Fprintf(&b, "  and %s_ok{%s} == 1\n", g.name, own)
		}
		if g.floor != "" && floor > 0 {
			fmt.Fprintf(&b, "  and on (job, instance, experiment, arm, ramp_percent, window) %s{%s} >= %s\n", g.floor, match, number(floor))
		}
		rules = append(rules, rule{record: g.recorded(p.part, p.operation), expr: b.String() + ")"})
	}
	return rules
}

// totals are the matchers that leave slices out, each after a comma.
func (o Options) totals() string {
	var b strings.Builder
	for _, s := range o.Slices {
		fmt.Fprintf(&b, `, %s=""`, s)
	}
	return b.String()
}
