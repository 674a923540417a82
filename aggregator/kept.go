package aggregator

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
