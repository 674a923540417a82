package diagnosis_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
	"github.com/rampgauge/rampgauge/internal/stats"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// step is when the arm of the scenarios came to its share: 2026-11-02 09:00 UTC.
const step = 1793610000000

// est is an estimate that can be used, from n independent events.
func est(value, low, high float64, n int64) stats.Estimate {
	return stats.Estimate{Value: value, Low: low, High: high, Known: stats.KnownAll, N: n, Effective: float64(n), Status: stats.OK}
}

// healthy is evidence that every guardrail is kept, four hours after a step.
func healthy() diagnosis.Evidence {
	now := time.UnixMilli(step).Add(4 * time.Hour)
	return diagnosis.Evidence{
		Experiment: "l1-cvr", Control: "control", ControlSeen: true, Now: now,
		Arms: []diagnosis.Arm{{
			Name: "treatment", RampPercent: 35, SinceMs: step,
			NewestMs: now.UnixMilli() - 2000, ControlNewestMs: now.UnixMilli() - 1000,
			Conversions: 6000, ControlConversions: 11000,
			CalibrationRatio:            est(1.01, 0.985, 1.036, 17000),
			CandidateCalibrationRatio:   est(1.004, 1.001, 1.007, 2_000_000),
			LogLossIncrease:             est(-0.012, -0.021, -0.003, 900_000),
			CoverageDifference:          map[string]stats.Estimate{"user": est(0, -0.001, 0.001, 90_000), "offsite_visits": est(-0.002, -0.004, 0, 90_000)},
			SuccessDifference:           map[string]stats.Estimate{"query": est(0.0001, -0.0003, 0.0005, 90_000)},
			P99Ratio:                    map[string]stats.Estimate{"query": est(1.02, 0.99, 1.05, 90_000)},
			Maturity:                    est(0.61, 0.6, 0.62, 900_000),
			CalibrationAdjusted:         est(1.03, 1, 1.06, 6000),
			NormalizedEntropyDifference: est(-0.004, -0.01, 0.002, 900_000),
		}},
		Alerts: []alerts.Alert{{
			Experiment: "l1-cvr", Rule: "sample-ratio", Metric: alerts.MetricSampleRatio, Phase: alerts.Inactive, Severity: alerts.Critical,
		}},
	}
}

// alert is one about the treatment with numbers.
func alert(rule string, m alerts.Metric, arm, subject string, s alerts.Severity, p alerts.Phase) alerts.Alert {
	return alerts.Alert{
		Experiment: "l1-cvr", Rule: rule, Metric: m, Arm: arm, Subject: subject, Phase: p, Severity: s, Summary: "it is off",
		Value: -0.2, Low: -0.25, High: -0.15, Known: true, N: 1234, SinceMs: step + 60_000,
	}
}

type scenario struct {
	name   string
	want   diagnosis.Decision
	change func(e *diagnosis.Evidence, a *diagnosis.Arm, g *diagnosis.Guardrails)
}

