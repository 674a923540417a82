package app

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/config"
)

// coverageMargin is the least difference of a family's coverage between two
// arms, as a share of candidates, that the demo calls a finding.
const coverageMargin = 0.05

// settledControl returns the control arm of an experiment: the configured one,
// or the default.
func settledControl(cfg *config.Config) func(experiment string) string {
	return func(experiment string) string {
		for _, e := range cfg.Experiments {
			if e.Name == experiment && e.Control != "" {
				return e.Control
			}
		}
		return api.DefaultControl
	}
}

// verdicts says, for each experiment, which feature family's coverage differs
// most between control and another arm.
func verdicts(m *aggregator.Merged, control func(string) string) []string {
	var out []string
	for _, e := range m.Experiments() {
		summary, err := m.Summary(aggregator.Query{Experiment: e.Name})
		if err != nil || len(summary.Arms) < 2 {
			out = append(out, fmt.Sprintf("experiment %s: undecided feature_coverage: needs two arms", e.Name))
			continue
		}
		readings := map[string]aggregator.Reading{}
		var arms []string
		for _, a := range summary.Arms {
			readings[a.Arm] = a.Total.Read(summary.Curves)
			arms = append(arms, a.Arm)
		}
		base := control(e.Name)
		if !slices.Contains(arms, base) {
			base = arms[0]
		}
		out = append(out, fmt.Sprintf("experiment %s: %s", e.Name, coverageVerdict(base, arms, readings)))
	}
	return out
}

type coverageGap struct {
	family, arm   string
	here, control float64
}

func coverageVerdict(base string, arms []string, readings map[string]aggregator.Reading) string {
	var widest coverageGap
	found := false
	for _, arm := range arms {
		for family, here := range readings[arm].Candidates.Coverage {
			there, ok := readings[base].Candidates.Coverage[family]
			if arm == base || !ok || !here.OK || !there.OK {
				continue
			}
			g := coverageGap{family, arm, here.Value, there.Value}
			if !found || wider(g, widest) {
				widest, found = g, true
			}
		}
	}
	if !found {
		return "undecided feature_coverage: no family is listed by two arms"
	}
	word := "rejected"
	if math.Abs(widest.here-widest.control) >= coverageMargin {
		word = "accepted"
	}
	return fmt.Sprintf("%s feature_coverage: %s differs most: coverage %s in %s, %s in %s; %s",
		word, widest.family, percent(widest.here), widest.arm, percent(widest.control), base,
		calibrations(readings, widest.arm, base))
}

// wider orders gaps by size, then by name, so that the verdict is the same in
// every run.
func wider(a, b coverageGap) bool {
	x, y := math.Abs(a.here-a.control), math.Abs(b.here-b.control)
	if x != y {
		return x > y
	}
	return a.family+a.arm < b.family+b.arm
}

func calibrations(readings map[string]aggregator.Reading, arm, base string) string {
	here, there := readings[arm], readings[base]
	return fmt.Sprintf("calibration %s in %s, %s in %s (winners); %s, %s (candidates, against the reference)",
		number(here.Winners.Calibration), arm, number(there.Winners.Calibration), base,
		number(here.Candidates.CalibrationVsReference), number(there.Candidates.CalibrationVsReference))
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

func number(n aggregator.Number) string {
	if !n.OK {
		return "unknown"
	}
	return fmt.Sprintf("%.3f", n.Value)
}

// progressLines says in a line for each experiment where it stands.
func progressLines(m *aggregator.Merged) []string {
	var out []string
	for _, e := range m.Experiments() {
		summary, err := m.Summary(aggregator.Query{Experiment: e.Name})
		if err != nil {
			continue
		}
		var arms []string
		for i, a := range summary.Arms {
			r := a.Total.Read(summary.Curves)
			arms = append(arms, fmt.Sprintf("%s at %g %%: %d candidates, %d winners, %d conversions, calibration %s",
				a.Arm, e.Arms[min(i, len(e.Arms)-1)].RampPercent, r.Candidates.Count, r.Winners.Count, r.Winners.Conversions, number(r.Winners.Calibration)))
		}
		out = append(out, fmt.Sprintf("%s %s | %s", time.UnixMilli(m.NewestMs()).UTC().Format("15:04:05Z"), e.Name, strings.Join(arms, " | ")))
	}
	return out
}
