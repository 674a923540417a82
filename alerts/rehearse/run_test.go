package rehearse

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// rules are the test's own, so that a change of the default ones is none of it.
func rules() []alerts.Rule {
	return []alerts.Rule{
		{Name: "missing", Metric: alerts.MetricCoverage, Effect: 0.1, Slices: [][]string{{"surface"}}, Severity: alerts.Critical, Summary: "family is missing"},
		{Name: "silence", Metric: alerts.MetricNoData, Effect: 60, Severity: alerts.Critical, Summary: "nothing comes"},
		{Name: "lag", Metric: alerts.MetricLag, Effect: 100, KeepFiring: time.Minute, Summary: "too slow"},
		{Name: "worse", Metric: alerts.MetricLogMAE, Effect: 0.5, Summary: "predictions are worse"},
	}
}

// story loses a family in the home feed of the treatment, then everything.
func story(t *testing.T) Test {
	s := func(text string) Series { return series(t, text) }
	family := func(text string) map[string]Series { return map[string]Series{"user": s(text)} }
	return Test{
		Name: "home loses a family", Pane: 10 * time.Second,
		Options: alerts.Options{Experiment: "exp", Control: "base", Rules: rules(), Budget: alerts.DefaultBudget()},
		Arms: map[string]Arm{
			"base": {
				Ramp: s("80"), Numbers: Numbers{Auctions: s("800x60 _x12"), Coverage: family("0.9")},
				Slices: map[string]Numbers{"surface=home": {Auctions: s("400"), Coverage: family("0.9")}, "surface=search": {Auctions: s("400"), Coverage: family("0.9")}},
			},
			"new": {
				Ramp: s("20"), Numbers: Numbers{Auctions: s("200x60 _x12"), Coverage: family("0.9x20 0.5x20 0.9")},
				Slices: map[string]Numbers{"surface=home": {Auctions: s("100"), Coverage: family("0.9x20 0.1x20 0.9")}, "surface=search": {Auctions: s("100"), Coverage: family("0.9")}},
			},
		},
		Service: Service{Lag: s("0x30 500x3 0")},
	}
}

// At least Write's form and what the story tells are fixed by a golden file.
func TestRun(t *testing.T) {
	for _, tc := range []struct {
		name     string
		expect   []Expectation
		noOthers bool
		ok       bool
	}{
		{name: "as expected", noOthers: true, ok: true, expect: []Expectation{
			{At: 3 * time.Minute, Rule: "missing", Phase: alerts.Inactive},
			{At: 5 * time.Minute, Rule: "missing", Arm: "new", Subject: "user", Phase: alerts.Firing},
			{At: 10 * time.Minute, Rule: "missing", Arm: "new", Phase: alerts.Resolved},
			{At: 5*time.Minute + 15*time.Second, Rule: "lag", Phase: alerts.Firing},
			{At: 11*time.Minute + 30*time.Second, Rule: "silence", Phase: alerts.Firing},
		}},
		{name: "not as expected", noOthers: true, expect: []Expectation{
			{At: 5 * time.Minute, Rule: "missing", Arm: "base", Phase: alerts.Firing, Line: 7},
			{At: 5 * time.Minute, Rule: "missing", Arm: "new", Phase: alerts.Inactive, Line: 8},
			{At: 5 * time.Minute, Rule: "worse", Phase: alerts.Firing, Line: 9},
			{At: 2 * time.Minute, Rule: "lag", Phase: alerts.Firing, Line: 10},
		}},
		{name: "others are not forbidden", ok: true, expect: []Expectation{{At: 12 * time.Minute, Rule: "worse", Phase: alerts.Inactive}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			test := story(t)
			test.Expect, test.NoOthers = tc.expect, tc.noOthers
			r := Run(test)
			if r.OK != tc.ok {
				t.Errorf("ok: got %v, want %v", r.OK, tc.ok)
			}
			var got strings.Builder
			if err := r.Write(&got, "story.yml", tc.name == "as expected"); err != nil {
				t.Fatal(err)
			}
			path := "testdata/" + strings.ReplaceAll(tc.name, " ", "-") + ".txt"
			if *update {
				if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The same story ends the same, whatever order maps are gone through in.
func TestRunIsDeterministic(t *testing.T) {
	first := Run(story(t))
	for range 5 {
		if diff := cmp.Diff(first, Run(story(t))); diff != "" {
			t.Fatalf("(-first +later):\n%s", diff)
		}
	}
}

func TestPanes(t *testing.T) {
	s := func(text string) Series { return series(t, text) }
	for _, tc := range []struct {
		name string
		test Test
		want int
	}{
		{"nothing", Test{}, 1},
		{"a slice", Test{Arms: map[string]Arm{"a": {Numbers: Numbers{Auctions: s("1x5")}, Slices: map[string]Numbers{"s=1": {LogMAE: s("1x9")}}}}}, 9},
		{"the service", Test{Service: Service{Unmatched: map[string]Series{"t": s("0x7")}}}, 7},
		{"an expectation", Test{Service: Service{Lag: s("0x5")}, Expect: []Expectation{{At: 65 * time.Second}}}, 7},
		{"at the end of a pane", Test{Expect: []Expectation{{At: time.Minute}}}, 6},
	} {
		tc.test.Pane = 10 * time.Second
		if got := tc.test.panes(); got != tc.want {
			t.Errorf("%s: got %d panes, want %d", tc.name, got, tc.want)
		}
	}
}
