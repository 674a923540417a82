package aggregator

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Increment is what a stretch of event time adds to an experiment: to each arm,
// and to each of its slices, with all shares of the ramp together.
//
// Candidates, and calls, are those of the panes in it. Labels come later, and so
// what the stretch adds to them are the cohorts that closed in it, of whatever
// impressions: see Cohort.
type Increment struct {
	FromMs, ToMs int64           // event time, [from, to)
	Cells        []IncrementCell // sorted by arm, then labels; those without anything left out
}

// IncrementCell is one arm of an Increment, or a slice of it.
type IncrementCell struct {
	Arm    string
	Labels Labels // empty: the whole arm
	// RampPercent is the whole arm's share of the traffic that most of its auctions
	// in the Increment had; where there were none, the last one that it had.
	RampPercent float64
	Sums        *Sums
	Cohorts     []Cohort      // sorted by optimization type, then delay
	Complete    *WinnerSums   // of the panes whose attribution window closed, nil without any
	Delays      []CohortDelay // of the conversions of Complete, sorted by optimization type
	// DesignEffect is by how much units with several conversions raise the variance
	// of their number, at least 1. It is that of the cell's longest sliding window:
	// one pane has too few of a unit to show it.
	DesignEffect float64
}

// Increment adds up what [from, to) adds to an experiment. The bounds are those of
// panes. It is a function of the panes and of the bounds, but for Matured, Delays
// and DesignEffect, which rest on what has been learned until now: asking for
// consecutive stretches, in whatever process, counts nothing twice.
//
// A pane is counted whole where it begins, at the width that it has by the newest
// event. Should panes have been rolled up before the stretch is asked for, which
// takes an age of Levels.FineFor, the rest of a pane that was begun at a finer
// width is left out.
//
// The error is ErrUnknownExperiment.
func (m *Merged) Increment(experiment string, fromMs, toMs int64) (*Increment, error) {
	b := &incrementBuilder{from: fromMs, to: toMs, index: map[Key]int32{}, ramps: map[string]*rampOf{}}
	curves, err := m.gather(experiment, b)
	if err != nil {
		return nil, err
	}
	// What panes hold is immutable, and is read without the lock.
	return b.build(curves), nil
}

// gather notes which panes an increment is made of, under the lock.
func (m *Merged) gather(experiment string, b *incrementBuilder) (*Curves, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	closing := m.closing(b.from, b.to)
	known := false
	for k, t := range m.tracks {
		if k.Experiment != experiment {
			continue
		}
		panes := m.retained(t)
		if len(panes) == 0 {
			continue
		}
		known = true
		before := len(b.refs)
		m.gatherPanes(b, k, panes)
		for i := range closing {
			m.gatherCohorts(b, k, panes, &closing[i])
		}
		if k.Labels == "" {
			b.noteRamp(k, panes)
		}
		if len(b.refs) > before {
			b.cellOf(k).takeClusters(m.longest(t))
		}
	}
	if !known {
		return nil, fmt.Errorf("experiment %q: no auction of it was seen: %w", experiment, ErrUnknownExperiment)
	}
	return m.curves(experiment), nil
}

// gatherPanes notes the panes that begin in the increment.
func (m *Merged) gatherPanes(b *incrementBuilder, k Key, panes []entry) {
	i, _ := slices.BinarySearchFunc(panes, b.from, startsAt)
	for ; i < len(panes); i++ {
		switch at := m.opts.Levels.At(panes[i].pane.StartMs, m.newest).StartMs; {
		case at >= b.to:
			return
		case at >= b.from:
			b.refer(k, &panes[i], -1, false)
		}
	}
}

func startsAt(e entry, ms int64) int { return cmp.Compare(e.pane.StartMs, ms) }

// longest is the sum of the longest sliding window of a track, nil without any.
func (m *Merged) longest(t *track) *Sums {
	best := -1
	for w := range t.windows {
		if best < 0 || m.opts.Windows[w] > m.opts.Windows[best] {
			best = w
		}
	}
	if best < 0 {
		return nil
	}
	return &t.windows[best].sum
}

// FirstFineMs is where the earliest pane of an experiment begins that is not due to be
// rolled up yet; ok is false where there is none.
func (m *Merged) FirstFineMs(experiment string) (ms int64, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	edge := m.opts.Levels.minuteEdge(m.newest)
	for k, t := range m.tracks {
		if k.Experiment != experiment || k.Labels != "" {
			continue
		}
		if i, _ := slices.BinarySearchFunc(t.panes, edge, startsAt); i < len(t.panes) {
			if at := t.panes[i].pane.StartMs; !ok || at < ms {
				ms, ok = at, true
			}
		}
	}
	return ms, ok
}

