package aggregator

import (
	"math"

	"github.com/zeebo/xxh3"
)

// budget bounds the number of cells with labels. What it keeps is a function of
// the set of cells seen, not of their order: label sets are ranked by a hash,
// and the longest prefix of that ranking whose cells fit is kept. A label set
// that has left never comes back, because more cells only shorten the prefix;
// and what the union of two sources keeps, each of them kept. A reader must be
// told where its sources have cut, or it would keep what is left of a label set
// that one of them has cut and another has not.
//
// All arms and ramps of one label set stay or leave together, so that whatever
// is shown can be compared. Totals are not counted and never cut. Cells whose
// panes have all expired are not counted any more.
type budget struct {
	max       int
	threshold uint64 // label sets ranked at or above have left
	cutAt     group  // the label set ranked at the threshold
	groups    map[group]*ranked
	ranking   []*ranked // a heap: what ranks highest, and so leaves next, first
	cells     int
	dropped   int64
	suspended bool // what is too much stays until enforce
	evict     func(Key)
}

type group struct {
	experiment string
	labels     Labels
}

func (k Key) group() group { return group{k.Experiment, k.Labels} }

func (g group) rank() uint64 { return xxh3.HashString(g.experiment + "\x00" + string(g.labels)) }

type ranked struct {
	group group
	rank  uint64
	cells map[Key]struct{}
	at    int // its place in the heap
}

func newBudget(maxCells int, evict func(Key)) *budget {
	return &budget{max: maxCells, threshold: math.MaxUint64, groups: map[group]*ranked{}, evict: evict}
}

// allow reports whether k is kept, cutting others where k's arrival needs it.
func (b *budget) allow(k Key) bool {
	if k.Labels == "" || b.max <= 0 {
		return true
	}
	g := k.group()
	r := b.groups[g]
	if r == nil {
		rank := g.rank()
		if rank >= b.threshold {
			return false
		}
		r = &ranked{group: g, rank: rank, cells: map[Key]struct{}{}}
		b.groups[g] = r
		b.push(r)
	}
	if _, ok := r.cells[k]; ok {
		return true
	}
	r.cells[k] = struct{}{}
	b.cells++
	if !b.suspended {
		b.enforce()
	}
	return r.rank < b.threshold
}

// enforce cuts until what is left fits.
func (b *budget) enforce() {
	for b.max > 0 && b.cells > b.max {
		b.cut(b.ranking[0].group)
	}
}

// keeps reports whether k has not been cut; unlike allow it takes no place.
func (b *budget) keeps(k Key) bool {
	return k.Labels == "" || b.max <= 0 || k.group().rank() < b.threshold
}

// cut takes out a label set, and all that rank above it.
func (b *budget) cut(g group) {
	rank := g.rank()
	if rank >= b.threshold {
		return
	}
	b.threshold, b.cutAt = rank, g
	for len(b.ranking) > 0 && b.ranking[0].rank >= rank {
		r := b.pop()
		delete(b.groups, r.group)
		b.cells -= len(r.cells)
		b.dropped += int64(len(r.cells))
		for cell := range r.cells {
			b.evict(cell)
		}
	}
}

// release gives back the place of a cell of which all panes have expired. What
// has been cut stays out: it would come back with its beginning missing.
func (b *budget) release(k Key) {
	r := b.groups[k.group()]
	if r == nil {
		return
	}
	if _, ok := r.cells[k]; !ok {
		return
	}
	delete(r.cells, k)
	b.cells--
	if len(r.cells) == 0 {
		delete(b.groups, r.group)
		b.remove(r.at)
	}
}

func (b *budget) push(r *ranked) {
	b.ranking = append(b.ranking, nil)
	b.up(len(b.ranking)-1, r)
}

func (b *budget) pop() *ranked {
	top := b.ranking[0]
	b.remove(0)
	return top
}

// remove takes out of the heap what is at place i.
func (b *budget) remove(i int) {
	last := len(b.ranking) - 1
	moved := b.ranking[last]
	b.ranking[last] = nil
	b.ranking = b.ranking[:last]
	if i < last {
		b.down(i, moved)
		b.up(moved.at, moved)
	}
}

// up puts r at place i, or above it where it ranks higher.
func (b *budget) up(i int, r *ranked) {
	for i > 0 {
		parent := (i - 1) / 2
		if b.ranking[parent].rank >= r.rank {
			break
		}
		b.place(i, b.ranking[parent])
		i = parent
	}
	b.place(i, r)
}

// down puts r at place i, or below it where it ranks lower.
func (b *budget) down(i int, r *ranked) {
	for {
		child := 2*i + 1
		if child >= len(b.ranking) {
			break
		}
		if child+1 < len(b.ranking) && b.ranking[child+1].rank > b.ranking[child].rank {
			child++
		}
		if r.rank >= b.ranking[child].rank {
			break
		}
		b.place(i, b.ranking[child])
		i = child
	}
	b.place(i, r)
}

func (b *budget) place(i int, r *ranked) { b.ranking[i], r.at = r, i }
