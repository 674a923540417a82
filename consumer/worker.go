package consumer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

const (
	// recordsPerCall bounds how many records a Handler gets at once.
	recordsPerCall = 1024
	// aheadMs is how far in event time one call may run ahead of the other
	// streams. Much less would make calls of single records out of thin streams.
	aheadMs = 10_000
)

// errLettersLost means that dead letters could not be written before the last
// commit, which is therefore not made: the records are read again.
var errLettersLost = errors.New("dead letters not written")

// worker owns the Handler of one partition number. Its goroutine, run, is the
// only one that calls it.
type worker struct {
	partition int32
	handler   Handler
	letters   *letters
	streams   [event.NumStreams]*stream
	options   *Options
	stats     *Stats

	data     chan struct{} // something has arrived for one of the sources
	commands chan command
	abandon  func()        // ends run as soon as the Handler returns, without another commit
	done     chan struct{} // run has returned
	err      error         // why, once done is closed
	closed   error         // what the handler's Close returned, once done is closed

	watch  watch
	client *client
	seat   atomic.Pointer[seat] // by which the partition is ours
	fenced atomic.Bool          // the partition is ours no more

	paused bool // as the member knows it; run itself waits in obey

	dirty      bool        // something has been handed in since the last commit
	unfinished atomic.Bool // the last commit left something to another one
	lastCommit time.Time
	lastHanded time.Time

	// published holds, for each stream, the offset below which all was handed
	// in at the last commit; Earliest as long as that is not known.
	published [event.NumStreams]atomic.Int64
}

// command is sent to a worker's goroutine between two calls of its Handler.
type command struct {
	kind commandKind
	ctx  context.Context // for the commit
	done chan<- error
}

type commandKind int

const (
	pauseWorker  commandKind = iota // commit and stand still
	resumeWorker                    // go on
	stopWorker                      // commit, close the handler and end
)

// newWorker opens the handler of a partition and points the sources at where
// it wants to begin.
func newWorker(ctx, base context.Context, c *Consumer, partition int32, in seat) (*worker, error) {
	w := &worker{
		partition: partition, options: &c.options, stats: &c.stats, client: c.client,
		data:     make(chan struct{}, 1),
		commands: make(chan command),
		done:     make(chan struct{}),
	}
	w.letters = newLetters(c.letters, partition, w.watch.alive)
	w.seat.Store(&in)
	for i := range w.published {
		w.published[i].Store(Earliest)
	}
	var err error
	if w.handler, err = c.options.NewHandler(ctx, c.assignment(base, w)); err != nil {
		return nil, fmt.Errorf("partition %d: open: %w", partition, err)
	}
	w.unfinished.Store(w.handler.Unfinished())
	start := w.handler.Offsets()
	for i := range w.streams {
		src := &source{
			stream: event.Stream(i), topic: c.options.Topics[i], partition: partition, next: start[i],
			quota: c.options.QueueBytes, data: w.data, room: c.fetcher.room, leader: -1,
		}
		decoder := batchDecoder{codecs: c.codecs, buffers: c.fetcher.buffers, maxBytes: c.options.MaxBatchBytes}
		w.streams[i] = newStream(src, start[i], decoder, &c.stats)
		w.published[i].Store(start[i])
	}
	return w, nil
}

func (w *worker) sources() []*source {
	s := make([]*source, len(w.streams))
	for i := range w.streams {
		s[i] = w.streams[i].source
	}
	return s
}

// send passes a command on and returns its result.
func (w *worker) send(ctx context.Context, kind commandKind) error {
	done := make(chan error, 1)
	select {
	case w.commands <- command{kind: kind, ctx: ctx, done: done}:
		return <-done
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return fmt.Errorf("partition %d: handler is busy: %w", w.partition, ctx.Err())
	}
}

// run works until it is stopped or the handler fails.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	w.lastCommit = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		pause, err := w.work(ctx)
		if errors.Is(err, errStopped) {
			return
		}
		if err != nil {
			w.err = errors.Join(err, w.close())
			return
		}
		timer.Reset(pause)
		select {
		case <-w.data:
		case <-timer.C:
		case <-ctx.Done():
		case cmd := <-w.commands:
			if w.obey(ctx, cmd) {
				return
			}
		}
	}
}

// work hands records in until nothing is left to do now, and says how long
// that holds if no data arrives. It returns early for a command.
func (w *worker) work(ctx context.Context) (time.Duration, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("partition %d: given up: %w", w.partition, err)
		}
		now := time.Now()
		if w.options.Hold != nil && w.options.Hold(w.partition) {
			return w.idle(ctx, now, now.Add(w.options.CommitInterval))
		}
		best, resume := w.choose(now)
		if best < 0 {
			for _, s := range w.streams {
				if err := s.source.failure(); err != nil {
					return 0, err
				}
			}
			return w.idle(ctx, now, resume)
		}
		if err := w.hand(event.Stream(best)); err != nil {
			return 0, err
		}
		w.lastHanded = now
		if ctx.Err() == nil && now.Sub(w.lastCommit) >= w.options.CommitInterval {
			if err := w.commit(ctx); err != nil {
				return 0, err
			}
		}
		select {
		case cmd := <-w.commands:
			if w.obey(ctx, cmd) {
				return 0, errStopped
			}
		default:
		}
	}
}

