package aggregator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// ErrUnknownExperiment means that no auction of the experiment was seen.
var ErrUnknownExperiment = errors.New("unknown experiment")

// ErrSliceNotKept means that a breakdown was asked for that is not configured.
var ErrSliceNotKept = errors.New("slice is not kept")

// Query selects what a summary or a series is about.
type Query struct {
	Experiment   string
	FromMs, ToMs int64 // [from, to), widened to whole panes; 0, 0: all
	Slice        []string
	Where        []Label
	RampPercent  *float64 // nil: all
}

// Summary is the answer to a Query.
type Summary struct {
	FromMs, ToMs int64 // the bounds used
	Arms         []ArmSums
}

// ArmSums is one arm of a Summary.
type ArmSums struct {
	Arm          string
	RampPercents []float64 // ascending
	Total        *Sums     // under Where
	Slices       []SliceSums
}

// SliceSums is one row of a breakdown.
type SliceSums struct {
	Labels []Label
	Sums   *Sums
}

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

// WindowSums is one cell in one sliding window that ends at the newest event.
type WindowSums struct {
	Key    Key
	Window time.Duration
	Sums   *Sums
}

// Summary sums an experiment's cells over [from, to).
func (m *Merged) Summary(q Query) (*Summary, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tracks, err := m.selectTracks(q)
	if err != nil {
		return nil, err
	}
	from, to := m.bounds(q)
	out := &Summary{FromMs: from, ToMs: to}
	for _, t := range tracks {
		sums := m.sum(t, from, to)
		if sums == nil {
			continue
		}
		i, found := slices.BinarySearchFunc(out.Arms, t.key.Arm, func(a ArmSums, arm string) int { return cmp.Compare(a.Arm, arm) })
		if !found {
			out.Arms = slices.Insert(out.Arms, i, ArmSums{Arm: t.key.Arm, Total: &Sums{}})
		}
		arm := &out.Arms[i]
		if n := len(arm.RampPercents); n == 0 || !slices.Contains(arm.RampPercents, t.key.RampPercent) {
			arm.RampPercents = append(arm.RampPercents, t.key.RampPercent)
		}
		if len(q.Slice) == 0 {
			arm.Total.Add(sums)
			continue
		}
		labels, _ := project(t.key.Labels.List(), q.Slice)
		arm.slice(labels).Add(sums)
	}
	if len(q.Slice) > 0 {
		if err := m.fillTotals(q, from, to, out); err != nil {
			return nil, err
		}
	}
	for i := range out.Arms {
		slices.Sort(out.Arms[i].RampPercents)
	}
	return out, nil
}

func (a *ArmSums) slice(labels Labels) *Sums {
	i, found := slices.BinarySearchFunc(a.Slices, labels, func(s SliceSums, l Labels) int {
		return cmp.Compare(MakeLabels(s.Labels), l)
	})
	if !found {
		a.Slices = slices.Insert(a.Slices, i, SliceSums{Labels: labels.List(), Sums: &Sums{}})
	}
	return a.Slices[i].Sums
}

// fillTotals takes the totals of a broken-down summary from the cells without
// the breakdown, since an auction that lacks a dimension is in no slice of it.
func (m *Merged) fillTotals(q Query, from, to int64, out *Summary) error {
	q.Slice = nil
	tracks, err := m.selectTracks(q)
	if err != nil {
		if errors.Is(err, ErrSliceNotKept) {
			// Only the wider slice is kept: its rows are the total.
			for i := range out.Arms {
				for _, s := range out.Arms[i].Slices {
					out.Arms[i].Total.Add(s.Sums)
				}
			}
			return nil
		}
		return err
	}
	for _, t := range tracks {
		sums := m.sum(t, from, to)
		if sums == nil {
			continue
		}
		i, found := slices.BinarySearchFunc(out.Arms, t.key.Arm, func(a ArmSums, arm string) int { return cmp.Compare(a.Arm, arm) })
		if !found {
			out.Arms = slices.Insert(out.Arms, i, ArmSums{Arm: t.key.Arm, Total: &Sums{}})
		}
		arm := &out.Arms[i]
		if !slices.Contains(arm.RampPercents, t.key.RampPercent) {
			arm.RampPercents = append(arm.RampPercents, t.key.RampPercent)
		}
		arm.Total.Add(sums)
	}
	return nil
}

// selectTracks finds the cells that a query sums: those of the breakdown by
// exactly the dimensions of slice and where. A wider breakdown would not do,
// because it lacks the auctions that lack one of its other dimensions.
func (m *Merged) selectTracks(q Query) ([]*track, error) {
	names := slices.Clone(q.Slice)
	for _, l := range q.Where {
		if !slices.Contains(names, l.Name) {
			names = append(names, l.Name)
		}
	}
	slices.Sort(names)
	want := strings.Join(slices.Compact(names), ",")
	kept := m.keptSlices(q.Experiment)
	if kept == nil {
		return nil, fmt.Errorf("experiment %q: no auction of it was seen: %w", q.Experiment, ErrUnknownExperiment)
	}
	if !slices.Contains(kept, want) {
		return nil, fmt.Errorf("slice %q: kept are %s: %w", want, quoteKept(kept), ErrSliceNotKept)
	}
	var out []*track
	for k, t := range m.tracks {
		if k.Experiment != q.Experiment || k.Labels.Names() != want {
			continue
		}
		if q.RampPercent != nil && k.RampPercent != *q.RampPercent {
			continue
		}
		if matches(k.Labels.List(), q.Where) {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *track) int { return a.key.Compare(b.key) })
	return out, nil
}