// incrementBuilder collects what an increment is made of.
type incrementBuilder struct {
	from, to int64
	index    map[Key]int32 // of cells, by arm and labels
	cells    []incrementCell
	refs     []incrementRef
	ramps    map[string]*rampOf // by arm
	scratch  Sums
}

// incrementRef is a part of a pane that is in an increment.
type incrementRef struct {
	cell   int32
	bucket int16 // of delay, that closed; -1: the pane itself
	last   bool  // the last of all
	ramp   float64
	packed *packed
}

type incrementCell struct {
	arm      string
	labels   Labels
	sums     Sums
	types    []cohortType // sorted by optimization type
	complete *WinnerSums
	clusters [clusterBuckets]stats.Cell
	labelled float64 // weight of labels in clusters
}

// rampOf finds the share of the traffic of an arm.
type rampOf struct {
	auctions  map[float64]int64
	last      float64 // the newest share before the end of the increment
	lastPane  int64
	lastFirst int64
}

func (b *incrementBuilder) cellOf(k Key) *incrementCell {
	key := Key{Arm: k.Arm, Labels: k.Labels}
	i, known := b.index[key]
	if !known {
		i = int32(len(b.cells))
		b.index[key] = i
		b.cells = append(b.cells, incrementCell{arm: k.Arm, labels: k.Labels})
	}
	return &b.cells[i]
}

func (b *incrementBuilder) refer(k Key, e *entry, bucket int, last bool) {
	b.cellOf(k)
	cell := b.index[Key{Arm: k.Arm, Labels: k.Labels}]
	for i := range e.parts {
		b.refs = append(b.refs, incrementRef{cell: cell, bucket: int16(bucket), last: last, ramp: k.RampPercent, packed: e.parts[i].packed})
	}
}

// noteRamp notes when an arm had a share of the traffic for the last time.
func (b *incrementBuilder) noteRamp(k Key, panes []entry) {
	r := b.ramps[k.Arm]
	if r == nil {
		r = &rampOf{auctions: map[float64]int64{}}
		b.ramps[k.Arm] = r
	}
	i, _ := slices.BinarySearchFunc(panes, b.to, startsAt)
	for i--; i >= 0; i-- {
		first := panes[i].firstMs()
		if first == 0 { // of late labels alone
			continue
		}
		if at := panes[i].pane.StartMs; cmp.Or(cmp.Compare(at, r.lastPane), cmp.Compare(first, r.lastFirst), cmp.Compare(k.RampPercent, r.last)) > 0 {
			r.last, r.lastPane, r.lastFirst = k.RampPercent, at, first
		}
		return
	}
}

func (r *rampOf) percent() float64 {
	ramp, most := r.last, int64(0)
	for at, n := range r.auctions {
		if n > most || n == most && n > 0 && at > ramp {
			ramp, most = at, n
		}
	}
	return ramp
}

func (c *incrementCell) takeClusters(s *Sums) {
	if s == nil {
		return
	}
	w := &s.Winners
	for i, bucket := range w.Clusters.octaves {
		c.clusters[bucket].Add(w.Clusters.pages[i].ratio())
	}
	c.labelled += w.Labels.Weight()
}

// build adds everything up.
func (b *incrementBuilder) build(curves *Curves) *Increment {
	for i := range b.refs {
		b.take(&b.refs[i])
	}
	out := &Increment{FromMs: b.from, ToMs: b.to, Cells: make([]IncrementCell, 0, len(b.cells))}
	for i := range b.cells {
		c := &b.cells[i]
		cell := IncrementCell{Arm: c.arm, Labels: c.labels, Sums: &c.sums, Complete: c.complete, DesignEffect: designEffect(c.clusters[:], c.labelled)}
		if r := b.ramps[c.arm]; r != nil {
			cell.RampPercent = r.percent()
		}
		cell.Cohorts = cohortsOf(c.types, curves)
		cell.Delays = delaysWithin(c.complete, curves)
		out.Cells = append(out.Cells, cell)
	}
	slices.SortFunc(out.Cells, func(a, b IncrementCell) int {
		return cmp.Or(cmp.Compare(a.Arm, b.Arm), cmp.Compare(a.Labels, b.Labels))
	})
	return out
}

func (b *incrementBuilder) take(r *incrementRef) {
	c := &b.cells[r.cell]
	if r.bucket >= 0 {
		c.close(r.packed.types, int(r.bucket))
		if r.last {
			r.packed.unpack(&b.scratch)
			if c.complete == nil {
				c.complete = &WinnerSums{}
			}
			c.complete.add(&b.scratch.Winners)
		}
		return
	}
	r.packed.unpack(&b.scratch)
	c.sums.Add(&b.scratch)
	if c.labels == "" {
		b.ramps[c.arm].auctions[r.ramp] += b.scratch.Candidates.Auctions
	}
}
