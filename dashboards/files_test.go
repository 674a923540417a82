package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/api/exposition"
)

// TestGenerated compares the files of this directory with what they are made
// of; go run ./internal/docgen writes them.
func TestGenerated(t *testing.T) {
	files, err := Files(DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.FromSlash(f.Path))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(strings.Split(string(f.Content), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s has drifted; run go run ./internal/docgen (-want +got):\n%s", f.Path, diff)
		}
	}
}

// Each metric that is asked for is one that /metrics has, with the labels that
// it is asked for by.
func TestMetricsExist(t *testing.T) {
	labels := map[string][]string{}
	for _, d := range exposition.Descriptors() {
		labels[d.Name] = d.Labels
	}
	cell := []string{"experiment", "arm", "ramp_percent", "window", "job", "instance"}
	cell = append(cell, DefaultOptions().Slices...)
	used := 0
	named := regexp.MustCompile(`(:?)(rampgauge_[a-z_]+)(\{([^}]*)\})?`)
	label := regexp.MustCompile(`(\w+)(?:=|!=|=~|!~)"`)
	for _, r := range allRules(DefaultOptions()) {
		for _, m := range named.FindAllStringSubmatch(r.expr, -1) {
			if m[1] == ":" { // a recorded one
				continue
			}
			used++
			own, ok := labels[m[2]]
			if !ok {
				t.Errorf("%s%s: %s is no metric of ours", r.record, r.alert, m[2])
			}
			for _, l := range label.FindAllStringSubmatch(m[4], -1) {
				if !slices.Contains(own, l[1]) && !slices.Contains(cell, l[1]) {
					t.Errorf("%s%s: %s has no label %s", r.record, r.alert, m[2], l[1])
				}
			}
		}
	}
	if used < 50 {
		t.Errorf("found only %d uses of metrics", used)
	}
}

// allRules are those of all files.
func allRules(o Options) []rule {
	comparisons, _ := compared(o)
	rules := slices.Concat(records(o, comparisons), firing(o), service(o))
	for _, c := range comparisons {
		rules = append(rules, c.alert)
	}
	return rules
}

// Every rule in force is an alert of rules.yml or named in it with a reason, and
// passed on by firing.yml unless it is about the service.
func TestEveryRuleHasAPlace(t *testing.T) {
	o := DefaultOptions()
	files, err := Files(o)
	if err != nil {
		t.Fatal(err)
	}
	text := map[string]string{}
	for _, f := range files {
		text[f.Path] = string(f.Content)
	}
	for _, r := range o.Rules {
		label := `rule: "` + r.Name + `"`
		inRules := strings.Contains(text["prometheus/rules.yml"], label)
		left := strings.Contains(text["prometheus/rules.yml"], "\n# - "+r.Name+": ")
		if inRules == left {
			t.Errorf("%s: an alert of rules.yml: %v, left out with a reason: %v; want one of them", r.Name, inRules, left)
		}
		if r.Against == alerts.Limit && !strings.Contains(text["prometheus/firing.yml"], label) {
			t.Errorf("%s: firing.yml has no alert about the service for it", r.Name)
		}
		if !strings.Contains(text["prometheus/firing_test.yml"], `"`+r.Name+": is ") {
			t.Errorf("%s: firing_test.yml says nothing of it", r.Name)
		}
	}
	for _, r := range allRules(o) {
		if r.alert == "" {
			continue
		}
		name := "        alertname: " + r.alert + "\n"
		if !strings.Contains(text["prometheus/rules_test.yml"]+text["prometheus/firing_test.yml"], name+"        exp_alerts:\n") {
			t.Errorf("%s: no test has it fire", r.alert)
		}
		for _, want := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
			if valueOf(r.annotations, want) == "" {
				t.Errorf("%s: no annotation %s", r.alert, want)
			}
		}
		if valueOf(r.labels, "severity") == "" {
			t.Errorf("%s: no severity", r.alert)
		}
	}
}

// A rule that is off makes no alert, and one that is changed a changed one.
func TestRulesOfTheConfiguration(t *testing.T) {
	o := DefaultOptions()
	o.Rules = alerts.Merge([]alerts.Rule{
		{Name: "coverage-drop", Metric: alerts.MetricCoverage, Disabled: true, Effect: 0.1},
		{Name: "no-data", Metric: alerts.MetricNoData, Against: alerts.Limit, Effect: 600, Disabled: true},
		{Name: "log-mae-vs-control", Metric: alerts.MetricLogMAE, Effect: 0.21, Tolerance: 0.15, Severity: alerts.Info, Window: time.Hour, Summary: "far off"},
		{Name: "visits", Metric: alerts.MetricCoverage, Against: alerts.Level, Level: 0.9, Effect: 0.2, Keys: []string{"visits", "clicks"}},
	})
	byAlert := map[string]rule{}
	for _, r := range allRules(o) {
		byAlert[r.alert+valueOf(r.labels, "severity")] = r
	}
	for _, name := range []string{"RampgaugeCoverageDropcritical", "RampgaugeNoDatacritical", "RampgaugeExperimentNoDatacritical"} {
		if _, ok := byAlert[name]; ok {
			t.Errorf("%s is there, though its rule is disabled", name)
		}
	}
	mae := byAlert["RampgaugeLogMaeVsControlinfo"]
	want := `(
  experiment_arm_window:rampgauge_log_mae:min{arm!="control", window="1h"}
  / on (job, experiment, window) group_left ()
  experiment_arm_window:rampgauge_log_mae:max{arm="control", window="1h"}
) >= 1.21
and
(
  experiment_arm_window:rampgauge_log_mae_low:min{arm!="control", window="1h"}
  / on (job, experiment, window) group_left ()
  experiment_arm_window:rampgauge_log_mae_high:max{arm="control", window="1h"}
) > 1.15`
	if diff := cmp.Diff(want, mae.expr); diff != "" || mae.hold != time.Hour {
		t.Errorf("log-mae-vs-control: for %s (-want +got):\n%s", mae.hold, diff)
	}
	want = `experiment_arm_window_family:rampgauge_feature_coverage_ratio:max{window="5m", family=~"visits|clicks"} <= 0.7
and
experiment_arm_window_family:rampgauge_feature_coverage_ratio_high:max{window="5m", family=~"visits|clicks"} < 0.8`
	if diff := cmp.Diff(want, byAlert["RampgaugeVisitswarning"].expr); diff != "" {
		t.Errorf("visits (-want +got):\n%s", diff)
	}
	if expr := byAlert["RampgaugeRuleFiringcritical"].expr; strings.Contains(expr, "coverage-drop") {
		t.Errorf("a disabled rule is passed on: %s", expr)
	}
}

func TestOptionsValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	_, err := Files(Options{
		Rules: []alerts.Rule{{Name: "x y", Metric: "none"}}, Slices: []string{"a-b"}, Windows: []time.Duration{time.Millisecond},
		Server: "localhost:8080", For: time.Millisecond, KeepFiring: -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"rule x y: name:", "rule x y: metric:", "control:", "job:", `slices: "a-b"`, "windows: 1ms", `server: "localhost:8080"`, "for: 1ms", "keep firing: -1ns"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
