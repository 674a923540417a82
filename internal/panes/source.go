package panes

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/rampgauge/rampgauge/aggregator"
)

// Source is the way of one source partition's panes to the topic, as long as
// the partition is owned here. Prepare, Publish and Close are for the goroutine
// of the partition's core; the others are safe for concurrent use.
type Source struct {
	t      *Topic
	number int32
	epoch  uint64
	wake   func()
	ctx    context.Context // ends with Close
	stop   context.CancelFunc

	synced     atomic.Bool // the topic has been read up to where it ended after the epoch began
	reconciled atomic.Bool // what is published is what the state holds, but for what is queued
	fenced     atomic.Bool // a newer owner has been seen
	newer      atomic.Uint64

	mu       sync.Mutex
	watching bool
	correct  map[aggregator.CellPane]struct{} // the topic has them otherwise
	progress aggregator.Version               // the newest progress read
	retell   bool                             // an older one stands behind it
	debts    []debt                           // by sequence, ascending
	last     uint64                           // sequence of the last Publish
	unseen   unseen
}

// debt is how many records of one commit are not on the topic.
type debt struct {
	sequence uint64
	records  int
}

// Open begins the ownership of a source under an epoch that no other owner has
// had or will have, and that is higher than those before. wake is called, from
// any goroutine, when the core ought to commit soon although no record comes;
// nil: it commits now and then anyway. A source that is open already is closed.
func (t *Topic) Open(source int32, epoch uint64, wake func()) *Source {
	if wake == nil {
		wake = func() {}
	}
	s := &Source{t: t, number: source, epoch: epoch, wake: wake, correct: map[aggregator.CellPane]struct{}{}}
	s.ctx, s.stop = context.WithCancel(t.ctx)
	t.index.open(s)
	go s.sync()
	return s
}

// Close ends the ownership. What is queued is written all the same: it is what
// the state held, and the next owner finds it there.
func (s *Source) Close() {
	s.stop()
	s.t.index.close(s)
}

// sync waits until the index has all that was on the topic, and all that was on
// its way there, when the ownership began.
func (s *Source) sync() {
	select {
	case <-s.t.started:
	case <-s.ctx.Done():
		return
	}
	for _, l := range s.t.lanes {
		if l.await(s.ctx, l.mark()) != nil {
			return
		}
	}
	if s.t.kafka.ReadToEnd(s.ctx, configKey) {
		s.synced.Store(true)
		s.wake()
	}
}

// Prepare is to be called before the Partition is flushed for a commit. It has
// the Partition publish what the topic has otherwise.
func (s *Source) Prepare(p *aggregator.Partition) {
	if cut, ok := s.t.opts.Merged.Cut(); ok {
		p.Cut(cut)
	}
	if !s.reconciled.Load() {
		s.reconcile(p)
		return
	}
	s.mu.Lock()
	correct, retell := s.correct, s.retell
	if len(correct) > 0 {
		s.correct = map[aggregator.CellPane]struct{}{}
	}
	s.retell = false
	s.mu.Unlock()
	if retell {
		p.CorrectProgress()
	}
	for c := range correct {
		p.Correct(c)
	}
	s.t.stats.Corrected.Add(int64(len(correct)))
}

func (s *Source) reconcile(p *aggregator.Partition) {
	if s.fenced.Load() || !s.synced.Load() || p.Behind(s.t.index.held(s.number)) && !s.t.opts.CaughtUp(s.number) {
		return
	}
	// From here on every record that is not ours is noted: the index may miss it.
	s.mu.Lock()
	clear(s.correct)
	s.watching = true
	s.mu.Unlock()
	n := p.Reconcile(s.t.index.held(s.number))
	s.t.stats.Corrected.Add(int64(n))
	s.reconciled.Store(true)
}

