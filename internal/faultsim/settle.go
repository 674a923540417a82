package faultsim

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// settle ends the faults: all records have come, all instances run and know the
// newest generation, and everything is read and committed until nothing changes.
func (w *world) settle() {
	w.calm = true
	w.note("calm")
	w.produce(len(w.coming))
	for _, i := range w.instances {
		if i.proc != nil {
			i.proc.fs.arm(0)
			i.proc.fs.armSync(0)
		}
	}
	w.reapAll()
	for _, i := range w.instances {
		if i.proc == nil {
			w.start(i)
		}
	}
	w.rebalance()
	w.reapAll()
	for round := 0; ; round++ {
		if round == 60 {
			w.failf("the world does not come to rest")
		}
		w.nowMs += 10_000
		before := w.topic.end
		w.round(round)
		if round > 5 && w.topic.end == before && w.atRest() {
			return
		}
	}
}

func (w *world) round(n int) {
	switch {
	case n < 4:
		w.landSome(30)
		w.compactTopic()
	case n == 4:
		w.landSome(0)
		for _, q := range w.afloat {
			w.land(q, len(*q))
		}
		for _, i := range w.instances {
			for _, h := range i.proc.all() {
				w.land(h.inFlight, len(*h.inFlight))
			}
		}
	}
	for _, i := range w.instances {
		p := i.proc
		for number := range int32(len(w.logs)) {
			if epoch, ok := p.pending[number]; ok {
				w.guard(p, func() error { w.open(p, number, epoch); return nil })
			}
		}
		for _, h := range p.all() {
			for w.behind(h) {
				w.deliver(p, h, 100)
			}
			if p.held[h.partition] == h {
				w.commit(p, h)
			}
			if !h.synced {
				w.sync(p, h)
			}
		}
	}
	for _, i := range w.instances {
		w.reapAll()
		if i.proc == nil {
			w.failf("instance %d died in calm", i.id)
		}
		w.read(i.proc, 1<<30)
	}
}

func (w *world) atRest() bool {
	held := 0
	for _, i := range w.instances {
		for _, h := range i.proc.all() {
			held++
			if !h.reconciled || len(h.correct) > 0 || h.retell || h.core.Unfinished() || w.behind(h) || len(*h.inFlight) > 0 {
				return false
			}
		}
		if i.proc.reader.next < w.topic.end {
			return false
		}
	}
	return held == len(w.logs)
}

// compare holds every instance against an undisturbed run and the recount.
func (w *world) compare() {
	r := w.load.Recount()
	calm, counts := w.undisturbed()
	breakdowns := w.load.Breakdowns()
	want, err := worlds.Ask(calm, breakdowns, counts)
	if err != nil {
		w.failf("undisturbed: %v", err)
	}
	check := func(name string, merged *aggregator.Merged, counts []join.Counts) {
		diffs, err := w.load.Check(merged, r, rand.New(rand.NewPCG(w.seed, 2)))
		if err != nil {
			w.failf("%s: %v", name, err)
		}
		if w.countable {
			diffs = append(diffs, worlds.CheckCounts(counts, r)...)
		}
		if len(diffs) > 0 {
			w.failf("%s: %d differences from the recount: %s", name, len(diffs), diffs[0])
		}
	}
	check("undisturbed run", calm, counts)
	counts = counts[:0]
	for _, i := range w.instances {
		for _, h := range i.proc.all() {
			counts = append(counts, h.report.Join)
		}
	}
	if !w.countable {
		counts = nil
		want.Unmatched = [event.NumStreams][3]int64{}
	}
	same := func(name string, merged *aggregator.Merged) {
		got, err := worlds.Ask(merged, breakdowns, counts)
		if err != nil {
			w.failf("%s: %v", name, err)
		}
		if d := got.Difference(want); d != "" {
			w.failf("%s differs from an undisturbed run:\n%s", name, d)
		}
	}
	for k, i := range w.instances {
		if k == 0 {
			check("instance 0", i.proc.reader.merged, counts)
		}
		same("instance "+string(rune('0'+k)), i.proc.reader.merged)
	}
	w.topic.compact(w.rng, nil, true)
	late := newReader(w.aggregator)
	if err := late.read(&w.topic, 1<<30, true, func(*message, *aggregator.RecordKey) {}); err != nil {
		w.failf("late reader: %v", err)
	}
	same("a reader of the compacted topic", late.merged)
}

// undisturbed counts the same records without faults, in one process and in
// memory that holds all of them.
func (w *world) undisturbed() (*aggregator.Merged, []join.Counts) {
	merged := aggregator.NewMerged(w.aggregator)
	counts := make([]join.Counts, len(w.logs))
	var cores []*partition.Core
	for n := range w.logs {
		o := partition.Options{
			Partition: int32(n), Join: w.join, Aggregator: w.aggregator,
			NowMs: func() int64 { return w.nowMs }, NewestMs: merged.NewestMs, Letters: letters{w},
			Publish: func(source int32, newestMs int64, us []aggregator.Upsert) { merged.Publish(source, newestMs, us) },
			Report:  func(source int32, r partition.Report) { counts[source] = r.Join },
		}
		o.Join.MemoryBytes = 1 << 30
		c, err := partition.Open(o, partition.NewMemory())
		if err != nil {
			w.failf("undisturbed: %v", err)
		}
		cores = append(cores, c)
		var next [event.NumStreams]int
		for {
			best := -1
			for s := range next {
				l := w.logs[n][s].records
				if next[s] < len(l) && (best < 0 || l[next[s]].TimestampMs < w.logs[n][best].records[next[best]].TimestampMs) {
					best = s
				}
			}
			if best < 0 {
				break
			}
			if err := c.Handle(event.Stream(best), []consumer.Record{w.logs[n][best].records[next[best]]}); err != nil {
				w.failf("undisturbed: %v", err)
			}
			next[best]++
		}
	}
	for range 2 {
		for _, c := range slices.Backward(cores) {
			if err := c.Commit(context.Background()); err != nil {
				w.failf("undisturbed: %v", err)
			}
		}
	}
	return merged, counts
}
