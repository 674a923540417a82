package consumer

import (
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// source is one partition of one topic being read: the fetcher fills its
// queue, one worker empties it.
type source struct {
	stream    event.Stream
	topic     string
	partition int32
	quota     int           // bytes queued above which no more is fetched
	data      chan struct{} // capacity 1: the worker's wake-up, shared by its sources
	room      chan struct{} // capacity 1: the fetcher's wake-up
	reread    bool          // reads again what has been read before,
	last      int64         // up to this offset

	mu     sync.Mutex
	queue  []*chunk
	bytes  int    // of queue
	passed int    // bytes ever taken from queue
	next   int64  // offset to fetch next, or Earliest
	gone   bool   // next is Earliest because the offset wanted was out of range
	wanted int64  // that offset
	epoch  uint64 // counts seeks: an answer to an older epoch is dropped
	known  bool   // a fetch has been answered since the last seek
	stable int64  // end of what can be read, as of the last answer
	failed error  // reading cannot go on

	// Owned by the fetcher's goroutine.
	leader   int32
	busy     bool // in a request
	retryAt  time.Time
	failures int
	starved  bool      // the last answer was empty although there is more to read
	maxBytes int32     // grows while the next batch is larger than it
	beyond   time.Time // since when the offset wanted is said to lie behind the end
}

// chunk is a record set as one fetch returned it. A chunk without data says
// only that reading goes on at next, because the records before are gone.
type chunk struct {
	next      int64
	data      []byte
	buffer    *buffer
	aborted   []abortedTransaction
	highWater int64
}

func (c *chunk) release() {
	if c != nil {
		c.buffer.release()
	}
}

func (s *source) tp() topicPartition { return topicPartition{s.topic, s.partition} }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pop takes the oldest chunk, or nil.
func (s *source) pop() *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil
	}
	c := s.queue[0]
	s.queue[0] = nil
	if s.queue = s.queue[1:]; len(s.queue) == 0 {
		s.queue = nil
	}
	full := s.bytes >= s.quota
	s.bytes -= len(c.data)
	s.passed += len(c.data)
	if full && s.bytes < s.quota {
		signal(s.room)
	}
	return c
}

// caughtUp says whether everything that the broker held at the last answer has
// been taken from the queue.
func (s *source) caughtUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known && len(s.queue) == 0 && s.next >= 0 && s.next >= s.stable
}

// taken counts the bytes ever taken from the queue.
func (s *source) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed
}

// failure is why reading cannot go on, or nil.
func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// end is the end of what can be read, as of the last answer.
func (s *source) end() (offset int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stable, s.known
}

// seek drops what is queued and goes on at offset.
func (s *source) seek(offset int64) {
	s.mu.Lock()
	for _, c := range s.queue {
		c.release()
	}
	s.queue, s.bytes = nil, 0
	s.next, s.gone, s.known = offset, false, false
	s.epoch++
	s.mu.Unlock()
	signal(s.room)
}

// position is where to fetch and for which epoch, and whether there is room.
func (s *source) position() (next int64, epoch uint64, room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.failed != nil || s.reread && s.next > s.last
	return s.next, s.epoch, s.bytes < s.quota && !done
}

// backlog says whether more is known, or not known not, to be there.
func (s *source) backlog() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.known || s.next < s.stable
}

// push queues what was fetched at the given epoch, and says whether it did.
// next is the offset behind it; end the broker's last stable offset.
func (s *source) push(c *chunk, epoch uint64, next, end int64) bool {
	s.mu.Lock()
	if epoch != s.epoch {
		s.mu.Unlock()
		return false
	}
	wasBehind := !s.known || s.next < s.stable
	s.known, s.next, s.stable = true, next, end
	if c != nil {
		s.queue = append(s.queue, c)
		s.bytes += len(c.data)
	}
	s.mu.Unlock()
	if c != nil || wasBehind {
		signal(s.data)
	}
	return true
}

// locate sets the offset that stands for Earliest.
func (s *source) locate(epoch uint64, offset int64) {
	s.mu.Lock()
	if epoch == s.epoch {
		s.next, s.gone = offset, false
		s.queue = append(s.queue, &chunk{next: offset})
	}
	s.mu.Unlock()
	signal(s.data)
}

// outOfRange notes that the offset to fetch next is not in the log.
func (s *source) outOfRange(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch == s.epoch && s.next >= 0 {
		s.next, s.gone, s.wanted, s.known = Earliest, true, s.next, false
	}
}

// missing is the offset that was out of range, if one was.
func (s *source) missing() (wanted int64, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wanted, s.gone
}

// again has the offset that was out of range fetched once more.
func (s *source) again(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch == s.epoch && s.gone {
		s.next, s.gone = s.wanted, false
	}
}

// fail ends reading.
func (s *source) fail(epoch uint64, err error) {
	s.mu.Lock()
	if epoch == s.epoch {
		s.failed = err
	}
	s.mu.Unlock()
	signal(s.data)
}
