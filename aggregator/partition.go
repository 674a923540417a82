package aggregator

import (
	"slices"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Partition turns what one input partition joins into upserts. It belongs to
// one goroutine, and the predictions that it is given come from one Decoder.
type Partition struct {
	opts       Options
	dimensions []string // that any slice is made of

	routeIDs, familyIDs, versionIDs, stageIDs, optTypeIDs, conversionTypeIDs interner

	lastFamilies, lastVersions, lastStages, lastOptTypes lastTable

	routes          []route
	targets         []target
	families        [][]string
	versions        []versionTable
	stages          []stageTable
	optTypes        [][]string
	conversionTypes []string
	towers          []string

	cells   map[cellKey]*cell // not yet flushed
	free    []*cell
	measure measures

	newest  int64 // newest event time, ms
	expired int64 // contributions older than the retention
	store   *paneStore
}

type cellKey struct {
	target int32
	pane   int64
}

// NewPartition returns an empty Partition.
func NewPartition(opts Options) *Partition {
	p := &Partition{
		opts:     opts,
		routeIDs: newInterner(), familyIDs: newInterner(), versionIDs: newInterner(), stageIDs: newInterner(),
		optTypeIDs: newInterner(), conversionTypeIDs: newInterner(),
		cells: map[cellKey]*cell{},
		store: newPaneStore(opts),
	}
	for _, names := range opts.Slices {
		for _, name := range names {
			if !slices.Contains(p.dimensions, name) {
				p.dimensions = append(p.dimensions, name)
			}
		}
	}
	return p
}

// Observe notes an event time, of any stream. Ages of panes are measured
// against the newest.
func (p *Partition) Observe(ms int64) { p.newest = max(p.newest, ms) }

// NewestMs is the newest event time observed, 0 before the first.
func (p *Partition) NewestMs() int64 { return p.newest }

// Expired is how many contributions were left out because their pane is older
// than the retention.
func (p *Partition) Expired() int64 { return p.expired }

// Pending is how many cells wait for the next Flush.
func (p *Partition) Pending() int { return len(p.cells) }

// cell returns the collecting cell of a target for an event time, nil when the
// time is older than the retention.
func (p *Partition) cell(target int32, ms int64) *cell {
	start := floorTo(ms, p.opts.Levels.Fine.Milliseconds())
	t := &p.targets[target]
	if t.cell != nil && t.cell.pane == start {
		return t.cell
	}
	key := cellKey{target, start}
	c := p.cells[key]
	if c == nil {
		if ms < p.opts.Levels.Horizon(p.newest) {
			p.expired++
			return nil
		}
		if n := len(p.free); n > 0 {
			c, p.free = p.free[n-1], p.free[:n-1]
		} else {
			c = &cell{}
		}
		c.target, c.pane = target, start
		p.cells[key] = c
	}
	t.cell = c
	return c
}

// Candidates counts the candidates of a prediction in all cells of its route.
// cluster is a hash of what was randomised; first says that no record of the
// auction was counted before.
func (p *Partition) Candidates(r Route, e *event.Prediction, cluster uint64, first bool) {
	c := &e.Candidates
	weighted := e.Weight() != 1
	bucket := clusterBucket(cluster)
	unit := unitHash(e.UnitID)
	m := &p.measure
	if !weighted && c.Len() > 0 {
		m.take(p, e)
	}
	for _, target := range p.routes[r].targets {
		cell := p.cell(target, e.EventTimeMs)
		if cell == nil {
			continue
		}
		cell.seen(e.EventTimeMs)
		if first {
			cell.auctions++
		}
		if e.UnitID != 0 {
			cell.units.add(unit)
		}
		switch {
		case c.Len() == 0:
		case weighted:
			p.addWeighted(&cell.rare.Candidates, e, bucket)
		default:
			m.addTo(cell, c, bucket)
		}
	}
}

// Republish makes the next Flush return every pane, for a reader that starts anew.
func (p *Partition) Republish() { p.store.republish() }

// Flush returns what changed since the last one, as cumulative values, and
// forgets panes older than the retention. The result is valid until the next
// call; the sums in it for good.
func (p *Partition) Flush() []Upsert {
	p.Collect()
	return p.store.flush(p.newest)
}

// Collect adds the cells that wait to their panes, without publishing them:
// their memory is free for others.
func (p *Partition) Collect() {
	cells := make([]*cell, 0, len(p.cells))
	for _, c := range p.cells {
		cells = append(cells, c)
	}
	for _, c := range cells {
		sums := p.sums(c)
		t := &p.targets[c.target]
		t.cell = nil
		ofSlice := sums.withoutUnits()
		for _, key := range t.keys {
			delta := ofSlice
			if key.Labels == "" {
				delta = sums
			}
			p.store.add(key, c.pane, p.newest, delta)
		}
		c.reset()
		p.free = append(p.free, c)
	}
	clear(p.cells)
}
