package alerts_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/alertstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func engine(rules []alerts.Rule) *alerts.Engine {
	return alerts.NewEngine(alerts.Options{Experiment: "x", Control: alertstest.Control, Owner: "ads", Rules: rules})
}

// story runs an experiment through an engine and tells what was told, a line
// each, with the minutes since a change.
func story(e *alerts.Engine, x *alertstest.Experiment, from, to int, change time.Duration, between func(i int)) []string {
	var out []string
	for i := from; i < to; i++ {
		w := x.Window(i)
		for _, n := range e.Step(w, time.UnixMilli(w.EndMs)) {
			if n.Action != alerts.Change {
				out = append(out, fmt.Sprintf("%+5d min  %-7s %-9s %s", i+1-int(change.Minutes()), n.Action, n.Severity, n.Summary))
			}
		}
		if between != nil {
			between(i)
		}
	}
	return out
}

// Each kind of change is told once, by the rule that is about it, and ends once
// it is over: in one arm as against control, and in both as of the experiment.
func TestPlantedChanges(t *testing.T) {
	const from, to, end = 6 * time.Hour, 12 * time.Hour, 18 * 60
	for _, tc := range []struct {
		change alertstest.Change
		rule   string // against control
		both   string // of what happens to both arms; empty: nothing is to be told
	}{
		{alertstest.Change{Kind: alertstest.Coverage, Size: 0.9}, "coverage-vs-control", "coverage-drop"},
		{alertstest.Change{Kind: alertstest.Calibration, Size: 0.5}, "calibration-vs-control", "calibration-level"},
		{alertstest.Change{Kind: alertstest.Teacher, Size: 1.3}, "candidate-calibration-vs-control", "candidate-calibration-shift"},
		{alertstest.Change{Kind: alertstest.Distance, Size: 1.3}, "log-mae-vs-control", ""},
		{alertstest.Change{Kind: alertstest.Loss, Size: 1.2}, "log-loss-vs-control", ""},
		{alertstest.Change{Kind: alertstest.Skew, Size: 0.4}, "version-skew", "version-skew-rise"},
		{alertstest.Change{Kind: alertstest.Success, Size: 0.05}, "serving-success", "serving-success-drop"},
		{alertstest.Change{Kind: alertstest.Slow, Size: 1.6}, "serving-p99", ""},
		{alertstest.Change{Kind: alertstest.Stage, Size: 0.5}, "funnel-stage", ""},
		{alertstest.Change{Kind: alertstest.Candidates, Size: 0.7}, "funnel-candidates", ""},
		{alertstest.Change{Kind: alertstest.Units, Size: 0.5}, "sample-ratio", ""},
		{alertstest.Change{Kind: alertstest.Delay, Size: 0.5}, "conversion-delay", ""},
	} {
		for _, arm := range []string{alertstest.Treatment, ""} {
			name, want := string(tc.change.Kind)+"/"+arm, tc.rule
			if arm == "" {
				name, want = string(tc.change.Kind)+"/both", tc.both
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				x := alertstest.New(5)
				c := tc.change
				c.From, c.To, c.Arm = from, to, arm
				x.Changes, x.Daily = []alertstest.Change{c}, 0.5
				e := engine(alerts.DefaultRules())
				lines := story(e, x, 0, end, from, nil)
				golden(t, strings.ReplaceAll(name, "/", "-")+".txt", lines)
				told := map[string]int{}
				for _, n := range e.Undelivered() {
					if n.Action == alerts.Trigger {
						told[n.Rule]++
						if n.Rule == want && arm == "" && n.Arm != "" {
							t.Errorf("what happens to both arms is told of %s", n.Arm)
						}
					}
				}
				if want == "" && len(told) > 0 || want != "" && told[want] == 0 {
					t.Errorf("told of %v, want %s", told, want)
				}
			})
		}
	}
}

