package join

import (
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// tier is the memory tier: auctions waiting for impressions, in buckets of
// event time that are dropped whole. It is made of chunks without pointers, so
// that the garbage collector has nothing to scan, and chunks are used again.
//
// An auction is a chain of parts, one for each record that brought something
// new; nearly all have one. A part lies in one piece, so that matching an
// impression reads memory that is close together.
type tier struct {
	width   int64 // of a bucket, ms
	index   index // to the auction's newest part, as a ref
	buckets map[uint32]*bucket
	oldest  uint32     // number of the oldest bucket, MaxUint32 without any
	free    [][]uint64 // chunks of chunkWords
	chunks  int        // in buckets
	other   int64      // bytes of chunks of other sizes, in buckets
	usual   int        // words in the bucket evicted last
	evicted int64      // event time before which buckets have been dropped, ms
}

// bucket holds the parts whose event time, divided by the tier's width, is its
// number.
type bucket struct {
	chunks [][]uint64
	span   Span // of the records that brought them
}

// chunkWords is the size of a chunk. A part that is larger gets one of its own,
// and a bucket's first chunks are smaller, each twice the one before, unless the
// last bucket filled a whole one: a thin stream fills many buckets with a few
// parts each.
const (
	chunkWords      = 1 << 16
	firstChunkWords = 1 << 8
)

// ref points at a part: bucket number, chunk plus one, first word. 0 is no part.
type ref uint64

func makeRef(bucket uint32, chunk, word int) ref {
	return ref(bucket)<<32 | ref(uint16(chunk+1))<<16 | ref(uint16(word))
}

func (r ref) bucket() uint32 { return uint32(r >> 32) }
func (r ref) chunk() int     { return int(uint16(r>>16)) - 1 }
func (r ref) word() int      { return int(uint16(r)) }

// part is one record's share of an auction: the head of a piece of memory in
// which items, predictions, references, masks and calls follow.
type part struct {
	id       ID
	next     ref // older part of the same auction
	timeMs   int64
	unitID   uint64
	features uint64 // of every candidate, unless hasMasks
	n        int32
	calls    int32
	route    int32
	families int32
	optTypes int32
	weight   float32
	optType  uint8 // of every candidate, unless hasOpts
	hasOpts  bool
	hasRefs  bool
	hasMasks bool
}

const partWords = int(unsafe.Sizeof(part{}) / 8)

func pairWords(n int) int { return (n + 1) / 2 }
func byteWords(n int) int { return (n + 7) / 8 }

// maxOptTypes is how many optimization types a table may have for its places to
// be kept, a byte each. Nobody has more than a few.
const maxOptTypes = 1 << 8

func hasOptTypes(c *event.Candidates) bool {
	return len(c.OptTypeIdx) > 0 && len(c.OptTypes) <= maxOptTypes
}

func newTier(width int64) *tier {
	return &tier{width: width, buckets: map[uint32]*bucket{}, oldest: math.MaxUint32}
}

// head returns the newest part of an auction, nil when there is none.
func (t *tier) head(id ID) *part { return t.at(ref(t.index.get(id))) }

// next returns the next older part of the same auction.
func (t *tier) next(p *part) *part { return t.at(p.next) }

func (t *tier) at(r ref) *part {
	if r == 0 {
		return nil
	}
	b := t.buckets[r.bucket()]
	if b == nil {
		return nil // the chain's older end has been dropped
	}
	return (*part)(unsafe.Pointer(&b.chunks[r.chunk()][r.word()]))
}

// column is n entries from the k-th word behind the head on. Without entries
// there may be no such word.
func column[T uint64 | float32 | uint8](p *part, k int, n int32) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(p), 8*(partWords+k))), n)
}

func (p *part) items() []uint64 { return column[uint64](p, 0, p.n) }

func (p *part) predictions() []float32 { return column[float32](p, int(p.n), p.n) }

func (p *part) references() []float32 {
	if !p.hasRefs {
		return nil
	}
	return column[float32](p, int(p.n)+pairWords(int(p.n)), p.n)
}

