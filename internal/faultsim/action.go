package faultsim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// guard calls f, and takes the process away if it came to its end meanwhile. A
// failed fsync ends it: nobody knows what the disk holds then.
func (w *world) guard(p *process, f func() error) {
	if err := f(); err != nil && !p.dead() {
		w.failf("instance %d: %v", p.inst.id, err)
	}
	w.reap(p)
}

// deliver hands records of one stream to a partition.
func (w *world) deliver(p *process, h *held, n int) {
	logs := &w.logs[h.partition]
	s := event.Stream(w.rng.IntN(int(event.NumStreams)))
	if w.inOrder {
		s = w.earliest(h)
	}
	l := &logs[s]
	from := l.at(h.next[s])
	to := min(len(l.records), from+n)
	if from > 0 && w.chance(0.1) {
		from-- // a fetch may begin before the offset asked for
	}
	w.guard(p, func() error {
		if from < to {
			if err := h.core.Handle(s, slices.Clone(l.records[from:to])); err != nil {
				return err
			}
			h.next[s] = l.records[to-1].Offset + 1
		}
		switch {
		case to == len(l.records) && h.next[s] < l.end:
			h.next[s] = l.end
			h.core.Advance(s, l.end)
		case to < len(l.records) && h.next[s] < l.records[to].Offset && w.chance(0.5):
			h.next[s] = l.records[to].Offset
			h.core.Advance(s, h.next[s])
		}
		return nil
	})
}

// earliest is the stream whose next record is the oldest, among those that have one.
func (w *world) earliest(h *held) event.Stream {
	best, bestMs := event.Stream(w.rng.IntN(int(event.NumStreams))), int64(0)
	for s := range event.NumStreams {
		l := &w.logs[h.partition][s]
		if i := l.at(h.next[s]); i < len(l.records) && (bestMs == 0 || l.records[i].TimestampMs < bestMs) {
			best, bestMs = s, l.records[i].TimestampMs
		}
	}
	return best
}

// behind reports whether there is anything left to fetch.
func (w *world) behind(h *held) bool {
	for s := range event.NumStreams {
		if l := &w.logs[h.partition][s]; max(h.next[s], 0) < l.end {
			return true
		}
	}
	return false
}

var errReread = errors.New("simulated error of reading again")

func (w *world) reread(p *process, h *held, first, last int64, f func([]consumer.Record) error) error {
	w.faults[Sought]++
	w.interleave(p)
	l := &w.logs[h.partition][event.Predictions]
	records := l.records[l.at(first):l.at(last+1)]
	for len(records) > 0 {
		n := 1 + w.rng.IntN(len(records))
		if err := f(slices.Clone(records[:n])); err != nil {
			return err
		}
		records = records[n:]
		if !w.calm && w.chance(0.05) {
			w.faults[SeekFailed]++
			return errReread
		}
	}
	return nil
}

// commit has a partition store and publish.
func (w *world) commit(p *process, h *held) {
	if w.isZombie(p, h) {
		w.faults[ZombieCommit]++
	}
	w.guard(p, func() error {
		p.fs.committing(true)
		err := h.core.Commit(p.ctx)
		p.fs.committing(false)
		if p.dead() {
			return nil
		}
		if errors.Is(err, errReread) {
			w.note("%d: partition %d is given up: %v", p.inst.id, h.partition, err)
			w.leave(p, h)
			return nil
		}
		if err == nil {
			w.keep(p, h)
		}
		return err
	})
}

// keep notes what must survive from now on.
func (w *world) keep(p *process, h *held) {
	stored, err := partition.ReadStored(h.db.Meta())
	if err != nil {
		w.failf("instance %d, partition %d: %v", p.inst.id, h.partition, err)
	}
	p.inst.committed[h.partition] = stored.Applied
}