// choose fills the streams and picks the one whose head is earliest, or -1 as
// long as a stream that has more is empty.
func (w *worker) choose(now time.Time) (best int, resume time.Time) {
	best = -1
	hold := false
	for i, s := range w.streams {
		had := len(s.records) > 0
		ready := had
		for !ready {
			var bad *corrupt
			if ready, bad = s.fill(now); bad == nil {
				break
			}
			w.letters.Send(DeadLetter{Stream: event.Stream(i), Offset: bad.first, LastOffset: bad.last, Reason: event.ReasonCorruptBatch, Detail: bad.detail})
		}
		if s.advance {
			s.advance = false
			w.handler.Advance(event.Stream(i), s.next)
			w.dirty = true
		}
		if !s.resumeAt.IsZero() && (resume.IsZero() || s.resumeAt.Before(resume)) {
			resume = s.resumeAt
		}
		switch {
		case !ready:
			hold = hold || s.waiting()
			continue
		case !had:
			s.head(w.handler, event.Stream(i))
		}
		if best < 0 || s.headMs < w.streams[best].headMs {
			best = i
		}
	}
	if hold {
		return -1, resume
	}
	return best, resume
}

// hand gives the handler the next records of one stream.
func (w *worker) hand(of event.Stream) error {
	s := w.streams[of]
	n := w.share(of)
	first := s.records[0].Offset
	w.dirty = true
	w.watch.enter(int32(of), first)
	err := w.handler.Handle(of, s.records[:n])
	w.watch.leave()
	if err != nil {
		return fmt.Errorf("%s: offset %d: %w", s.source.place(), first, err)
	}
	w.stats.Records[of].Add(uint64(n))
	if next, done := s.handed(n); done {
		w.handler.Advance(of, next)
	} else {
		s.head(w.handler, of)
	}
	return nil
}

// share says how many records of a stream make up a call.
func (w *worker) share(of event.Stream) int {
	s := w.streams[of]
	n := min(len(s.records), recordsPerCall)
	limit := int64(math.MaxInt64)
	for i, other := range w.streams {
		if i != int(of) && len(other.records) > 0 {
			limit = min(limit, other.headMs+aheadMs)
		}
	}
	if n == 1 || limit == math.MaxInt64 || s.timeMs(w.handler, of, n-1) <= limit {
		return n
	}
	// The first one goes in any case. The records are about in order of time:
	// where they are not, the cut is only less even.
	low, high := 1, n-1
	for low < high {
		if at := (low + high) / 2; s.timeMs(w.handler, of, at) <= limit {
			low = at + 1
		} else {
			high = at
		}
	}
	return low
}

// idle commits when all that there was has been handed in, or the interval is
// over, and says when to look again.
func (w *worker) idle(ctx context.Context, now time.Time, resume time.Time) (time.Duration, error) {
	wait := time.Hour
	if !resume.IsZero() {
		wait = max(resume.Sub(now), time.Millisecond)
	}
	if !w.unfinished.Load() {
		w.unfinished.Store(w.handler.Unfinished()) // it may have been woken for that
	}
	if !w.dirty && !w.unfinished.Load() {
		return wait, nil
	}
	due := w.lastCommit.Add(w.options.CommitInterval)
	if w.dirty && w.drained() {
		if soon := w.lastHanded.Add(w.options.IdleCommit); soon.Before(due) {
			due = soon
		}
	}
	if due.After(now) {
		return min(wait, due.Sub(now)), nil
	}
	err := w.commit(ctx)
	if w.unfinished.Load() {
		wait = min(wait, w.options.CommitInterval)
	}
	return wait, err
}

func (w *worker) drained() bool {
	for _, s := range w.streams {
		if s.waiting() || len(s.records) > 0 {
			return false
		}
	}
	return true
}

// commit makes what was handed in visible, after the dead letters among it are
// written.
func (w *worker) commit(ctx context.Context) error {
	w.lastCommit = time.Now()
	if err := w.letters.flush(ctx); err != nil {
		return fmt.Errorf("partition %d: commit: %w: %w", w.partition, errLettersLost, err)
	}
	w.watch.enter(committing, 0)
	err := w.handler.Commit(ctx)
	w.watch.leave()
	if err != nil {
		return fmt.Errorf("partition %d: commit: %w", w.partition, err)
	}
	w.dirty = false
	w.unfinished.Store(w.handler.Unfinished())
	w.stats.Commits.Add(1)
	for i, s := range w.streams {
		w.published[i].Store(s.next)
	}
	return nil
}

// errStopped ends run's loop after a stop command; it is no failure.
var errStopped = errors.New("stopped")

// obey carries a command out and says whether the worker is to end.
func (w *worker) obey(ctx context.Context, cmd command) (stop bool) {
	if cmd.kind != resumeWorker {
		var err error
		if w.dirty { // what is only unfinished is durable as it is
			err = w.commit(cmd.ctx)
		}
		if cmd.kind == pauseWorker && errors.Is(err, errLettersLost) {
			err = nil // they may still be written: the commit is made later, or by whoever reads again
		}
		if cmd.kind == stopWorker || err != nil {
			w.err = errors.Join(err, w.close())
			cmd.done <- w.err
			return true
		}
		cmd.done <- nil
		select {
		case next := <-w.commands:
			return w.obey(ctx, next)
		case <-ctx.Done():
			return false // run sees it
		}
	}
	cmd.done <- nil
	return false
}

func (w *worker) close() error {
	w.fenced.Store(true)
	for _, s := range w.streams {
		s.drop()
	}
	if err := w.handler.Close(); err != nil {
		w.closed = fmt.Errorf("partition %d: close: %w", w.partition, err)
	}
	return w.closed
}