func (p *part) masks() []uint64 {
	if !p.hasMasks {
		return nil
	}
	return column[uint64](p, p.optsAt()-int(p.n), p.n)
}

func (p *part) opts() []uint8 {
	if !p.hasOpts {
		return nil
	}
	return column[uint8](p, p.optsAt(), p.n)
}

func (p *part) callsAt() int {
	if p.hasOpts {
		return p.optsAt() + byteWords(int(p.n))
	}
	return p.optsAt()
}

func (p *part) optsAt() int {
	n := int(p.n)
	at := n + pairWords(n)
	if p.hasRefs {
		at += pairWords(n)
	}
	if p.hasMasks {
		at += n
	}
	return at
}

// callHashes tell the part's tower calls apart.
func (p *part) callHashes() []uint64 { return column[uint64](p, p.callsAt(), p.calls) }

// optTypeOf is the place of a candidate's optimization type in the part's table.
func (p *part) optTypeOf(i int) uint8 {
	if p.hasOpts {
		return p.opts()[i]
	}
	return p.optType
}

// candidate returns what a part says of an item, by its place in the part.
func (p *part) candidate(i int) (prediction, reference float32, features uint64) {
	prediction, features = p.predictions()[i], p.features
	if p.hasRefs {
		reference = p.references()[i]
	}
	if p.hasMasks {
		features = p.masks()[i]
	}
	return prediction, reference, features
}

// find returns an item's place in a part, -1 when it is not there.
func (p *part) find(item uint64) int {
	for i, have := range p.items() {
		if have == item {
			return i
		}
	}
	return -1
}

// put adds a part for the candidates and calls of e, the record at offset.
func (t *tier) put(id ID, route, families, optTypes int32, e *event.Prediction, offset int64) {
	c := &e.Candidates
	head := part{
		id: id, timeMs: e.EventTimeMs, unitID: e.UnitID,
		n: int32(c.Len()), calls: int32(len(e.TowerCalls)),
		route: route, families: families, optTypes: optTypes, weight: e.Weight(),
		hasRefs:  len(c.References) > 0,
		hasMasks: len(c.FeaturesPresent) > 0 && c.FeaturesAny != c.FeaturesAll,
	}
	if len(c.FeaturesPresent) > 0 { // without masks, FeaturesAll is that of none
		head.features = c.FeaturesAll
	}
	if optTypes >= 0 {
		head.optType = uint8(c.OptTypeIdx[0])
		head.hasOpts = !allEqual(c.OptTypeIdx)
	}
	r, p := t.alloc(t.number(e.EventTimeMs), partWords+head.callsAt()+len(e.TowerCalls), offset)
	head.next = ref(t.index.put(id, uint64(r)))
	*p = head
	copy(p.items(), c.ItemIDs)
	copy(p.predictions(), c.Predictions)
	copy(p.references(), c.References)
	copy(p.masks(), c.FeaturesPresent)
	narrow(p.opts(), c.OptTypeIdx)
	calls := p.callHashes()
	for i := range calls {
		calls[i] = hashCall(&e.TowerCalls[i])
	}
}

// narrow copies indexes that fit bytes, eight at a time.
func narrow(to []uint8, from []uint32) {
	from = from[:len(to)]
	for len(to) >= 8 {
		f := from[:8:8]
		binary.LittleEndian.PutUint64(to, uint64(f[0])|uint64(f[1])<<8|uint64(f[2])<<16|uint64(f[3])<<24|
			uint64(f[4])<<32|uint64(f[5])<<40|uint64(f[6])<<48|uint64(f[7])<<56)
		to, from = to[8:], from[8:]
	}
	for i, v := range from {
		to[i] = uint8(v)
	}
}

func allEqual(s []uint32) bool {
	for _, v := range s {
		if v != s[0] {
			return false
		}
	}
	return true
}

// number is that of the bucket of an event time.
func (t *tier) number(ms int64) uint32 { return uint32(ms / t.width) }

