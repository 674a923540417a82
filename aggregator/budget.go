package aggregator

import (
	"cmp"
	"math"
	"slices"

	"github.com/zeebo/xxh3"
)

// budget bounds the number of cells with labels. What it keeps is a function of
// the set of cells seen, not of their order: label sets are ranked by a hash,
// and the longest prefix of that ranking whose cells fit is kept. A label set
// that has left never comes back, because more cells only shorten the prefix;
// and what the union of two sources keeps, each of them kept.
//
// All arms and ramps of one label set stay or leave together, so that whatever
// is shown can be compared. Totals are not counted and never cut.
type budget struct {
	max       int
	threshold uint64 // label sets ranked at or above have left
	groups    map[group]*ranked
	cells     int
	dropped   int64
	evict     func(Key)
}

type group struct {
	experiment string
	labels     Labels
}

type ranked struct {
	hash  uint64
	cells map[Key]struct{}
}

func newBudget(maxCells int, evict func(Key)) *budget {
	return &budget{max: maxCells, threshold: math.MaxUint64, groups: map[group]*ranked{}, evict: evict}
}

// allow reports whether k is kept, cutting others where k's arrival needs it.
func (b *budget) allow(k Key) bool {
	if k.Labels == "" || b.max <= 0 {
		return true
	}
	g := group{k.Experiment, k.Labels}
	r := b.groups[g]
	if r == nil {
		h := xxh3.HashString(k.Experiment + "\x00" + string(k.Labels))
		if h >= b.threshold {
			return false
		}
		r = &ranked{hash: h, cells: map[Key]struct{}{}}
		b.groups[g] = r
	}
	if _, ok := r.cells[k]; ok {
		return true
	}
	r.cells[k] = struct{}{}
	b.cells++
	if b.cells > b.max {
		b.cut()
	}
	return r.hash < b.threshold
}

func (b *budget) cut() {
	type item struct {
		group group
		*ranked
	}
	var all []item
	for g, r := range b.groups {
		all = append(all, item{g, r})
	}
	slices.SortFunc(all, func(x, y item) int { return cmp.Compare(y.hash, x.hash) })
	for _, it := range all {
		if b.cells <= b.max {
			break
		}
		b.threshold = it.hash
		b.cells -= len(it.cells)
		b.dropped += int64(len(it.cells))
		for k := range it.cells {
			b.evict(k)
		}
		delete(b.groups, it.group)
	}
}
