package aggregator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
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
		if panes := m.retained(t); len(panes) > 0 && k.Experiment == q.Experiment {
			first = min(first, m.opts.Levels.At(panes[0].pane.StartMs, m.newest).StartMs)
			last = max(last, m.opts.Levels.At(panes[len(panes)-1].pane.StartMs, m.newest).EndMs())
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
	var scratch Sums
	for ; i < len(t.panes) && t.panes[i].pane.StartMs < to; i++ {
		e := &t.panes[i]
		passed := m.passed(e.pane)
		for _, p := range e.parts {
			if total == nil {
				total = &Sums{}
			}
			p.packed.addTo(total, &scratch)
			addCohort(&total.Winners.Ages, p.packed.types, passed)
		}
	}
	return total
}

// passed is how many buckets of delays have gone by in full for every impression
// that the pane can hold.
func (m *Merged) passed(p Pane) int {
	age := m.newest - m.opts.Levels.At(p.StartMs, m.newest).EndMs() // of the youngest
	if age >= m.opts.AttributionWindow.Milliseconds() {
		return delayBuckets // no conversion counts that comes later
	}
	n, found := slices.BinarySearch(delayEdgesMs[:], age)
	if found {
		n++
	}
	return n
}
