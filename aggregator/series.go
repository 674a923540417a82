package aggregator

import (
	"cmp"
	"slices"
	"time"
)

// WindowSums is one cell in one sliding window that ends at the newest event.
type WindowSums struct {
	Key    Key
	Window time.Duration
	Sums   *Sums
	Curves *Curves // of the key's experiment
}

// Windows returns the running sums of every cell in every window, sorted by
// key; the sums are copies.
func (m *Merged) Windows() []WindowSums {
	return m.WindowsOf(func(string) bool { return true })
}

// WindowsOf is Windows of the experiments that keep names.
func (m *Merged) WindowsOf(keep func(experiment string) bool) []WindowSums {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []WindowSums
	curves := map[string]*Curves{}
	for k, t := range m.tracks {
		if m.replay || len(m.retained(t)) == 0 || !keep(k.Experiment) {
			continue
		}
		if curves[k.Experiment] == nil {
			curves[k.Experiment] = m.curves(k.Experiment)
		}
		for w := range t.windows {
			sums := t.windows[w].sum.Clone()
			for i := t.windows[w].first; i < len(t.panes); i++ {
				e := &t.panes[i]
				passed := m.passed(e.pane)
				for _, p := range e.parts {
					addCohort(&sums.Winners.Ages, p.packed.types, passed)
				}
			}
			out = append(out, WindowSums{Key: k, Window: m.opts.Windows[w], Sums: sums, Curves: curves[k.Experiment]})
		}
	}
	slices.SortFunc(out, func(a, b WindowSums) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.Window, b.Window))
	})
	return out
}

// Series are sums over time.
type Series struct {
	Arms   map[string][]Point
	Ramp   map[string][]RampStep // by arm, of the whole experiment
	Curves *Curves
}

// Series returns each arm's sums step by step over [from, to); steps are widened
// to whole panes and steps without data are left out.
func (m *Merged) Series(q Query, step time.Duration) (*Series, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tracks, err := m.selectTracks(q)
	if err != nil {
		return nil, err
	}
	from, to := m.bounds(q)
	out := map[string][]Point{}
	var scratch Sums
	for _, t := range tracks {
		points := out[t.key.Arm]
		for i := range t.panes {
			e := &t.panes[i]
			at := m.opts.Levels.At(e.pane.StartMs, m.newest)
			if at.StartMs < from || at.StartMs >= to {
				continue
			}
			start := floorTo(at.StartMs, step.Milliseconds())
			k, found := slices.BinarySearchFunc(points, start, func(p Point, s int64) int { return cmp.Compare(p.StartMs, s) })
			if !found {
				points = slices.Insert(points, k, Point{StartMs: start, Sums: &Sums{}})
			}
			for _, p := range e.parts {
				p.packed.addTo(points[k].Sums, &scratch)
				addCohort(&points[k].Sums.Winners.Ages, p.packed.types, m.passed(e.pane))
			}
		}
		out[t.key.Arm] = points
	}
	return &Series{Arms: out, Ramp: m.rampSteps(q.Experiment), Curves: m.curves(q.Experiment)}, nil
}

// Point is one step of a series.
type Point struct {
	StartMs int64
	Sums    *Sums
}
