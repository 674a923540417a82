package aggregator

import (
	"cmp"
	"slices"
)

// RampStep is when an arm came to a share of the traffic.
type RampStep struct {
	TimeMs      int64   `json:"t_ms"` // of the first event under it, Unix milliseconds
	RampPercent float64 `json:"ramp_percent"`
}

// RampSteps lists the ramp of each arm of an experiment over time; there is none
// of an experiment that is unknown.
func (m *Merged) RampSteps(experiment string) map[string][]RampStep {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.rampSteps(experiment)
}

// rampSteps lists the ramp of each arm of an experiment over time. While two
// shares are there at once, as the ad servers come to know of a step one after the
// other, the arm is at the one that appeared last. The caller holds the lock.
func (m *Merged) rampSteps(experiment string) map[string][]RampStep {
	byArm := map[string][]rampPane{}
	for k, t := range m.tracks {
		if k.Experiment != experiment || k.Labels != "" {
			continue
		}
		panes := m.retained(t)
		for i := range panes {
			if ms := panes[i].firstMs(); ms != 0 { // else of late labels alone
				byArm[k.Arm] = append(byArm[k.Arm], rampPane{panes[i].pane.StartMs, ms, k.RampPercent})
			}
		}
	}
	out := map[string][]RampStep{}
	for arm, panes := range byArm {
		out[arm] = stepsOf(panes)
	}
	return out
}

// rampPane says that an arm was at a share of the traffic in a pane.
type rampPane struct {
	startMs, firstMs int64 // of the pane; of its first event
	ramp             float64
}

func stepsOf(panes []rampPane) []RampStep {
	slices.SortFunc(panes, func(a, b rampPane) int {
		return cmp.Or(cmp.Compare(a.startMs, b.startMs), cmp.Compare(a.firstMs, b.firstMs), cmp.Compare(a.ramp, b.ramp))
	})
	steps := []RampStep{}
	var before []rampPane // those of the pane before
	for len(panes) > 0 {
		n := 1
		for n < len(panes) && panes[n].startMs == panes[0].startMs {
			n++
		}
		here := panes[:n]
		panes = panes[n:]
		to := here[n-1]
		current := len(steps) - 1
		if current >= 0 && atShare(here, steps[current].RampPercent) {
			to.ramp = steps[current].RampPercent
		}
		for _, p := range here {
			if !atShare(before, p.ramp) {
				to = p
			}
		}
		if current < 0 || steps[current].RampPercent != to.ramp {
			steps = append(steps, RampStep{to.firstMs, to.ramp})
		}
		before = here
	}
	return steps
}

func atShare(panes []rampPane, ramp float64) bool {
	return slices.ContainsFunc(panes, func(p rampPane) bool { return p.ramp == ramp })
}

// firstMs is the first event time in the pane, 0 where there is none.
func (e *entry) firstMs() int64 {
	first := int64(0)
	for _, p := range e.parts {
		if ms := p.packed.firstMs; ms != 0 && (first == 0 || ms < first) {
			first = ms
		}
	}
	return first
}
