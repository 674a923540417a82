package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDashboards(t *testing.T) {
	dir := t.TempDir()
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, "prometheus", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	code, stdout, stderr := rampgauge(t.Context(), "dashboards", "--out", dir)
	if code != exitOK || stderr != "" || strings.Count(stdout, "\n") != 4 || !strings.Contains(stdout, filepath.Join(dir, "prometheus", "rules.yml")+"\n") {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	kept, err := os.ReadFile(filepath.Join("..", "..", "dashboards", "prometheus", "rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), read("rules.yml")); diff != "" {
		t.Errorf("the default is not what is kept (-kept +got):\n%s", diff)
	}
	file := filepath.Join(dir, "rampgauge.yml")
	configure := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("kafka: {brokers: ['127.0.0.1:9092']}\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(`
aggregation: {windows: [1m, 30m], slices: [[surface], [surface, country]]}
experiments: [{name: a, control: base}, {name: b, control: base}]
alerts: {mode: "off", page_url: "https://ramp.example", rules: [{name: coverage-drop, metric: coverage, disabled: true}]}
`)
	if code, _, stderr := rampgauge(t.Context(), "dashboards", "--out", dir, "--config.file", file, "--job", "ads"); code != exitOK || stderr != "" {
		t.Fatalf("exit %d, stderr %q", code, stderr)
	}
	got := read("rules.yml")
	for _, want := range []string{`arm="base", window="1m"`, `window="30m"`, `{window=~"1m", country="", surface=""}`, "https://ramp.example/experiments/", `up{job="ads"}`, "RampgaugeCoverageVsControl"} {
		if !strings.Contains(got, want) {
			t.Errorf("rules.yml has no %q", want)
		}
	}
	if strings.Contains(got, "RampgaugeCoverageDrop") {
		t.Error("rules.yml has a rule that is disabled")
	}
	if code, _, _ := rampgauge(t.Context(), "dashboards", "--out", dir, "--config.file", file, "--control", "c", "--windows", "2m,1h", "--slices", "country,city", "--server", "http://other:1"); code != exitOK {
		t.Errorf("exit %d", code)
	}
	got = read("rules.yml")
	for _, want := range []string{`arm="c", window="2m"`, `{window=~"2m", country="", city=""}`, "http://other:1/"} {
		if !strings.Contains(got, want) {
			t.Errorf("with flags: rules.yml has no %q", want)
		}
	}
	configure("experiments: [{name: a, control: base}, {name: b, control: old}]\n")
	code, _, stderr = rampgauge(t.Context(), "dashboards", "--out", dir, "--config.file", file)
	if want := "rampgauge: experiments: control arms are base, old: want one name for all of them, or --control\n"; code != exitUsage || stderr != want {
		t.Errorf("two controls: exit %d, stderr %q, want %q", code, stderr, want)
	}
	code, _, stderr = rampgauge(t.Context(), "dashboards", "--out", dir, "--config.file", file, "--control", "base")
	if code != exitOK || !strings.HasPrefix(stderr, "rampgauge: alerts.mode: direct: ") {
		t.Errorf("two paging paths: exit %d, stderr %q", code, stderr)
	}
	code, _, stderr = rampgauge(t.Context(), "dashboards", "--out", dir, "--server", "nowhere")
	if want := "rampgauge: dashboards: server: \"nowhere\": want http://host:port or https://host:port\n"; code != exitUsage || stderr != want {
		t.Errorf("server: exit %d, stderr %q, want %q", code, stderr, want)
	}
}
