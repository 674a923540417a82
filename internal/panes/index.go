package panes

import (
	"iter"
	"sync"

	"github.com/rampgauge/rampgauge/aggregator"
)

// index is what the topic holds: of each source, the panes whose last record
// has a value, with its version. It costs some 80 bytes a pane.
type index struct {
	mu      sync.Mutex
	cells   map[aggregator.Key]*indexCell
	sources map[int32]*sourceIndex
}

// indexCell is a cell's name, shared by its panes.
type indexCell struct {
	key aggregator.Key
	n   int // panes
}

type sourceIndex struct {
	held  map[indexKey]aggregator.Version
	owner *Source // nil: not owned here
}

type indexKey struct {
	cell *indexCell
	pane aggregator.Pane
}

func newIndex() index {
	return index{cells: map[aggregator.Key]*indexCell{}, sources: map[int32]*sourceIndex{}}
}

func (x *index) source(number int32) *sourceIndex {
	s := x.sources[number]
	if s == nil {
		s = &sourceIndex{held: map[indexKey]aggregator.Version{}}
		x.sources[number] = s
	}
	return s
}

func (x *index) open(s *Source) {
	x.mu.Lock()
	defer x.mu.Unlock()
	of := x.source(s.number)
	if of.owner != nil {
		of.owner.stop()
	}
	of.owner = s
}

func (x *index) close(s *Source) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if of := x.source(s.number); of.owner == s {
		of.owner = nil
	}
}

// note takes in a record and returns the source's owner, nil where it is not here.
func (x *index) note(source int32, c aggregator.CellPane, v aggregator.Version, removes bool) *Source {
	x.mu.Lock()
	defer x.mu.Unlock()
	of := x.source(source)
	cell := x.cells[c.Key]
	if cell == nil {
		if removes {
			return of.owner
		}
		cell = &indexCell{key: c.Key}
		x.cells[c.Key] = cell
	}
	k := indexKey{cell, c.Pane}
	_, had := of.held[k]
	switch {
	case !removes:
		of.held[k] = v
		if !had {
			cell.n++
		}
	case had:
		delete(of.held, k)
		cell.n--
	}
	if cell.n == 0 {
		delete(x.cells, c.Key)
	}
	return of.owner
}

// owner is a source's owner, nil where it is not here.
func (x *index) owner(source int32) *Source {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.source(source).owner
}

// held yields what the topic holds of a source. The reader waits meanwhile.
func (x *index) held(source int32) iter.Seq2[aggregator.CellPane, aggregator.Version] {
	return func(yield func(aggregator.CellPane, aggregator.Version) bool) {
		x.mu.Lock()
		defer x.mu.Unlock()
		for k, v := range x.source(source).held {
			if !yield(aggregator.CellPane{Key: k.cell.key, Pane: k.pane}, v) {
				return
			}
		}
	}
}

// unsettled reports whether a source owned here is still to be compared with
// the topic, or has something to correct.
func (x *index) unsettled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, of := range x.sources {
		if s := of.owner; s != nil && !s.fenced.Load() && (!s.reconciled.Load() || s.Asks()) {
			return true
		}
	}
	return false
}

// reset forgets what the topic holds, and has all sources here compared anew.
func (x *index) reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.cells)
	for _, of := range x.sources {
		clear(of.held)
		if of.owner != nil {
			of.owner.startOver()
		}
	}
}
