package join

import (
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Prediction takes one decoded prediction, the record at an offset. It may drop
// candidates from e that are known already.
func (j *Joiner) Prediction(e *event.Prediction, offset int64) {
	j.observe(e.EventTimeMs)
	id := makeID(e.AuctionID)
	// Even when its auction is known: the part that it repeats may be gone, and
	// a bucket that was dropped must not come back under the refs into it.
	if e.EventTimeMs < j.tier.evicted {
		if !j.opts.Seek {
			j.counts.Streams[event.Predictions].Late++
			return
		}
		j.past.postpone(id, j.tier.number(e.EventTimeMs), offset)
		return
	}
	j.take(id, e, offset, true)
	j.evictAuctions()
}

// Known takes a prediction that was counted before the state was read back from
// disk: it is put into memory again.
func (j *Joiner) Known(e *event.Prediction, offset int64) {
	if e.EventTimeMs < j.tier.evicted {
		// Its bucket may have been dropped again before all of it was read, and
		// before it met an impression that has come since the state was read back.
		j.past.note(j.tier.number(e.EventTimeMs), Span{offset, offset})
		j.seekWaiting(makeID(e.AuctionID))
		return
	}
	j.take(makeID(e.AuctionID), e, offset, false)
	j.evictAuctions()
}

// take puts into memory what a prediction brings, and counts it if it is new.
func (j *Joiner) take(id ID, e *event.Prediction, offset int64, isNew bool) {
	conflict := j.items.repeats(&e.Candidates) && j.dropRepeats(&e.Candidates)
	route := j.sink.Route(e)
	news, first := true, true
	if p := j.tier.head(id); p != nil {
		first = false
		var contradicts bool
		news, contradicts = j.dropKnown(e, p, route)
		conflict = conflict || contradicts
	}
	counts := &j.counts.Streams[event.Predictions]
	switch {
	case !isNew:
	case conflict:
		counts.Conflicting++
	case !news:
		counts.Duplicate++
	}
	if !news {
		return
	}
	families, optTypes := int32(-1), int32(-1)
	if len(e.Candidates.FeaturesPresent) > 0 {
		families = j.sink.Families(e)
	}
	if hasOptTypes(&e.Candidates) {
		optTypes = j.sink.OptTypes(e)
	}
	if isNew {
		j.sink.Candidates(route, e, clusterOf(e.UnitID, id), first)
		if len(e.TowerCalls) > 0 {
			j.sink.Calls(route, e)
		}
		j.counts.Candidates += int64(e.Candidates.Len())
	}
	j.tier.put(id, route, families, optTypes, e, offset)
	if len(j.waiting) > 0 {
		j.resolveWaiting(id)
	}
}

// dropRepeats drops all but the first of each item that a record lists twice,
// and reports whether another one differs from it.
func (j *Joiner) dropRepeats(c *event.Candidates) (conflict bool) {
	first := map[uint64]int{}
	j.keep = j.keep[:0]
	for i, item := range c.ItemIDs {
		k, seen := first[item]
		if !seen {
			first[item] = i
			j.keep = append(j.keep, i)
			continue
		}
		conflict = conflict || !sameCandidate(c, i, c.Predictions[k], referenceOf(c, k), featuresOf(c, k))
	}
	keepOnly(c, j.keep)
	return conflict
}

// dropKnown drops from e what earlier records of its auction have brought. It
// reports whether anything is left to count, and whether e contradicts them.
func (j *Joiner) dropKnown(e *event.Prediction, head *part, route int32) (news, conflict bool) {
	c := &e.Candidates
	j.keep = j.keep[:0]
	known := j.knownItems(head, c.Len())
	for i, item := range c.ItemIDs {
		prediction, reference, features, p := known(item)
		switch {
		case p == nil:
			j.keep = append(j.keep, i)
		case p.timeMs != e.EventTimeMs || p.weight != e.Weight() || p.route != route || !sameCandidate(c, i, prediction, reference, features):
			conflict = true
		}
	}
	newCalls := j.dropKnownCalls(e, head)
	if len(j.keep) == 0 && !newCalls {
		return false, conflict
	}
	keepOnly(c, j.keep)
	return true, conflict
}

type known func(item uint64) (prediction, reference float32, features uint64, p *part)

// knownItems returns a look-up over an auction's parts: a scan while that is
// cheap, a map for auctions of many candidates or parts.
func (j *Joiner) knownItems(head *part, n int) known {
	total := 0
	for p := head; p != nil; p = j.tier.next(p) {
		total += int(p.n)
	}
	if n*total <= 4096 {
		return func(item uint64) (float32, float32, uint64, *part) {
			for p := head; p != nil; p = j.tier.next(p) {
				if i := p.find(item); i >= 0 {
					prediction, reference, features := p.candidate(i)
					return prediction, reference, features, p
				}
			}
			return 0, 0, 0, nil
		}
	}
	type place struct {
		part *part
		i    int
	}
	places := make(map[uint64]place, total)
	for p := head; p != nil; p = j.tier.next(p) {
		for i, item := range p.items() {
			places[item] = place{p, i}
		}
	}
	return func(item uint64) (float32, float32, uint64, *part) {
		at, ok := places[item]
		if !ok {
			return 0, 0, 0, nil
		}
		prediction, reference, features := at.part.candidate(at.i)
		return prediction, reference, features, at.part
	}
}

// dropKnownCalls drops the calls that the auction's parts have brought. Parts
// of one auction may each repeat its calls or bring their own, so what counts
// is how often a call appears in the record that has it most often.
func (j *Joiner) dropKnownCalls(e *event.Prediction, head *part) bool {
	if len(e.TowerCalls) == 0 {
		return false
	}
	var fresh []event.TowerCall
	for i := range e.TowerCalls {
		this := hashCall(&e.TowerCalls[i])
		nth := 1
		for k := range i {
			if hashCall(&e.TowerCalls[k]) == this {
				nth++
			}
		}
		if nth > j.countedCalls(head, this) {
			fresh = append(fresh, e.TowerCalls[i])
		}
	}
	e.TowerCalls = fresh
	return len(fresh) > 0
}

func (j *Joiner) countedCalls(p *part, hash uint64) int {
	n := 0
	for ; p != nil; p = j.tier.next(p) {
		for _, have := range p.callHashes() {
			if have == hash {
				n++
			}
		}
	}
	return n
}

// hashCall tells tower calls apart. Calls of one tower differ for certain: an
// odd factor maps no two numbers to the same.
func hashCall(c *event.TowerCall) uint64 {
	return xxh3.Hash(c.Tower) + (uint64(c.LatencyUs)<<8|uint64(c.Outcome))*0x9e3779b97f4a7c15
}

func referenceOf(c *event.Candidates, i int) float32 {
	if len(c.References) == 0 {
		return 0
	}
	return c.References[i]
}

func featuresOf(c *event.Candidates, i int) uint64 {
	if len(c.FeaturesPresent) == 0 {
		return 0
	}
	return c.FeaturesPresent[i]
}

func sameCandidate(c *event.Candidates, i int, prediction, reference float32, features uint64) bool {
	return c.Predictions[i] == prediction && referenceOf(c, i) == reference && featuresOf(c, i) == features
}

// keepOnly reduces every column to the candidates at the given places, which ascend.
func keepOnly(c *event.Candidates, keep []int) {
	if len(keep) == c.Len() {
		return
	}
	n := c.Len()
	c.ItemIDs = pick(c.ItemIDs, keep, n)
	c.Predictions = pick(c.Predictions, keep, n)
	c.References = pick(c.References, keep, n)
	c.FeaturesPresent = pick(c.FeaturesPresent, keep, n)
	c.ItemVersionIdx = pick(c.ItemVersionIdx, keep, n)
	c.StageIdx = pick(c.StageIdx, keep, n)
	c.OptTypeIdx = pick(c.OptTypeIdx, keep, n)
	c.AdvertiserIDs = pick(c.AdvertiserIDs, keep, n)
	c.Utilities = pick(c.Utilities, keep, n)
	for i := range c.Shadow {
		c.Shadow[i].Predictions = pick(c.Shadow[i].Predictions, keep, n)
	}
}

func pick[T any](column []T, keep []int, n int) []T {
	if len(column) != n {
		return column
	}
	for to, from := range keep {
		column[to] = column[from]
	}
	return column[:len(keep)]
}

// itemSet tells whether a record lists an item twice: a hash table that is
// cleared by moving on to the next stamp. It is eight times as large as what it
// holds, because a collision costs a mispredicted branch.
type itemSet struct {
	stamp uint32   // in the upper half
	slots []uint32 // stamp, and the item's place in its column
	shift uint
}

// maxSetItems is how many places fit beside a stamp.
const maxSetItems = 1 << 16

func (s *itemSet) repeats(c *event.Candidates) bool {
	items := c.ItemIDs
	if len(items) < 2 {
		return false
	}
	if len(items) > maxSetItems {
		return repeatsLarge(items)
	}
	if len(s.slots) < 8*len(items) {
		size := 64
		for size < 8*len(items) {
			size *= 2
		}
		s.shift = 65 - uint(bits.Len(uint(size)))
		s.slots = make([]uint32, size)
		s.stamp = 0
	}
	s.stamp += maxSetItems
	if s.stamp == 0 {
		clear(s.slots)
		s.stamp = maxSetItems
	}
	stamp, slots, mask := s.stamp, s.slots, uint64(len(s.slots)-1)
	for i, item := range items {
		for h := item * 0x9e3779b97f4a7c15 >> (s.shift & 63); ; h++ {
			slot := &slots[h&mask]
			if *slot-stamp >= maxSetItems { // of an earlier record
				*slot = stamp | uint32(i)
				break
			}
			if items[*slot-stamp] == item {
				return true
			}
		}
	}
	return false
}

func repeatsLarge(items []uint64) bool {
	seen := make(map[uint64]struct{}, len(items))
	for _, item := range items {
		seen[item] = struct{}{}
	}
	return len(seen) < len(items)
}