// publish puts what a commit has stored on the panes topic.
func (w *world) publish(p *process, h *held, newestMs int64, us []aggregator.Upsert) {
	if p.dead() {
		return
	}
	w.interleave(p)
	if !h.reconciled {
		return
	}
	if !w.calm && w.chance(0.04) {
		us = us[:w.rng.IntN(len(us)+1)]
		w.faults[CutPublish]++
		defer p.fs.crash()
	}
	zombie := w.isZombie(p, h)
	late := !w.calm && w.chance(0.1)
	for i := range us {
		m := message{
			source: h.partition, key: us[i].AppendKey(nil, h.partition), version: us[i].Version,
			value: us[i].AppendValue(nil, newestMs),
		}
		if len(m.value) == 0 {
			m.value = nil
		}
		if zombie {
			w.faults[ZombiePublish]++
		}
		if late || len(*h.inFlight) > 0 {
			*h.inFlight = append(*h.inFlight, m)
			continue
		}
		w.topic.append(m)
	}
}

// land lets some of what is in flight reach the topic.
func (w *world) land(q *[]message, n int) {
	n = min(n, len(*q))
	for _, m := range (*q)[:n] {
		w.topic.append(m)
	}
	*q = (*q)[n:]
}

// outlive keeps what a partition has in flight on its way, or loses it.
func (w *world) outlive(h *held) {
	if n := len(*h.inFlight); n > 0 && w.chance(0.7) {
		w.faults[LatePublish] += int64(n)
		w.afloat = append(w.afloat, h.inFlight)
	}
	h.inFlight = new([]message)
}

// read lets a process read the panes topic.
func (w *world) read(p *process, n int) {
	err := p.reader.read(&w.topic, n, w.chance(0.5), func(m *message, k *aggregator.RecordKey) {
		h := p.held[m.source]
		switch {
		case h == nil:
		case m.version.Epoch < h.epoch && h.reconciled:
			w.faults[Corrected]++
			if k.Progress {
				h.retell = true
				return
			}
			h.correct[aggregator.CellPane{Key: k.Key, Pane: k.Pane}] = true
		case m.version.Epoch > h.epoch && (w.calm || w.chance(0.5)):
			w.faults[Fenced]++
			w.note("%d: partition %d of epoch %d is fenced by a pane of epoch %d", p.inst.id, h.partition, h.epoch, m.version.Epoch)
			w.drop(p, h)
		}
	})
	if err != nil {
		w.failf("instance %d: %v", p.inst.id, err)
	}
}

// sync lets a partition be compared with the topic at its next commit, now that
// all of the topic has been read.
func (w *world) sync(p *process, h *held) {
	w.read(p, 1<<30)
	if p.held[h.partition] != h {
		return
	}
	for _, v := range p.reader.published[h.partition] {
		if v.Epoch > h.epoch {
			w.faults[Fenced]++
			w.drop(p, h)
			return
		}
	}
	h.synced = true
}

// startOver has a partition compared with the topic again, as when its panes
// cannot be written for a while. What it commits until then is not published.
func (w *world) startOver(h *held) {
	h.synced, h.reconciled = false, false
	clear(h.correct)
}

// prepare has a partition publish, with the commit under way, what the topic has
// otherwise.
func (w *world) prepare(p *process, h *held, of *aggregator.Partition) {
	if h.reconciled {
		for c := range h.correct {
			of.Correct(c)
		}
		clear(h.correct)
		if h.retell {
			of.CorrectProgress()
		}
		h.retell = false
		return
	}
	published := func(yield func(aggregator.CellPane, aggregator.Version) bool) {
		for c, v := range p.reader.published[h.partition] {
			if !yield(c, v) {
				return
			}
		}
	}
	if !h.synced || of.Behind(published) && w.behind(h) {
		return
	}
	n := of.Reconcile(published)
	h.reconciled = true
	w.note("%d: partition %d of epoch %d reconciled, %d panes differ", p.inst.id, h.partition, h.epoch, n)
}

func (m *message) String() string {
	what := "sums"
	if m.value == nil {
		what = "tombstone"
	}
	return fmt.Sprintf("%d: source %d, version %v, %s", m.offset, m.source, m.version, what)
}
