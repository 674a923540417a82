//go:build promtool

package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// promtool runs the program whose path is in $PROMTOOL.
func promtool(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path := os.Getenv("PROMTOOL")
	if path == "" {
		t.Fatal("$PROMTOOL is not set; run make rules")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// write puts the files for o into a directory, changed by replacing old in one.
func write(t *testing.T, o Options, file, old, replacement string) string {
	t.Helper()
	files, err := Files(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		name, text := filepath.Base(f.Path), string(f.Content)
		if name == file {
			if !strings.Contains(text, old) {
				t.Fatalf("%s has no %q", file, old)
			}
			text = strings.ReplaceAll(text, old, replacement)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPromtoolRules lets promtool check the rules and run their unit tests, with
// the default options and with others.
func TestPromtoolRules(t *testing.T) {
	custom := DefaultOptions()
	custom.Control, custom.Job, custom.Slices = "base", "ads/rampgauge", []string{"country"}
	custom.Windows = []time.Duration{time.Minute, 10 * time.Minute}
	custom.Server = "https://rampgauge.example/"
	custom.Rules = alerts.Merge([]alerts.Rule{
		{Name: "visits", Metric: alerts.MetricCoverage, Against: alerts.Level, Level: 0.9, Effect: 0.2, Keys: []string{"visits"}, Severity: alerts.Info},
		{Name: "consumer-lag", Metric: alerts.MetricLag, Disabled: true, Effect: 1},
	})
	custom.Rules = slices.DeleteFunc(custom.Rules, func(r alerts.Rule) bool {
		return r.Against == alerts.Past || r.Metric == alerts.MetricCalibration || r.Metric == alerts.MetricLogLoss
	})
	for name, o := range map[string]Options{"default": DefaultOptions(), "custom": custom} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, o, "", "", "")
			if out, err := promtool(t, dir, "check", "rules", "--lint=all", "rules.yml", "firing.yml"); err != nil || strings.Contains(out, "duplicate") {
				t.Errorf("check rules: %v\n%s", err, out)
			}
			if out, err := promtool(t, dir, "test", "rules", "rules_test.yml", "firing_test.yml"); err != nil {
				t.Errorf("test rules: %v\n%s", err, out)
			}
		})
	}
}

// The unit tests notice what could be wrong with the rules.
func TestPromtoolFindsMistakes(t *testing.T) {
	few := DefaultOptions()
	few.Rules = slices.DeleteFunc(few.Rules, func(r alerts.Rule) bool {
		return !slices.Contains([]string{"coverage-vs-control", "coverage-drop", "candidate-calibration-vs-control", "no-data", "watermark", "join-health"}, r.Name)
	})
	for _, m := range []struct{ name, file, old, replacement string }{
		{"nothing", "rules.yml", "", ""},
		{"no effect against control", "rules.yml", ") <= -0.05\n", ") <= -0.001\n"},
		{"no effect against the past", "rules.yml", ") <= -0.1\n", ") <= -0.001\n"},
		{"no ratio", "rules.yml", ") >= 1.1\n", ") >= 1.01\n"},
		{"no evidence against control", "rules.yml", ") < -0.025\n", ") < 0.5\n"},
		{"no evidence against the past", "rules.yml", ") < -0.05\n", ") < 0.5\n"},
		{"no evidence for a ratio", "rules.yml", ") > 1.05\n", ") > 0\n"},
		{"few events are enough", "rules.yml", ">= 100\n", ">= 1\n"},
		{"what is not ok is used", "rules.yml", `_ok{population="candidates", window=~"5m", log_source="", surface="", segment=""} == 1`, `_ok{population="candidates", window=~"5m", log_source="", surface="", segment=""} >= 0`},
		{"slices beside totals", "rules.yml", `log_source=""`, `log_source=~".*"`},
		{"the best of the steps", "rules.yml", "max by (job, experiment, arm, window, family)", "min by (job, experiment, arm, window, family)"},
		{"the worst of the past", "rules.yml", "quantile_over_time(0.5, ", "quantile_over_time(0, "},
		{"a new arm has a past", "rules.yml", "offset 1h10m", "offset 1m"},
		{"at once", "rules.yml", "for: 5m\n        keep", "for: 0m\n        keep"},
		{"flapping", "rules.yml", "keep_firing_for: 2m", "keep_firing_for: 0m"},
		{"stuck while catching up", "rules.yml", "< 150\n", "< 1e9\n"},
		{"no data is stuck", "rules.yml", "unless on (job)\n", "or on (job)\n"},
		{"an instance a page", "firing.yml", "max by (job, experiment, arm, rule) (", "max by (job, instance, experiment, arm, rule) ("},
		{"half a move", "firing.yml", "keep_firing_for: 5m\n        labels:\n          severity: \"critical\"\n        annotations:\n          summary: \"{{ $labels.experiment }}", "labels:\n          severity: \"critical\"\n        annotations:\n          summary: \"{{ $labels.experiment }}"},
		{"limits twice", "firing.yml", "join-health|", ""},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			out, err := promtool(t, write(t, few, m.file, m.old, m.replacement), "test", "rules", strings.Replace(m.file, ".yml", "_test.yml", 1))
			// What promtool cannot parse fails as well, and shows nothing.
			if planted := m.old != ""; planted != (err != nil) || planted && !strings.Contains(out, "alertname: ") {
				t.Errorf("promtool test rules: %v\n%.2000s", err, out)
			}
		})
	}
}