var scenarios = []scenario{
	{"every guardrail is kept", diagnosis.Go, nil},
	{"rules that wait for data are said, and do not hold", diagnosis.Go, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts = append(e.Alerts, alert("conversion-delay", alerts.MetricConversionDelay, "treatment", "", alerts.Warning, alerts.Waiting))
	}},
	{"an alert about another arm or experiment", diagnosis.Go, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		other := alert("coverage-drop", alerts.MetricCoverage, "treatment", "user", alerts.Critical, alerts.Firing)
		other.Experiment = "another"
		e.Alerts = append(e.Alerts, other, alert("coverage-drop", alerts.MetricCoverage, "third", "user", alerts.Critical, alerts.Firing))
	}},
	{"at the share that is meant", diagnosis.Go, func(e *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.AtPercent = &a.RampPercent
	}},
	{"without tower calls, switched off", diagnosis.Go, func(_ *diagnosis.Evidence, a *diagnosis.Arm, g *diagnosis.Guardrails) {
		a.SuccessDifference, a.P99Ratio = nil, nil
		g.MaxSuccessDrop, g.MaxP99Increase = 0, 0
	}},

	{"calibration is off beyond doubt", diagnosis.Rollback, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.CalibrationRatio = est(1.19, 1.15, 1.23, 17000)
	}},
	{"calibration is off to the other side", diagnosis.Rollback, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.CalibrationRatio = est(0.8, 0.78, 0.82, 17000)
	}},
	{"a family is missing ten minutes after the step", diagnosis.Rollback, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.SinceMs = a.NewestMs - 600_000
		a.Conversions, a.ControlConversions = 12, 20
		a.CalibrationRatio = est(1.1, 0.5, 2.4, 32)
		a.CoverageDifference["offsite_visits"] = est(-0.94, -0.95, -0.93, 5000)
	}},
	{"calls fail", diagnosis.Rollback, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.SuccessDifference["query"] = est(-0.02, -0.022, -0.018, 90_000)
	}},
	{"a critical alert about the arm", diagnosis.Rollback, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts = append(e.Alerts, alert("coverage-vs-control", alerts.MetricCoverage, "treatment", "user", alerts.Critical, alerts.Firing))
	}},
	{"broken, and the data have stopped since", diagnosis.Rollback, func(e *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.CalibrationRatio = est(1.19, 1.15, 1.23, 17000)
		e.Now = e.Now.Add(time.Hour)
	}},

	{"sample ratio: everything is undecided", diagnosis.Hold, func(e *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts[0] = alert("shares", alerts.MetricSampleRatio, "", "", alerts.Critical, alerts.Firing)
		a.CalibrationRatio = est(1.19, 1.15, 1.23, 17000)
		e.Alerts = append(e.Alerts, alert("coverage-vs-control", alerts.MetricCoverage, "treatment", "user", alerts.Critical, alerts.Firing))
	}},
	{"a warning fires", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts = append(e.Alerts, alert("serving-p99", alerts.MetricServingP99, "treatment", "query", alerts.Warning, alerts.Firing))
	}},
	{"an alert is pending", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts = append(e.Alerts, alert("coverage-vs-control", alerts.MetricCoverage, "treatment", "user", alerts.Critical, alerts.Pending))
	}},
	{"a critical alert fires in control as well", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts = append(e.Alerts,
			alert("coverage-drop", alerts.MetricCoverage, "treatment", "user", alerts.Critical, alerts.Firing),
			alert("coverage-drop", alerts.MetricCoverage, "control", "user", alerts.Critical, alerts.Firing))
	}},
	{"an alert about the service", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		lag := alert("consumer-lag", alerts.MetricLag, "", "", alerts.Critical, alerts.Firing)
		lag.Experiment = ""
		e.Alerts = append(e.Alerts, lag)
	}},
	{"stale data", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Now = e.Now.Add(25 * time.Minute)
	}},
	{"the arm has stopped, and control has not", diagnosis.Hold, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.NewestMs -= 1_800_000
	}},
	{"no auction of the arm since the step", diagnosis.Hold, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		*a = diagnosis.Arm{Name: a.Name, RampPercent: a.RampPercent, SinceMs: a.SinceMs, ControlNewestMs: a.ControlNewestMs}
	}},
	{"behind", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Service.LagRecords = 5_000_000
	}},
	{"brokers do not answer", diagnosis.Hold, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Service.Problem = "brokers: no answer"
	}},
	{"no control arm", diagnosis.Hold, func(e *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.ControlSeen, a.ControlNewestMs = false, 0
	}},

	{"too few conversions", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.Conversions = 143
		a.CalibrationRatio = est(1.02, 0.87, 1.19, 400)
	}},
	{"too little time", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.SinceMs = a.NewestMs - 24*60_000
	}},
	{"the step is not in the numbers yet", diagnosis.Wait, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		at := 70.0
		e.AtPercent = &at
	}},
	{"just after the step", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		*a = diagnosis.Arm{Name: a.Name, RampPercent: a.RampPercent, SinceMs: a.NewestMs}
	}},
	{"an interval reaches over the limit from inside", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.CalibrationRatio = est(1.05, 1, 1.1, 1500)
	}},
	{"an interval reaches over the limit from outside", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.LogLossIncrease = est(0.03, 0.015, 0.045, 50_000)
	}},
	{"inside for one look, and not for many", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.CalibrationRatio = est(1, 0.92, 1.087, 1000)
	}},
	{"immature labels", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.Maturity = est(0.12, 0.11, 0.13, 900_000)
		a.LogLossIncrease.Status = stats.Immature
	}},
	{"no conversion yet", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.Conversions, a.CalibrationRatio = 0, stats.Estimate{}
	}},
	{"a family that one arm alone lists", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.CoverageDifference["annotations"] = stats.Estimate{N: 500}
	}},
	{"no tower calls", diagnosis.Wait, func(_ *diagnosis.Evidence, a *diagnosis.Arm, _ *diagnosis.Guardrails) {
		a.SuccessDifference, a.P99Ratio = nil, nil
	}},
	{"sample ratio not judged yet", diagnosis.Wait, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Alerts[0].Phase, e.Alerts[0].Why = alerts.Waiting, "12 of at least 100 units in each arm"
	}},
	{"alerts are off", diagnosis.Wait, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) { e.Alerts = nil }},
	{"nothing is asked for", diagnosis.Wait, func(_ *diagnosis.Evidence, _ *diagnosis.Arm, g *diagnosis.Guardrails) { *g = diagnosis.Guardrails{} }},
	{"no arm beside control", diagnosis.Wait, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) { e.Arms = nil }},
	{"nothing seen", diagnosis.Wait, func(e *diagnosis.Evidence, _ *diagnosis.Arm, _ *diagnosis.Guardrails) {
		e.Arms, e.ControlSeen = nil, false
	}},
}