// keptSlices lists the breakdowns of an experiment as joined names, "" being
// the total; nil when the experiment is unknown.
func (m *Merged) keptSlices(experiment string) []string {
	set := map[string]bool{}
	for k := range m.tracks {
		if k.Experiment == experiment {
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

func matches(have, where []Label) bool {
	for _, w := range where {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// bounds widens a query's bounds to whole panes. Without bounds they are those
// of the whole experiment, not of the cells selected: a breakdown must not cut
// off what is outside of it.
func (m *Merged) bounds(q Query) (from, to int64) {
	first, last := int64(math.MaxInt64), int64(0)
	for k, t := range m.tracks {
		if n := len(t.panes); n > 0 && k.Experiment == q.Experiment {
			first = min(first, m.opts.Levels.At(t.panes[0].pane.StartMs, m.newest).StartMs)
			last = max(last, m.opts.Levels.At(t.panes[n-1].pane.StartMs, m.newest).EndMs())
		}
	}
	if last == 0 {
		first = 0
	}
	from, to = first, last
	if q.FromMs > 0 {
		from = m.opts.Levels.At(q.FromMs, m.newest).StartMs
	}
	if q.ToMs > 0 {
		to = m.opts.Levels.At(q.ToMs-1, m.newest).EndMs()
	}
	return max(from, m.opts.Levels.Horizon(m.newest)), to
}

// sum adds up a track over [from, to), nil when it has nothing there.
func (m *Merged) sum(t *track, from, to int64) *Sums {
	i, _ := slices.BinarySearchFunc(t.panes, from, func(e entry, from int64) int { return cmp.Compare(e.pane.StartMs, from) })
	var total *Sums
	for ; i < len(t.panes) && t.panes[i].pane.StartMs < to; i++ {
		e := &t.panes[i]
		mature := m.mature(e.pane)
		for _, p := range e.parts {
			if total == nil {
				total = &Sums{}
			}
			total.Add(p.sums)
			if mature {
				total.Winners.Mature.add(p.sums.Winners.All)
			}
		}
	}
	return total
}

// mature reports whether the attribution window of every impression that the
// pane can hold has closed by the newest event.
func (m *Merged) mature(p Pane) bool {
	return m.opts.Levels.At(p.StartMs, m.newest).EndMs()+m.opts.AttributionWindow.Milliseconds() <= m.newest
}

// Experiments lists the experiments by name.
func (m *Merged) Experiments() []Experiment {
	m.mu.RLock()
	defer m.mu.RUnlock()
	byName := map[string]map[string][]*track{}
	for k, t := range m.tracks {
		if k.Labels != "" {
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
				first, last := t.span()
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
		if _, last := t.span(); current == nil || last >= currentLast {
			current, currentLast = t, last
		}
	}
	var before int64
	for _, t := range tracks {
		if t == current {
			continue
		}
		if _, last := t.span(); last < currentLast {
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
	for i := range t.panes {
		start := m.opts.Levels.At(t.panes[i].pane.StartMs, m.newest).StartMs
		for _, p := range t.panes[i].parts {
			if f := p.sums.FirstMs; f != 0 && (first[start] == 0 || f < first[start]) {
				first[start] = f
			}
			last[start] = max(last[start], p.sums.LastMs)
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
func (t *track) span() (first, last int64) {
	for i := range t.panes {
		for _, p := range t.panes[i].parts {
			if f := p.sums.FirstMs; f != 0 && (first == 0 || f < first) {
				first = f
			}
			last = max(last, p.sums.LastMs)
		}
	}
	return first, last
}

// Windows returns the running sums of every cell in every window, sorted by
// key; the sums are copies.
func (m *Merged) Windows() []WindowSums {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out []WindowSums
	for k, t := range m.tracks {
		for w := range t.windows {
			sums := t.windows[w].sum.Clone()
			for i := t.windows[w].first; i < len(t.panes); i++ {
				if e := &t.panes[i]; m.mature(e.pane) {
					for _, p := range e.parts {
						sums.Winners.Mature.add(p.sums.Winners.All)
					}
				}
			}
			out = append(out, WindowSums{Key: k, Window: m.opts.Windows[w], Sums: sums})
		}
	}
	slices.SortFunc(out, func(a, b WindowSums) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.Window, b.Window))
	})
	return out
}

// Series returns an arm's sums step by step over [from, to); steps are widened
// to whole panes and steps without data are left out.
func (m *Merged) Series(q Query, step time.Duration) (map[string][]Point, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tracks, err := m.selectTracks(q)
	if err != nil {
		return nil, err
	}
	from, to := m.bounds(q)
	out := map[string][]Point{}
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
				points[k].Sums.Add(p.sums)
				if m.mature(e.pane) {
					points[k].Sums.Winners.Mature.add(p.sums.Winners.All)
				}
			}
		}
		out[t.key.Arm] = points
	}
	return out, nil
}

// Point is one step of a series.
type Point struct {
	StartMs int64
	Sums    *Sums
}
