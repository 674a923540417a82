package dashboards

import (
	"fmt"
	"strings"
	"time"
)

// unitTest is one test of promtool: series minute by minute, and which alerts
// there are when.
type unitTest struct {
	name   string
	series []testSeries
	checks []check
}

type testSeries struct {
	metric string
	labels []pair
	values string // in promtool's notation
}

// check says which alerts of one name fire at a moment; none: none does.
type check struct {
	at     time.Duration
	alert  string
	firing []instance
}

type instance struct{ labels, annotations []pair }

// fired is the alert that r makes of a series with labels and a value.
func (r rule) fired(labels []pair, value float64) instance {
	i := instance{}
	for _, l := range labels {
		if valueOf(r.labels, l.name) == "" {
			i.labels = append(i.labels, l)
		}
	}
	i.labels = append(i.labels, r.labels...)
	for _, a := range r.annotations {
		i.annotations = append(i.annotations, pair{a.name, expand(a.value, labels, value)})
	}
	return i
}

// steady is a value over n minutes, in promtool's notation; n of 0 is nothing.
func steady(v float64, n int) string { return climbing(v, 0, n) }

// climbing is a value that grows by step a minute, over n minutes.
func climbing(v, step float64, n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("%s+%sx%d", number(v), number(step), n-1)
}

// then joins what comes one after the other.
func then(values ...string) string {
	return strings.Join(strings.Fields(strings.Join(values, " ")), " ")
}

// ended is the mark of a series that ends.
const ended = "stale"

// writeTests writes a test file for a rule file beside it, whose groups are
// evaluated in the order given.
func writeTests(rules string, groups []string, tests []unitTest) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by rampgauge dashboards. Do not edit.\nrule_files:\n  - %s\nevaluation_interval: 1m\ngroup_eval_order:\n", rules)
	for _, g := range groups {
		fmt.Fprintf(&b, "  - %s\n", g)
	}
	b.WriteString("tests:\n")
	for _, t := range tests {
		t.write(&b)
	}
	return b.String()
}

func (t unitTest) write(b *strings.Builder) {
	fmt.Fprintf(b, "  - name: %q\n    interval: 1m\n    input_series:\n", t.name)
	for _, s := range t.series {
		labels := make([]string, len(s.labels))
		for i, l := range s.labels {
			labels[i] = fmt.Sprintf("%s=%q", l.name, l.value)
		}
		fmt.Fprintf(b, "      - series: '%s{%s}'\n        values: '%s'\n", s.metric, strings.Join(labels, ", "), s.values)
	}
	b.WriteString("    alert_rule_test:\n")
	for _, c := range t.checks {
		fmt.Fprintf(b, "      - eval_time: %s\n        alertname: %s\n", duration(c.at), c.alert)
		if len(c.firing) == 0 {
			b.WriteString("        exp_alerts: []\n")
			continue
		}
		b.WriteString("        exp_alerts:\n")
		for _, i := range c.firing {
			b.WriteString("          -\n")
			writePairs(b, "            ", "exp_labels", i.labels)
			writePairs(b, "            ", "exp_annotations", i.annotations)
		}
	}
}
