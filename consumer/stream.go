package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

const (
	// A checksum mismatch may have come about on the way: the batch is fetched
	// again this often, after these pauses, before it is given up.
	refetches    = 3
	refetchPause = 50 * time.Millisecond
)

// stream is a worker's view of one of its three sources: the records at its
// head, decoded, and the offset up to which all has been handed in.
type stream struct {
	source  *source
	stats   *Stats
	decoder batchDecoder

	chunk *chunk // being decoded; its buffer is what records point into
	rest  []byte // of the chunk: batches not looked at yet

	records []Record // decoded, to be handed in
	headMs  int64    // event time of records[0]
	last    int64    // offset behind the batch that records are of

	next    int64 // all below has been handed in or never will be; Earliest: not known yet
	advance bool  // next has moved without a record: the handler is to be told

	aborted  []abortedTransaction // of the chunk, not begun yet
	dropping map[int64]struct{}   // producers within an aborted transaction

	mismatchAt int64     // base offset of the batch that failed its checksum last
	mismatches int       // how often in a row
	resumeAt   time.Time // when to fetch it again; zero: not waiting
}

func newStream(s *source, start int64, d batchDecoder, stats *Stats) *stream {
	return &stream{source: s, stats: stats, decoder: d, next: start, dropping: make(map[int64]struct{}), mismatchAt: -1}
}

// corrupt describes a batch that is given up.
type corrupt struct {
	first, last int64
	detail      string
}

// fill decodes until there are records at the head, and says whether there
// are. A batch that cannot be read is returned once; reading goes on behind it.
func (s *stream) fill(now time.Time) (ready bool, bad *corrupt) {
	for len(s.records) == 0 {
		if s.resumeAt.After(now) {
			return false, nil
		}
		if !s.resumeAt.IsZero() {
			s.resumeAt = time.Time{}
			s.source.seek(s.next)
		}
		if len(s.rest) == 0 && !s.take() {
			return false, nil
		}
		if len(s.rest) == 0 {
			continue
		}
		if bad = s.batch(now); bad != nil {
			return false, bad
		}
	}
	return true, nil
}

// take moves on to the next chunk of the queue.
func (s *stream) take() bool {
	s.drop()
	c := s.source.pop()
	if c == nil {
		return false
	}
	if c.data == nil { // the offset has been looked up, or moved by a reset
		s.skipTo(c.next)
		return true
	}
	s.chunk, s.rest = c, c.data
	s.aborted = append(s.aborted[:0], c.aborted...)
	clear(s.dropping)
	return true
}

// drop gives the current chunk's memory back.
func (s *stream) drop() {
	s.chunk.release()
	s.decoder.release()
	s.chunk, s.rest, s.records = nil, nil, nil
}

func (s *stream) skipTo(next int64) {
	s.next = next
	s.advance = true
}

// batch looks at the first batch of rest: its records become the head, or it
// is passed over.
func (s *stream) batch(now time.Time) *corrupt {
	h, whole := parseBatchHeader(s.rest)
	s.stats.Batches.Add(1)
	if !whole {
		return s.giveUp(&h, fmt.Errorf("batch length %d: %w", h.size-batchPrefixSize, errRecords))
	}
	raw := s.rest[:h.size]
	if err := s.decoder.check(&h, raw); err != nil {
		if errors.Is(err, errChecksum) && s.again(h.baseOffset, now) {
			return nil
		}
		return s.giveUp(&h, err)
	}
	s.rest = s.rest[h.size:]
	end := h.lastOffset() + 1
	switch {
	case end <= s.next: // fetched again: below where we are
		return nil
	case h.control():
		s.stats.ControlBatches.Add(1)
		if s.decoder.control(&h, raw) == controlAbort {
			delete(s.dropping, h.producerID)
		}
		s.skipTo(end)
		return nil
	case s.isAborted(&h):
		s.stats.AbortedBatches.Add(1)
		s.skipTo(end)
		return nil
	}
	records, err := s.decoder.decode(&h, raw, s.next)
	if err != nil {
		return s.giveUpWhole(&h, end-1, err)
	}
	if len(records) == 0 {
		s.skipTo(end)
		return nil
	}
	s.records, s.last = records, end
	return nil
}

// isAborted follows the aborted transactions of the chunk up to the batch h.
func (s *stream) isAborted(h *batchHeader) bool {
	kept := s.aborted[:0]
	for _, a := range s.aborted {
		if a.first <= h.lastOffset() {
			s.dropping[a.producer] = struct{}{}
		} else {
			kept = append(kept, a)
		}
	}
	s.aborted = kept
	if !h.transactional() {
		return false
	}
	_, ok := s.dropping[h.producerID]
	return ok
}

// again has the batch fetched once more, and says whether that is worth it.
func (s *stream) again(base int64, now time.Time) bool {
	if base != s.mismatchAt {
		s.mismatchAt, s.mismatches = base, 0
	}
	if s.mismatches++; s.mismatches > refetches {
		return false
	}
	s.stats.Refetches.Add(1)
	s.drop()
	s.resumeAt = now.Add(refetchPause << (s.mismatches - 1))
	return true
}

// giveUp passes over a batch whose header cannot be trusted. What follows in
// the chunk says best where it ends.
func (s *stream) giveUp(h *batchHeader, err error) *corrupt {
	last := h.lastOffset()
	if h.magic != batchMagic {
		last = h.baseOffset
	}
	if h.size > batchPrefixSize && h.size < len(s.rest) {
		if follows, ok := parseBatchHeader(s.rest[h.size:]); ok && follows.baseOffset > h.baseOffset {
			last = follows.baseOffset - 1
		}
	}
	if s.chunk != nil && s.chunk.highWater > 0 {
		last = min(last, s.chunk.highWater-1)
	}
	c := s.giveUpWhole(h, max(last, h.baseOffset, s.next), err)
	// The offsets that the prefetch went by came from this header.
	s.drop()
	s.source.seek(s.next)
	return c
}

// giveUpWhole passes over a batch up to last, which its header is right about.
func (s *stream) giveUpWhole(h *batchHeader, last int64, err error) *corrupt {
	s.stats.CorruptBatches.Add(1)
	s.mismatchAt, s.mismatches = -1, 0
	s.skipTo(last + 1)
	return &corrupt{first: h.baseOffset, last: last, detail: err.Error()}
}

// handed notes that the first n of records have been handed in, and returns
// the offset below which nothing is left.
func (s *stream) handed(n int) (next int64, batchDone bool) {
	s.next = s.records[n-1].Offset + 1
	s.records = s.records[n:]
	if len(s.records) > 0 {
		return s.next, false
	}
	s.next, s.records = s.last, nil
	return s.next, true
}

// waiting says whether the worker must wait for this stream before it takes
// records of another: there is more, and it is not here yet.
func (s *stream) waiting() bool {
	return len(s.records) == 0 && (!s.resumeAt.IsZero() || !s.source.caughtUp())
}

// head reads the event time of the first record.
func (s *stream) head(h Handler, of event.Stream) { s.headMs = s.timeMs(h, of, 0) }

func (s *stream) timeMs(h Handler, of event.Stream, i int) int64 {
	if ms, ok := h.EventTimeMs(of, s.records[i].Value); ok {
		return ms
	}
	return s.records[i].TimestampMs
}