// Publish queues what a commit has changed, once it is stored. Before the first
// comparison with the topic, after a newer owner has been seen and while the
// queue is full it does nothing: a later comparison finds what is missing.
func (s *Source) Publish(newestMs int64, upserts []aggregator.Upsert) {
	if s.fenced.Load() || !s.reconciled.Load() {
		return
	}
	if len(upserts) == 0 {
		s.mu.Lock()
		s.unseen.news = span{} // nothing of it is to be seen
		s.mu.Unlock()
		return
	}
	size := 0
	for i := range upserts {
		size += upserts[i].ValueSize() + 200
	}
	if queued := s.t.queued.Load(); queued > 0 && queued+int64(size) > int64(s.t.opts.QueueBytes) {
		s.startOver()
		return
	}
	s.mu.Lock()
	s.last = upserts[0].Version.Sequence
	s.unseen.publish(s.last, upserts)
	s.mu.Unlock()
	lanes := make([][]*waiting, len(s.t.lanes))
	arena := make([]byte, 0, size)
	for i := range upserts {
		u := &upserts[i]
		w := &waiting{version: u.Version, source: s, progress: u.Progress}
		from := len(arena)
		arena = u.AppendKey(arena, s.number)
		w.message.Key = arena[from:len(arena):len(arena)]
		from = len(arena)
		if arena = u.AppendValue(arena, newestMs); len(arena) > from {
			w.message.Value = arena[from:len(arena):len(arena)]
		} else {
			arena = appendVersion(arena, u.Version)
			w.message.HeaderKey, w.message.HeaderValue = versionHeader, arena[from:len(arena):len(arena)]
		}
		lane := int(s.number) % len(lanes)
		if !u.Progress {
			lane = int(aggregator.Home(u.Key.Experiment, len(lanes)))
		}
		lanes[lane] = append(lanes[lane], w)
	}
	for i, l := range s.t.lanes {
		l.put(lanes[i])
	}
}

// startOver has the source compared with the topic again.
func (s *Source) startOver() {
	s.mu.Lock()
	s.unseen.startOver()
	s.mu.Unlock()
	s.synced.Store(false)
	s.reconciled.Store(false)
	go s.sync()
}

// Asks reports whether a commit is wanted although no record comes.
func (s *Source) Asks() bool {
	if s.fenced.Load() {
		return false
	}
	if !s.reconciled.Load() {
		return s.synced.Load()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.correct) > 0 || s.retell
}

// Fenced reports whether a record of a newer owner has been seen: this one is a
// zombie, and publishes nothing any more.
func (s *Source) Fenced() bool { return s.fenced.Load() }

// Newer is the newest epoch seen of the source, 0 while none was newer than ours.
func (s *Source) Newer() uint64 { return s.newer.Load() }

// Published is the version up to which all that was handed to Publish is on the
// topic; ok is false before the source has been compared with it.
func (s *Source) Published() (v aggregator.Version, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v = aggregator.Version{Epoch: s.epoch, Sequence: s.last}
	if len(s.debts) > 0 {
		v.Sequence = s.debts[0].sequence - 1
	}
	return v, s.reconciled.Load()
}

func (s *Source) owes(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.debts); n > 0 && s.debts[n-1].sequence == sequence {
		s.debts[n-1].records++
		return
	}
	s.debts = append(s.debts, debt{sequence, 1})
}

func (s *Source) paid(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.debts {
		if s.debts[i].sequence == sequence {
			s.debts[i].records--
			break
		}
	}
	for len(s.debts) > 0 && s.debts[0].records == 0 {
		s.debts = s.debts[1:]
	}
}

// note is called by the reader for a record of this source.
func (s *Source) note(c aggregator.CellPane, v aggregator.Version, standing aggregator.Standing) {
	if s.fence(v) || v.Epoch == s.epoch && standing != aggregator.Stale {
		return
	}
	s.mu.Lock()
	first := s.watching && len(s.correct) == 0
	if s.watching {
		s.correct[c] = struct{}{}
	}
	s.mu.Unlock()
	if first {
		s.wake()
	}
}

// noteProgress is called by the reader for a record of how far this source is.
func (s *Source) noteProgress(v aggregator.Version) {
	if s.fence(v) {
		return
	}
	s.mu.Lock()
	stale := v.Less(s.progress) || v.Epoch < s.epoch
	if !stale {
		s.progress = v
	}
	first := s.watching && stale && !s.retell
	s.retell = s.retell || first
	s.mu.Unlock()
	if first {
		s.wake()
	}
}

// fence reports whether a version is a newer owner's.
func (s *Source) fence(v aggregator.Version) bool {
	if v.Epoch <= s.epoch {
		return false
	}
	s.newer.Store(max(s.newer.Load(), v.Epoch)) // the reader alone writes it
	if s.fenced.CompareAndSwap(false, true) {
		s.t.log.Warn("panes: another instance owns the partition now; nothing more of ours is published",
			"partition", s.number, "epoch", s.epoch, "newer", v.Epoch)
	}
	return true
}

func appendVersion(b []byte, v aggregator.Version) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, v.Epoch), v.Sequence)
}

func parseVersion(b []byte) (v aggregator.Version, ok bool) {
	if len(b) != 16 {
		return v, false
	}
	return aggregator.Version{Epoch: binary.BigEndian.Uint64(b), Sequence: binary.BigEndian.Uint64(b[8:])}, true
}
