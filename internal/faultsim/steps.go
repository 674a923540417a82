package faultsim

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// disturb lets the world run while everything fails.
func (w *world) disturb() {
	for _, i := range w.instances {
		w.start(i)
	}
	for range 60 + w.rng.IntN(240) {
		w.step()
		w.reapAll()
	}
}

func (w *world) reapAll() {
	for _, i := range w.instances {
		if i.proc != nil {
			w.reap(i.proc)
		}
	}
}

func (w *world) step() {
	switch n := w.rng.IntN(200); {
	case n < 20:
		w.produce(1 + w.rng.IntN(20))
	case n < 28:
		w.rebalance()
	case n < 34:
		if p := w.anyProcess(nil); p != nil {
			w.learn(p)
		}
	case n < 36:
		w.crash()
	case n < 43:
		w.arm()
	case n < 57:
		if i := pick(w.rng, w.instances...); i.proc == nil {
			w.start(i)
		}
	case n < 58:
		w.loseDisk()
	case n < 64:
		w.compactTopic()
	case n < 72:
		w.landSome(20)
	case n < 73:
		w.damage()
	case n < 77:
		w.nowMs += w.rng.Int64N(7_200_000)
	default:
		if p := w.anyProcess(nil); p != nil {
			w.act(p)
		}
	}
}

// anyProcess is one that runs, other than not.
func (w *world) anyProcess(not *process) *process {
	var up []*process
	for _, i := range w.instances {
		if i.proc != nil && i.proc != not {
			up = append(up, i.proc)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return pick(w.rng, up...)
}

// act has a process do one thing.
func (w *world) act(p *process) {
	for number := range int32(len(w.logs)) {
		if epoch, ok := p.pending[number]; ok && w.chance(0.5) {
			w.guard(p, func() error { w.open(p, number, epoch); return nil })
			return
		}
	}
	all := p.all()
	if len(all) == 0 {
		w.read(p, w.rng.IntN(100))
		return
	}
	h := pick(w.rng, all...)
	switch n := w.rng.IntN(20); {
	case n < 9:
		w.deliver(p, h, 1+w.rng.IntN(30))
	case n < 14:
		w.commit(p, h)
	case n < 16:
		w.read(p, w.rng.IntN(100))
	case n < 17:
		w.sync(p, h)
	case n < 19:
		w.upload(p, h)
	default:
		switch w.rng.IntN(10) {
		case 0, 1:
			w.leave(p, h)
		case 2:
			w.startOver(h)
		}
	}
}

// interleave lets the rest of the world go on in the middle of a process's call.
func (w *world) interleave(p *process) {
	if w.calm || w.nested || !w.chance(0.1) {
		return
	}
	w.nested, p.busy = true, true
	if w.chance(0.5) {
		w.faults[RebalanceInCommit]++
		w.rebalance()
	}
	for range w.rng.IntN(12) {
		if q := w.anyProcess(p); q != nil && w.chance(0.9) {
			w.act(q)
		} else {
			w.produce(w.rng.IntN(10))
		}
	}
	w.nested, p.busy = false, false
}

// crash ends a process between two writes.
func (w *world) crash() {
	if p := w.anyProcess(nil); p != nil {
		p.fs.crash()
		w.reap(p)
	}
}

// arm has a process crash in the middle of something soon.
func (w *world) arm() {
	p := w.anyProcess(nil)
	if p == nil {
		return
	}
	if w.chance(0.15) {
		w.note("an fsync of %d will fail", p.inst.id)
		p.fs.armSync(1 + w.rng.IntN(3))
		return
	}
	n := 1 + w.rng.IntN(pick(w.rng, 4, 12, 40))
	w.note("%d will crash at its write %d", p.inst.id, n)
	p.fs.arm(n)
}

func (w *world) loseDisk() {
	i := pick(w.rng, w.instances...)
	if i.proc != nil {
		i.proc.fs.crash()
		w.reap(i.proc)
	}
	w.faults[LostDisk]++
	w.note("the disk of %d is lost", i.id)
	i.mem, i.committed = vfs.NewCrashableMem(), map[int32][event.NumStreams]int64{}
}

func (w *world) compactTopic() {
	if len(w.topic.messages) == 0 {
		return
	}
	var readers []int64
	for _, i := range w.instances {
		if i.proc != nil {
			readers = append(readers, i.proc.reader.next)
		}
	}
	removed, dropped := w.topic.compact(w.rng, readers, w.chance(0.5))
	if removed > 0 {
		w.faults[TopicCompacted]++
	}
	w.faults[TombstonesDropped] += dropped
}

// landSome lets up to n messages of each queue reach the topic.
func (w *world) landSome(n int) {
	for _, q := range w.afloat {
		w.land(q, w.rng.IntN(n+1))
	}
	for _, i := range w.instances {
		if i.proc == nil {
			continue
		}
		for _, h := range i.proc.all() {
			w.land(h.inFlight, w.rng.IntN(n+1))
		}
	}
}
