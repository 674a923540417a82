package app

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/panes"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// pipeline gathers what the partitions report of themselves, for the API and
// the service's own metrics. It implements api.Pipeline.
type pipeline struct {
	merged   *aggregator.Merged
	topic    *panes.Topic
	counters *telemetry.Counters
	consumer *consumer.Consumer
	now      func() time.Time
	holds    atomic.Int32
	disk     func() (bytes int64, over bool) // of the states
	memory   memoryBudget

	mu          sync.Mutex
	reports     map[int32]partition.Report
	corruptSeen [event.NumStreams]telemetry.StreamCounts // already counted
	// Since the process began, over all partitions that it has had.
	grownConsumed, grownUnmatched [event.NumStreams]int64
}

func newPipeline(m *aggregator.Merged, topic *panes.Topic, c *telemetry.Counters, now func() time.Time) *pipeline {
	return &pipeline{
		merged: m, topic: topic, counters: c, now: now, reports: map[int32]partition.Report{},
		disk: func() (int64, bool) { return 0, false },
	}
}

func (p *pipeline) partitions() int { return p.consumer.Partitions() }

// begin takes the counts that a partition's state came with. They were counted
// by an earlier process.
func (p *pipeline) begin(source int32, r partition.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reports[source] = r
}

// report takes a partition's counts after a commit, and moves the counters on
// by what is new in them.
func (p *pipeline) report(source int32, r partition.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.reports[source]
	p.reports[source] = r
	for s := range event.NumStreams {
		before, after := streamCounts(&old, s), streamCounts(&r, s)
		p.counters.Grow(s, &before, &after)
		p.grownConsumed[s] += after.Consumed - before.Consumed
		p.grownUnmatched[s] += after.Unmatched - before.Unmatched
	}
	p.growCorrupt()
	if expired := r.Expired - old.Expired; expired > 0 {
		p.counters.AddExpired(int(expired))
	}
	if early := r.EvictedEarly - old.EvictedEarly; early > 0 {
		p.counters.AddEvictedEarly(int(early))
		p.memory.short(source, early, r.MemoryBytes)
	}
	p.counters.AddCandidates(int(r.Join.Candidates - old.Join.Candidates))
}

// seen takes in that the numbers which queries see now have events from a first
// to a newest one: those in between took no longer than the first.
func (p *pipeline) seen(firstMs, newestMs int64) {
	now := p.now()
	p.counters.ObserveEventToMetric(now.Sub(time.UnixMilli(firstMs)))
	if newestMs > firstMs {
		p.counters.ObserveEventToMetric(now.Sub(time.UnixMilli(newestMs)))
	}
}

// streamCounts is one stream of a report in the service's own terms.
func streamCounts(r *partition.Report, s event.Stream) telemetry.StreamCounts {
	j := &r.Join.Streams[s]
	c := telemetry.StreamCounts{
		Consumed: r.Consumed[s], Dead: r.Dead[s], DeadBy: r.DeadBy[s],
		Duplicate: j.Duplicate, Conflicting: j.Conflicting, Late: j.Late, Outside: j.Outside,
		Waiting: j.Waiting, Unmatched: j.Unmatched,
	}
	if s == event.Conversions {
		c.UnmatchedBy[telemetry.NoImpression] = j.Unmatched
		return c
	}
	for m, why := range whys {
		c.UnmatchedBy[why] = j.UnmatchedBy[m]
	}
	return c
}

// whys maps what an impression misses to the service's own terms.
var whys = [join.NumMismatches]telemetry.Why{
	join.NoAuction:     telemetry.NoAuction,
	join.NoItem:        telemetry.NoItem,
	join.OutsideWindow: telemetry.OutsideWindow,
}

// corrupt is how many record batches the consumer gave up. They never reach a
// partition core, so no report has them.
func (p *pipeline) corrupt() (counts [event.NumStreams]telemetry.StreamCounts) {
	dead := &p.consumer.Stats().DeadLetters
	for s := range event.NumStreams {
		n := int64(dead[s][event.ReasonCorruptBatch].Load())
		counts[s].Consumed, counts[s].Dead, counts[s].DeadBy[event.ReasonCorruptBatch] = n, n, n
	}
	return counts
}

func (p *pipeline) growCorrupt() {
	now := p.corrupt()
	for s := range event.NumStreams {
		p.counters.Grow(s, &p.corruptSeen[s], &now[s])
	}
	p.corruptSeen = now
}

func (p *pipeline) forget(source int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.reports, source)
}

// hold keeps Status from saying that the service has caught up.
func (p *pipeline) hold() (release func()) {
	p.holds.Add(1)
	return sync.OnceFunc(func() { p.holds.Add(-1) })
}

// Status implements api.Pipeline.
func (p *pipeline) Status(ctx context.Context) (telemetry.Status, error) {
	held := p.holds.Load() > 0
	caughtUp, lag, err := p.consumer.CaughtUp(ctx)
	if err == nil && caughtUp {
		caughtUp, err = p.topic.CaughtUp(ctx)
	}
	s := telemetry.Status{CaughtUp: caughtUp && !held, LagRecords: lag, WatermarkMs: p.merged.NewestMs()}
	s.Budgets.StateDisk, s.Budgets.OverDisk = p.disk()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.reports {
		s.Budgets.JoinMemory += r.MemoryBytes
	}
	corrupt := p.corrupt()
	for st := range event.NumStreams {
		s.Streams[st].Add(&corrupt[st])
		for _, r := range p.reports {
			c := streamCounts(&r, st)
			s.Streams[st].Add(&c)
		}
	}
	return s, err
}

// owns reports whether this instance exposes an experiment's gauges.
func (p *pipeline) owns(experiment string) bool {
	n := p.partitions()
	return n == 0 || slices.Contains(p.consumer.Assigned(), aggregator.Home(experiment, n))
}

// Ready implements api.Pipeline.
func (p *pipeline) Ready() bool { return p.consumer.Ready() && p.topic.Ready() }

// Lag implements api.Pipeline.
func (p *pipeline) Lag() []telemetry.PartitionLag {
	var out []telemetry.PartitionLag
	for _, l := range p.consumer.Lag() {
		out = append(out, telemetry.PartitionLag{Stream: l.Stream, Partition: l.Partition, Records: l.Records()})
	}
	return out
}