func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Where nothing differs between the arms nothing is told, whatever both of them
// go through.
func TestNothingToTell(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			x := alertstest.New(seed)
			x.Shock, x.Daily, x.Effect = 0.3, 0.6, 2
			x.Ramp = []alertstest.Step{{At: 0, Percent: 1}, {At: 4 * time.Hour, Percent: 5}, {At: 12 * time.Hour, Percent: 20}, {At: 24 * time.Hour, Percent: 70}}
			e := engine(sliced(alerts.DefaultRules()))
			x.Slices = 6
			if got := story(e, x, 0, 36*60, 0, nil); len(got) > 0 {
				t.Errorf("told:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func sliced(rules []alerts.Rule) []alerts.Rule {
	for i := range rules {
		r := rules[i]
		if r.Slices = [][]string{{"segment"}}; len(r.Check()) == 0 {
			rules[i] = r
		}
	}
	return rules
}

// A change in one slice is told of its arm, with the slice.
func TestSliceIsNamed(t *testing.T) {
	x := alertstest.New(3)
	x.Slices = 6
	x.Changes = []alertstest.Change{{Kind: alertstest.Coverage, Arm: alertstest.Treatment, Slice: "segment=05", From: 2 * time.Hour, Size: 0.9}}
	e := engine(sliced(alerts.DefaultRules()))
	lines := story(e, x, 0, 3*60, 2*time.Hour, nil)
	golden(t, "slice.txt", lines)
	if len(lines) != 1 || !strings.Contains(lines[0], "worst in segment=05") {
		t.Errorf("told:\n%s", strings.Join(lines, "\n"))
	}
}

// An engine that is stopped and restored at any time goes on as if it had not
// been.
func TestRestoreGoesOn(t *testing.T) {
	run := func(restarts bool) ([]string, []byte) {
		x := alertstest.New(2)
		x.Slices = 3
		x.Changes = []alertstest.Change{
			{Kind: alertstest.Coverage, Arm: alertstest.Treatment, From: time.Hour, To: 2 * time.Hour, Size: 0.5},
			{Kind: alertstest.Units, From: 0, Arm: alertstest.Treatment, Size: 0.3},
		}
		rules := sliced(alerts.DefaultRules())
		e := engine(rules)
		lines := story(e, x, 0, 3*60, time.Hour, func(i int) {
			if !restarts || i%7 != 0 {
				return
			}
			b, err := e.State()
			if err != nil {
				t.Fatal(err)
			}
			fresh := engine(rules)
			if err := fresh.Restore(b); err != nil {
				t.Fatal(err)
			}
			*e = *fresh
		})
		b, err := e.State()
		if err != nil {
			t.Fatal(err)
		}
		return lines, b
	}
	lines, state := run(false)
	again, stateAgain := run(true)
	if diff := cmp.Diff(lines, again); diff != "" || len(lines) == 0 {
		t.Errorf("told %d; with restarts (-without +with):\n%s", len(lines), diff)
	}
	if !bytes.Equal(state, stateAgain) {
		t.Error("states differ")
	}
}

func TestRestoreRefuses(t *testing.T) {
	e := engine(alerts.DefaultRules())
	story(e, alertstest.New(1), 0, 5, 0, nil)
	before, err := e.State()
	if err != nil {
		t.Fatal(err)
	}
	var newer map[string]json.RawMessage
	if err := json.Unmarshal(before, &newer); err != nil {
		t.Fatal(err)
	}
	newer["version"] = json.RawMessage("99")
	b, err := json.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string][]byte{"newer": b, "torn": before[:len(before)/2], "empty": nil, "other": []byte(`{"targets": 3}`)} {
		if err := e.Restore(state); err == nil {
			t.Errorf("%s: no error", name)
		}
		after, err := e.State()
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the engine has changed, %v", name, err)
		}
	}
}

// While the sample ratio is wrong no arm is compared with another, and that is
// what the alerts say.
func TestSampleRatioComesFirst(t *testing.T) {
	x := alertstest.New(9)
	x.Changes = []alertstest.Change{
		{Kind: alertstest.Units, Arm: alertstest.Treatment, Size: 0.3},
		{Kind: alertstest.Coverage, Arm: alertstest.Treatment, From: 8 * time.Hour, Size: 0.9},
	}
	e := engine(alerts.DefaultRules())
	lines := story(e, x, 0, 10*60, 0, nil)
	if len(lines) != 1 || !strings.Contains(lines[0], "of the units it ought to get") {
		t.Fatalf("told:\n%s", strings.Join(lines, "\n"))
	}
	for _, a := range e.Alerts() {
		if a.Rule == "coverage-vs-control" && (a.Phase != alerts.Waiting || !strings.Contains(a.Why, "sample ratio")) {
			t.Errorf("%s is %s: %q", a.Rule, a.Phase, a.Why)
		}
	}
}

// A reload keeps what rules that stay know: evidence, pending timers and firing
// alerts. The alert of a rule that goes is resolved.
func TestReconfigure(t *testing.T) {
	x := alertstest.New(4)
	x.Changes = []alertstest.Change{{Kind: alertstest.Coverage, Arm: alertstest.Treatment, From: time.Hour, Size: 0.5}}
	rule := alerts.Rule{Name: "held", Metric: alerts.MetricCoverage, Effect: 0.05, For: 20 * time.Minute}
	options := func(rules ...alerts.Rule) alerts.Options {
		return alerts.Options{Experiment: "x", Control: alertstest.Control, Rules: rules}
	}
	e := alerts.NewEngine(options(rule))
	lines := story(e, x, 0, 70, time.Hour, nil)
	if len(lines) != 0 {
		t.Fatalf("told before its time: %v", lines)
	}
	other := alerts.Rule{Name: "other", Metric: alerts.MetricVersionSkew, Effect: 0.1}
	rule.Severity = alerts.Critical
	e.Reconfigure(options(rule, other))
	lines = story(e, x, 70, 90, time.Hour, nil)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "  +21 min  trigger critical") && !strings.HasPrefix(lines[0], "  +22 min  trigger critical") {
		t.Fatalf("after a reload in its hold time: %v, want one trigger 20 minutes after it began", lines)
	}
	e.Reconfigure(options(other))
	lines = story(e, x, 90, 92, time.Hour, nil)
	if len(lines) != 1 || !strings.Contains(lines[0], "resolve") || !strings.Contains(lines[0], "its rule has gone") {
		t.Errorf("after the rule has gone: %v", lines)
	}
}
