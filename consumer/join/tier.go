package join

import (
	"math"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// tier is the memory tier: auctions waiting for impressions, in buckets of
// event time that are dropped whole. All of it is free of pointers, so that
// the garbage collector has nothing to scan, and a bucket's memory is reused.
//
// An auction is a chain of parts, one for each record that brought something
// new; nearly all have one.
type tier struct {
	width   int64 // of a bucket, ms
	index   index
	buckets map[uint32]*bucket // by start/width
	free    []*bucket
	bytes   int64
	evicted int64   // event time before which buckets have been dropped, ms
	last    *bucket // made last: the next one will grow to about its size
}

// ref points at a part: bucket number, part index. 0 is no part.
type ref uint64

func makeRef(b uint32, part int) ref { return ref(b)<<32 | ref(uint32(part+1)) }
func (r ref) bucket() uint32         { return uint32(r >> 32) }
func (r ref) part() int              { return int(uint32(r)) - 1 }

// part is one record's share of an auction.
type part struct {
	id       ID
	next     ref // older part of the same auction
	timeMs   int64
	unitID   uint64
	features uint64 // shared by all candidates, when masks < 0
	items    int    // index of the first candidate in the bucket's columns
	n        int32
	masks    int // index of the first mask, -1: one for all
	refs     int // index of the first reference, -1: none
	calls    int
	numCalls int32
	route    int32
	families int32
	weight   float32
}

const partBytes = 112

// call is one tower call, as far as telling it from another needs.
type call struct {
	tower   uint32 // hash
	latency uint32
	outcome event.Outcome
}

type bucket struct {
	number uint32
	parts  []part
	items  []uint64
	preds  []float32
	refs   []float32
	masks  []uint64
	calls  []call
}

func newTier(width int64) *tier {
	return &tier{width: width, buckets: map[uint32]*bucket{}}
}

func (b *bucket) bytes() int64 {
	return int64(cap(b.parts))*partBytes + 8*int64(cap(b.items)+cap(b.masks)) + 4*int64(cap(b.preds)+cap(b.refs)) + 12*int64(cap(b.calls))
}

// head returns the newest part of an auction, nil when there is none.
func (t *tier) head(id ID) (*part, *bucket) { return t.at(ref(t.index.get(id))) }

// next returns the next older part of the same auction.
func (t *tier) next(p *part) (*part, *bucket) { return t.at(p.next) }

func (t *tier) at(r ref) (*part, *bucket) {
	if r == 0 {
		return nil, nil
	}
	b := t.buckets[r.bucket()]
	if b == nil {
		return nil, nil // the chain's older end has been dropped
	}
	return &b.parts[r.part()], b
}

// put adds a part for the candidates and calls of e.
func (t *tier) put(id ID, route, families int32, e *event.Prediction) *part {
	number := uint32(e.EventTimeMs / t.width)
	b := t.buckets[number]
	if b == nil {
		b = t.newBucket(number)
	}
	before := b.bytes()
	c := &e.Candidates
	b.parts = append(b.parts, part{
		id: id, next: ref(t.index.get(id)), timeMs: e.EventTimeMs, unitID: e.UnitID,
		items: len(b.items), n: int32(c.Len()), masks: -1, refs: -1, calls: len(b.calls), numCalls: int32(len(e.TowerCalls)),
		route: route, families: families, weight: e.Weight(),
	})
	p := &b.parts[len(b.parts)-1]
	b.items = append(b.items, c.ItemIDs...)
	b.preds = append(b.preds, c.Predictions...)
	if len(c.References) > 0 {
		p.refs = len(b.refs)
		b.refs = append(b.refs, c.References...)
	}
	if len(c.FeaturesPresent) > 0 {
		p.features = c.FeaturesPresent[0]
		if c.FeaturesAny != c.FeaturesAll {
			p.masks = len(b.masks)
			b.masks = append(b.masks, c.FeaturesPresent...)
		}
	}
	for i := range e.TowerCalls {
		b.calls = append(b.calls, makeCall(&e.TowerCalls[i]))
	}
	t.index.put(id, uint64(makeRef(number, len(b.parts)-1)))
	t.bytes += b.bytes() - before
	return p
}

func (t *tier) newBucket(number uint32) *bucket {
	var b *bucket
	if n := len(t.free); n > 0 {
		b, t.free = t.free[n-1], t.free[:n-1]
	} else {
		b = t.sized()
	}
	t.last = b
	b.number = number
	t.buckets[number] = b
	t.bytes += b.bytes()
	return b
}

// sized returns a bucket with room for what the last one holds, so that a
// steady stream does not pay for growing each bucket anew.
func (t *tier) sized() *bucket {
	l := t.last
	if l == nil {
		return &bucket{}
	}
	room := func(n int) int { return n + n/16 }
	return &bucket{
		parts: make([]part, 0, room(len(l.parts))),
		items: make([]uint64, 0, room(len(l.items))),
		preds: make([]float32, 0, room(len(l.preds))),
		refs:  make([]float32, 0, room(len(l.refs))),
		masks: make([]uint64, 0, room(len(l.masks))),
		calls: make([]call, 0, room(len(l.calls))),
	}
}

// candidate returns what a part says of an item, by its place in the part.
func (b *bucket) candidate(p *part, i int) (prediction, reference float32, features uint64) {
	prediction, features = b.preds[p.items+i], p.features
	if p.refs >= 0 {
		reference = b.refs[p.refs+i]
	}
	if p.masks >= 0 {
		features = b.masks[p.masks+i]
	}
	return prediction, reference, features
}

// find returns an item's place in a part, -1 when it is not there.
func (b *bucket) find(p *part, item uint64) int {
	for i, have := range b.items[p.items : p.items+int(p.n)] {
		if have == item {
			return i
		}
	}
	return -1
}

// evict drops the oldest bucket when it ends at or before ms, and reports
// whether it did.
func (t *tier) evict(ms int64) bool {
	oldest := uint32(math.MaxUint32)
	for number := range t.buckets {
		oldest = min(oldest, number)
	}
	b := t.buckets[oldest]
	if b == nil || (int64(oldest)+1)*t.width > ms {
		return false
	}
	for i := range b.parts {
		p := &b.parts[i]
		if ref(t.index.get(p.id)) != makeRef(oldest, i) {
			continue
		}
		if p.next != 0 && t.buckets[p.next.bucket()] != nil {
			t.index.put(p.id, uint64(p.next))
		} else {
			t.index.remove(p.id)
		}
	}
	delete(t.buckets, oldest)
	t.evicted = (int64(oldest) + 1) * t.width
	t.bytes -= b.bytes()
	*b = bucket{parts: b.parts[:0], items: b.items[:0], preds: b.preds[:0], refs: b.refs[:0], masks: b.masks[:0], calls: b.calls[:0]}
	if len(t.free) < 2 {
		t.free = append(t.free, b)
	}
	return true
}
