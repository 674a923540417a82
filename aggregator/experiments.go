package aggregator

import (
	"cmp"
	"math"
	"slices"
)

// Experiment is what is known of one experiment.
type Experiment struct {
	Name            string
	Arms            []Arm
	FirstMs, LastMs int64 // event times of its first and last auction
}

// Arm is an arm as of its latest auction.
type Arm struct {
	Name        string
	RampPercent float64
	SinceMs     int64 // first auction of the current ramp step
}

// Experiments lists the experiments by name.
func (m *Merged) Experiments() []Experiment {
	m.mu.RLock()
	defer m.mu.RUnlock()
	byName := map[string]map[string][]*track{}
	for k, t := range m.tracks {
		if k.Labels != "" || len(m.retained(t)) == 0 {
			continue
		}
		if byName[k.Experiment] == nil {
			byName[k.Experiment] = map[string][]*track{}
		}
		byName[k.Experiment][k.Arm] = append(byName[k.Experiment][k.Arm], t)
	}
	var out []Experiment
	for name, arms := range byName {
		e := Experiment{Name: name, FirstMs: math.MaxInt64}
		for arm, tracks := range arms {
			e.Arms = append(e.Arms, m.currentRamp(arm, tracks))
			for _, t := range tracks {
				first, last := m.span(t)
				if first > 0 {
					e.FirstMs = min(e.FirstMs, first)
				}
				e.LastMs = max(e.LastMs, last)
			}
		}
		if e.LastMs == 0 {
			e.FirstMs = 0
		}
		slices.SortFunc(e.Arms, func(a, b Arm) int { return cmp.Compare(a.Name, b.Name) })
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Experiment) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// currentRamp finds the ramp step of an arm's latest auction and its start: the
// first auction at this ramp after the last one at any other.
func (m *Merged) currentRamp(arm string, tracks []*track) Arm {
	slices.SortFunc(tracks, func(a, b *track) int { return a.key.Compare(b.key) })
	var current *track
	var currentLast int64
	for _, t := range tracks {
		if _, last := m.span(t); current == nil || last >= currentLast {
			current, currentLast = t, last
		}
	}
	var before int64
	for _, t := range tracks {
		if t == current {
			continue
		}
		if _, last := m.span(t); last < currentLast {
			before = max(before, last)
		}
	}
	return Arm{Name: arm, RampPercent: current.key.RampPercent, SinceMs: m.firstAfter(current, before)}
}

// firstAfter is the earliest auction of a track that is known to be later than
// ms, 0 without any: panes know their first and their last. Panes are put
// together over the source partitions, at the width that they have by the
// newest event of all, so that the answer depends on neither.
func (m *Merged) firstAfter(t *track, ms int64) int64 {
	first, last := map[int64]int64{}, map[int64]int64{}
	for _, e := range m.retained(t) {
		start := m.opts.Levels.At(e.pane.StartMs, m.newest).StartMs
		for _, p := range e.parts {
			if f := p.packed.firstMs; f != 0 && (first[start] == 0 || f < first[start]) {
				first[start] = f
			}
			last[start] = max(last[start], p.packed.lastMs)
		}
	}
	found := int64(math.MaxInt64)
	for start, f := range first {
		if f > ms {
			found = min(found, f)
		} else if l := last[start]; l > ms {
			found = min(found, l)
		}
	}
	if found == math.MaxInt64 {
		return 0 // the panes of its auctions have expired, those of its winners have not
	}
	return found
}

// span is the event times of a track's first and last auction, 0 without any.
func (m *Merged) span(t *track) (first, last int64) {
	for _, e := range m.retained(t) {
		for _, p := range e.parts {
			if f := p.packed.firstMs; f != 0 && (first == 0 || f < first) {
				first = f
			}
			last = max(last, p.packed.lastMs)
		}
	}
	return first, last
}

// retained is a track's panes within the retention by the newest event of all.
// A source that lags behind may hold older ones for a while.
func (m *Merged) retained(t *track) []entry {
	i, _ := slices.BinarySearchFunc(t.panes, m.opts.Levels.Horizon(m.newest),
		func(e entry, ms int64) int { return cmp.Compare(e.pane.StartMs, ms) })
	return t.panes[i:]
}
