package join

import (
	"cmp"
	"slices"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Span is a range of offsets of the predictions topic, both ends included.
type Span struct{ First, Last int64 }

func (s *Span) add(offset int64) { s.First, s.Last = min(s.First, offset), max(s.Last, offset) }

// past is what is known of the auctions that memory does not hold, or may soon
// not hold any more: where in the topic their records are. It is the index of
// last resort for what comes late, and costs nothing until something does.
type past struct {
	spans   map[uint32]Span // by number of bucket
	changed map[uint32]bool // since Spans was called; false: forgotten
	// postponed are predictions that may repeat records that are in memory no
	// more; sought, by row, the auctions of which an impression may have come too
	// late.
	postponed []Postponed
	sought    map[ID]ID
	early     int64 // buckets that were dropped although joinable
}

// Postponed is a prediction that waits until it is known what has been counted
// of its auction.
type Postponed struct {
	Offset  int64
	Auction ID
	Bucket  uint32
}

func newPast() past {
	return past{spans: map[uint32]Span{}, changed: map[uint32]bool{}, sought: map[ID]ID{}}
}

// note says where the records of a bucket are.
func (p *past) note(number uint32, s Span) {
	have, ok := p.spans[number]
	if ok {
		s = Span{min(s.First, have.First), max(s.Last, have.Last)}
	}
	if !ok || s != have {
		p.spans[number] = s
		p.changed[number] = true
	}
}

func (p *past) postpone(auction ID, bucket uint32, offset int64) {
	p.postponed = append(p.postponed, Postponed{offset, auction, bucket})
}

// pass notes the buckets that no impression can be on its way to any more, and
// forgets those of which nothing is shown any more.
func (j *Joiner) pass() {
	passed := j.tier.number(j.joinable())
	for number, b := range j.tier.buckets {
		if number < passed {
			j.past.note(number, b.span)
		}
	}
	// The oldest impression that may come still may be a window younger than its auction.
	oldest := j.tier.number(max(0, j.newest-j.remember-j.window))
	for number := range j.past.spans {
		if number < oldest {
			delete(j.past.spans, number)
			j.past.changed[number] = false
		}
	}
}

// seek lets a row that waits be sought where memory does not reach.
func (j *Joiner) seek(row *Row) {
	if j.opts.Seek && row.State&(HasImpression|HasWinner|Sought) == HasImpression && row.Winner.TimeMs-j.window < j.tier.evicted {
		j.past.sought[row.ID] = row.Auction
	}
}

// seekWaiting lets the rows that wait for an auction be sought.
func (j *Joiner) seekWaiting(auction ID) {
	ws, ok := j.waiting[auction]
	if !ok {
		return
	}
	for _, id := range append(ws.rest[:len(ws.rest):len(ws.rest)], ws.first) {
		if j.store.Get(id, &j.row) {
			j.seek(&j.row)
		}
	}
}

// SeekRanges lists, in ascending order and apart from one another, the ranges
// of the predictions topic that may say more about what came too late for
// memory; none when nothing did. To use them, call BeginSeek, then Found with
// every prediction in them in order, then EndSeek.
func (j *Joiner) SeekRanges() []Span {
	p := &j.past
	buckets := map[uint32]bool{}
	for _, l := range p.postponed {
		buckets[l.Bucket] = true
	}
	for row := range p.sought {
		if !j.store.Get(row, &j.row) {
			continue
		}
		t := j.row.Winner.TimeMs
		for b := j.tier.number(max(0, t-j.window)); b <= j.tier.number(t+j.window); b++ {
			buckets[b] = true
		}
	}
	var ranges []Span
	for b := range buckets {
		if s, ok := p.spans[b]; ok {
			ranges = append(ranges, s)
		}
	}
	for _, l := range p.postponed {
		ranges = append(ranges, Span{l.Offset, l.Offset})
	}
	return joined(ranges)
}

// joined merges ranges that touch or overlap.
func joined(ranges []Span) []Span {
	slices.SortFunc(ranges, func(a, b Span) int { return cmp.Compare(a.First, b.First) })
	var out []Span
	for _, r := range ranges {
		if n := len(out); n > 0 && r.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Seeking is how many records wait for SeekRanges to be read.
func (j *Joiner) Seeking() int { return len(j.past.postponed) + len(j.past.sought) }

// Seek is the reading of SeekRanges.
type Seek struct {
	j         *Joiner
	auctions  map[ID]bool
	postponed map[int64]Postponed
	live      *tier
}

// BeginSeek begins reading SeekRanges. Until End, nothing else may be called.
func (j *Joiner) BeginSeek() *Seek {
	s := &Seek{j: j, auctions: map[ID]bool{}, postponed: map[int64]Postponed{}, live: j.tier}
	for _, l := range j.past.postponed {
		s.auctions[l.Auction] = true
		s.postponed[l.Offset] = l
	}
	for _, auction := range j.past.sought {
		s.auctions[auction] = true
	}
	// A memory of their own, in which the auctions are as they were before.
	j.tier = newTier(s.live.width)
	for auction := range s.auctions {
		s.live.copyTo(j.tier, auction)
	}
	return s
}

// Found takes the next prediction of the ranges. Those of a bucket that were
// counted come before those that were postponed: from the moment on that a
// bucket is dropped, all are.
func (s *Seek) Found(e *event.Prediction, offset int64) {
	id := makeID(e.AuctionID)
	if !s.auctions[id] {
		return
	}
	late, isNew := s.postponed[offset]
	s.j.take(id, e, offset, isNew)
	if isNew {
		delete(s.postponed, offset)
		s.j.past.note(late.Bucket, Span{offset, offset})
	}
}

// Abort ends a reading that could not be finished. What was found counts, and
// the rest waits for the next one.
func (s *Seek) Abort() {
	s.j.tier = s.live
	s.j.past.postponed = slices.DeleteFunc(s.j.past.postponed, func(p Postponed) bool {
		_, waits := s.postponed[p.Offset]
		return !waits
	})
}

// End ends the reading. What was postponed and not found is in the topic no
// more and counts as late; an impression whose auction was not found waits on,
// for an auction that is yet to come.
func (s *Seek) End() {
	j := s.j
	j.tier = s.live
	j.counts.Streams[event.Predictions].Late += int64(len(s.postponed))
	for row := range j.past.sought {
		if j.store.Get(row, &j.row) && j.row.State&HasWinner == 0 {
			j.row.State |= Sought
			j.store.Put(&j.row, j.row.Winner.TimeMs)
		}
	}
	j.past.postponed = nil
	clear(j.past.sought)
}