// copyTo copies an auction's parts into another tier.
func (t *tier) copyTo(to *tier, id ID) {
	var parts []*part
	for p := t.head(id); p != nil; p = t.next(p) {
		parts = append(parts, p)
	}
	for _, p := range slices.Backward(parts) { // the newest is put last
		words := partWords + p.callsAt() + int(p.calls)
		r, c := to.alloc(to.number(p.timeMs), words, 0)
		copy(unsafe.Slice((*uint64)(unsafe.Pointer(c)), words), unsafe.Slice((*uint64)(unsafe.Pointer(p)), words))
		c.next = ref(to.index.put(id, uint64(r)))
	}
}

// alloc returns memory for a part of so many words, from the record at offset.
func (t *tier) alloc(number uint32, words int, offset int64) (ref, *part) {
	b := t.buckets[number]
	if b == nil {
		b = &bucket{span: Span{First: offset, Last: offset}}
		t.buckets[number] = b
		t.oldest = min(t.oldest, number)
	}
	b.span.add(offset)
	last := len(b.chunks) - 1
	if last < 0 || len(b.chunks[last])+words > cap(b.chunks[last]) {
		size := chunkWords
		if doublings := len(b.chunks); doublings < 8 && t.usual < chunkWords {
			size = firstChunkWords << doublings
		}
		b.chunks = append(b.chunks, t.newChunk(max(size, words)))
		last++
	}
	chunk := b.chunks[last]
	at := len(chunk)
	b.chunks[last] = chunk[:at+words]
	return makeRef(number, last, at), (*part)(unsafe.Pointer(&b.chunks[last][at]))
}

// newChunk returns an empty chunk of so many words.
func (t *tier) newChunk(words int) []uint64 {
	if words != chunkWords {
		t.other += 8 * int64(words)
		return make([]uint64, 0, words)
	}
	t.chunks++
	if n := len(t.free); n > 0 {
		c := t.free[n-1]
		t.free = t.free[:n-1]
		return c[:0]
	}
	return make([]uint64, 0, chunkWords)
}

// bytes is the memory that auctions take.
func (t *tier) bytes() int64 { return 8*chunkWords*int64(t.chunks) + t.other + t.index.bytes() }

// evict drops the oldest bucket when it ends at or before ms, and reports which
// and whether it did.
func (t *tier) evict(ms int64) (number uint32, span Span, ok bool) {
	oldest := t.oldest
	if len(t.buckets) == 0 || (int64(oldest)+1)*t.width > ms {
		return 0, Span{}, false
	}
	b := t.buckets[oldest]
	t.usual = 0
	for i, chunk := range b.chunks {
		t.usual += len(chunk)
		for at := 0; at < len(chunk); {
			p := (*part)(unsafe.Pointer(&chunk[at]))
			t.forget(p, makeRef(oldest, i, at))
			at += partWords + p.callsAt() + int(p.calls)
		}
		if cap(chunk) == chunkWords {
			t.chunks--
			t.free = append(t.free, chunk)
		} else {
			t.other -= 8 * int64(cap(chunk))
		}
	}
	// A burst's memory is not kept for good.
	if keep := 64 + t.chunks/4; len(t.free) > keep {
		clear(t.free[keep:])
		t.free = t.free[:keep]
	}
	delete(t.buckets, oldest)
	t.oldest = math.MaxUint32
	for number := range t.buckets {
		t.oldest = min(t.oldest, number)
	}
	t.evicted = max(t.evicted, (int64(oldest)+1)*t.width)
	return oldest, b.span, true
}

// forget takes a part that is about to be dropped out of the index.
func (t *tier) forget(p *part, r ref) {
	if ref(t.index.get(p.id)) != r {
		return // an older part of a chain, which ends before it from now on
	}
	if p.next != 0 && t.buckets[p.next.bucket()] != nil && p.next.bucket() != r.bucket() {
		t.index.put(p.id, uint64(p.next))
	} else {
		t.index.remove(p.id)
	}
}
