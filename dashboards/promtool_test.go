//go:build promtool

package dashboards

import (
	"os"
	"os/exec"
	"path/filepath"
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
	none := DefaultOptions()
	none.Slices = nil
	for name, o := range map[string]Options{"default": DefaultOptions(), "custom": custom, "no slices": none} {
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