func (s scenario) evidence() (diagnosis.Evidence, diagnosis.Guardrails) {
	e, g := healthy(), diagnosis.DefaultGuardrails()
	if s.change != nil {
		s.change(&e, &e.Arms[0], &g)
	}
	return e, g
}

func TestScenarios(t *testing.T) {
	var b strings.Builder
	answers := map[diagnosis.Decision]bool{}
	for _, s := range scenarios {
		gate := diagnosis.Worst(diagnosis.Decide(s.evidence()))
		if gate.Decision != s.want {
			t.Errorf("%s: got %s, want %s: %q", s.name, gate.Decision, s.want, gate.Reasons)
		}
		answers[gate.Decision] = true
		fmt.Fprintf(&b, "# %s\n%s\n", s.name, gate.Decision)
		for _, r := range gate.Reasons {
			fmt.Fprintf(&b, "- %s\n", r)
		}
		b.WriteByte('\n')
	}
	if len(answers) != 4 {
		t.Errorf("got the answers %v, want all four", maps.Keys(answers))
	}
	const path = "testdata/reasons.txt"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got); -update rewrites it:\n%s", path, diff)
	}
}

// The worst of several arms is the answer, whatever their order.
func TestWorst(t *testing.T) {
	e := healthy()
	third := e.Arms[0]
	third.Name, third.Conversions = "third", 20
	broken := e.Arms[0]
	broken.Name, broken.CalibrationRatio = "broken", est(1.3, 1.28, 1.32, 17000)
	for _, tc := range []struct {
		arms []diagnosis.Arm
		want string
	}{
		{[]diagnosis.Arm{e.Arms[0], third}, "third wait"},
		{[]diagnosis.Arm{third, e.Arms[0]}, "third wait"},
		{[]diagnosis.Arm{e.Arms[0], broken, third}, "broken rollback"},
	} {
		e.Arms = tc.arms
		g := diagnosis.Worst(diagnosis.Decide(e, diagnosis.DefaultGuardrails()))
		if got := g.Arm + " " + string(g.Decision); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}
