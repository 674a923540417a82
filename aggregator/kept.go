package aggregator

import (
	"fmt"
	"slices"
	"strings"
)

// Slices lists the breakdowns that are kept of an experiment, each as its sorted
// dimensions, in the order of their joined names; the total is not among them.
func (m *Merged) Slices(experiment string) [][]string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out [][]string
	for _, names := range m.keptSlices(experiment) {
		if names != "" {
			out = append(out, splitNames(names))
		}
	}
	return out
}

// keptSlices lists the breakdowns of an experiment as joined names, "" being
// the total; nil when the experiment is unknown.
func (m *Merged) keptSlices(experiment string) []string {
	set := map[string]bool{}
	for k, t := range m.tracks {
		if k.Experiment == experiment && len(m.retained(t)) > 0 {
			set[k.Labels.Names()] = true
		}
	}
	if len(set) == 0 {
		return nil
	}
	// A configured breakdown is kept even while no auction has its dimensions.
	for _, names := range m.opts.Slices {
		sorted := slices.Sorted(slices.Values(names))
		set[strings.Join(sorted, ",")] = true
	}
	var out []string
	for names := range set {
		out = append(out, names)
	}
	slices.Sort(out)
	return out
}

func splitNames(names string) []string { return strings.Split(names, ",") }

func quoteKept(kept []string) string {
	var quoted []string
	for _, k := range kept {
		if k != "" {
			quoted = append(quoted, fmt.Sprintf("%q", k))
		}
	}
	if len(quoted) == 0 {
		return "none"
	}
	return strings.Join(quoted, ", ")
}
