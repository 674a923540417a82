package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
)

func ruleNamed(t *testing.T, a Alerts, name string) alerts.Rule {
	t.Helper()
	for _, r := range a.Effective() {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no rule %s", name)
	return alerts.Rule{}
}

func TestLoadReadsRuleFilesAndProfiles(t *testing.T) {
	c, err := Load("testdata/load/good/rampgauge.yml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range c.Alerts.FromFiles {
		names = append(names, r.Name)
	}
	if diff := cmp.Diff([]string{"coverage-vs-control", "a", "version-skew"}, names); diff != "" {
		t.Errorf("rules of files (-want +got):\n%s", diff)
	}
	want := Profile{Experiment: "l1-cvr-v2", Coverage: map[string]float64{"offsite_visits": 0.97, "annotations": 1}}
	if diff := cmp.Diff(want, c.Experiments[0].Profile); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	if got, want := len(c.Alerts.Effective()), len(alerts.DefaultRules())+2; got != want {
		t.Errorf("%d rules in force, want %d", got, want)
	}
	// What a rule with a default one's name leaves out is as it was.
	changed := ruleNamed(t, c.Alerts, "coverage-vs-control")
	standard := ruleNamed(t, Alerts{}, "coverage-vs-control")
	standard.Effect, standard.Slices = 0.02, [][]string{{"surface"}}
	if diff := cmp.Diff(standard, changed); diff != "" {
		t.Errorf("coverage-vs-control (-want +got):\n%s", diff)
	}
	if off := ruleNamed(t, c.Alerts, "version-skew"); !off.Disabled || off.Metric != alerts.MetricVersionSkew {
		t.Errorf("version-skew: %+v", off)
	}
}

func TestLoadReportsProblemsOfAllFiles(t *testing.T) {
	c, err := Load("testdata/load/bad/rampgauge.yml")
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("got %v, want Problems", err)
	}
	if len(c.Kafka.Brokers) > 0 {
		t.Error("something of a wrong configuration is handed out")
	}
	golden(t, "testdata/load/bad/rampgauge.golden", problems.Error()+"\n")
}

// A file that turns bad is a problem of the next load: nothing is kept from one
// load to the next.
func TestLoadReadsRuleFilesAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("r.yml", "kafka: {brokers: [b:1]}\nalerts: {rule_files: [rules.yml]}\n")
	write("rules.yml", "rules: [{name: a, metric: coverage, effect: 0.1}]\n")
	c, err := Load(filepath.Join(dir, "r.yml"))
	if err != nil || ruleNamed(t, c.Alerts, "a").Effect != 0.1 {
		t.Fatalf("got %+v, %v", c.Alerts.FromFiles, err)
	}
	write("rules.yml", "rules: [{name: a, metric: coverage, effect: 0.2}]\n")
	if c, err = Load(filepath.Join(dir, "r.yml")); err != nil || ruleNamed(t, c.Alerts, "a").Effect != 0.2 {
		t.Errorf("changed: got %+v, %v", c.Alerts.FromFiles, err)
	}
	write("rules.yml", "rules: [{name: a, metric: coverage, effect: 2}]\n")
	want := filepath.Join(dir, "rules.yml") + ":1:45: rules[0].effect: 2 is out of range; want a share, at most 1"
	if _, err = Load(filepath.Join(dir, "r.yml")); err == nil || err.Error() != want {
		t.Errorf("bad: got %v, want %s", err, want)
	}
}

// Every field of a rule has a key, and none is lost on the way.
func TestRulesGoThereAndBack(t *testing.T) {
	if got, want := reflect.TypeFor[Rule]().NumField(), reflect.TypeFor[alerts.Rule]().NumField(); got != want {
		t.Errorf("a rule has %d keys for %d fields", got, want)
	}
	var full alerts.Rule
	v := reflect.ValueOf(&full).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Float64:
			f.SetFloat(float64(i + 1))
		case reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Bool:
			f.SetBool(true)
		}
	}
	full.Keys, full.Slices = []string{"k"}, [][]string{{"s"}}
	if diff := cmp.Diff(full, asRule(full).rule()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScenarios(t *testing.T) {
	for _, name := range []string{"bad", "empty"} {
		_, err := LoadScenarios("testdata/scenarios/" + name + ".yml")
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("%s: got %v, want Problems", name, err)
		}
		golden(t, "testdata/scenarios/"+name+".golden", problems.Error()+"\n")
	}
	if _, err := LoadScenarios("testdata/nowhere.yml"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "nowhere.yml") {
		t.Errorf("a missing file: got %v", err)
	}
}

func FuzzScenarios(f *testing.F) {
	f.Add([]byte("tests: [{name: t, arms: {a: {ramp: 50, auctions: 5x3 _, coverage: {f: 1-0.1x3}}}, expect: [{at: 1m, rule: no-data, phase: firing}]}]"))
	f.Add([]byte("rules: [{name: r, metric: log_mae, effect: 0.1, window: 30s}]\ntests: [{name: t, pane: 20s, arms: {}}]"))
	noFiles := func(*decoder, []string) []string { return nil }
	f.Fuzz(func(t *testing.T, data []byte) {
		tests, err := parseScenarios(data, nil, "f.yml", noFiles)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		for _, test := range tests {
			if test.Pane <= 0 || len(test.Arms) == 0 {
				t.Errorf("accepted: %+v", test)
			}
		}
	})
}

func FuzzParseProfile(f *testing.F) {
	for _, path := range []string{"good/profile.json", "bad/range.json", "bad/syntax.json", "bad/type.json"} {
		data, err := os.ReadFile("testdata/load/" + path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParseProfile(data)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		for family, share := range p.Coverage {
			if !(0 <= share && share <= 1) {
				t.Errorf("accepted %s: %g", family, share)
			}
		}
	})
}
