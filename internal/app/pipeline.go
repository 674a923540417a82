package app

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// pipeline gathers what the partitions report of themselves, for the API and
// the service's own metrics. It implements api.Pipeline.
type pipeline struct {
	merged   *aggregator.Merged
	counters *telemetry.Counters
	consumer *consumer.Consumer
	now      func() time.Time
	holds    atomic.Int32

	mu      sync.Mutex
	reports map[int32]partition.Report
}

func newPipeline(m *aggregator.Merged, c *telemetry.Counters, now func() time.Time) *pipeline {
	return &pipeline{merged: m, counters: c, now: now, reports: map[int32]partition.Report{}}
}

func (p *pipeline) partitions() int { return p.consumer.Partitions() }

// report takes a partition's counts after a commit, and moves the counters on
// by what is new in them.
func (p *pipeline) report(source int32, r partition.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.reports[source]
	p.reports[source] = r
	for s := range event.NumStreams {
		now, was := &r.Join.Streams[s], &old.Join.Streams[s]
		p.counters.AddConsumed(s, int(r.Consumed[s]-old.Consumed[s]))
		p.counters.Add(s, telemetry.Duplicate, int(now.Duplicate-was.Duplicate))
		p.counters.Add(s, telemetry.Conflicting, int(now.Conflicting-was.Conflicting))
		p.counters.Add(s, telemetry.Late, int(now.Late-was.Late))
		if s == event.Conversions {
			p.counters.Add(s, telemetry.Outside, int(now.Outside-was.Outside))
		}
		for reason := event.ReasonNone + 1; reason < event.NumReasons; reason++ {
			if n := r.DeadBy[s][reason] - old.DeadBy[s][reason]; n > 0 {
				p.counters.AddDead(s, reason, int(n))
			}
		}
	}
	p.countUnmatched(&r.Join, &old.Join)
	p.counters.AddCandidates(int(r.Join.Candidates - old.Join.Candidates))
	if r.NewestMs > old.NewestMs {
		p.counters.ObserveEventToMetric(p.now().Sub(time.UnixMilli(r.NewestMs)))
	}
}

// countUnmatched moves the counters on. A counter cannot take back what a late
// match does; the status endpoint shows the present number.
func (p *pipeline) countUnmatched(now, was *join.Counts) {
	for m := range join.NumMismatches {
		if n := now.Streams[event.Impressions].UnmatchedBy[m] - was.Streams[event.Impressions].UnmatchedBy[m]; n > 0 {
			p.counters.AddUnmatched(whyOf(m), int(n))
		}
	}
	if n := now.Streams[event.Conversions].Unmatched - was.Streams[event.Conversions].Unmatched; n > 0 {
		p.counters.AddUnmatched(telemetry.NoImpression, int(n))
	}
}

func whyOf(m join.Mismatch) telemetry.Why {
	switch m {
	case join.NoItem:
		return telemetry.NoItem
	case join.OutsideWindow:
		return telemetry.OutsideWindow
	default:
		return telemetry.NoAuction
	}
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
	s := telemetry.Status{CaughtUp: caughtUp && !held, LagRecords: lag, WatermarkMs: p.merged.NewestMs()}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.reports {
		for st := range event.NumStreams {
			c, j := &s.Streams[st], &r.Join.Streams[st]
			c.Consumed += r.Consumed[st]
			c.Dead += r.Dead[st]
			c.Duplicate += j.Duplicate
			c.Conflicting += j.Conflicting
			c.Late += j.Late
			c.Outside += j.Outside
			c.Waiting += j.Waiting
			c.Unmatched += j.Unmatched
			for m := range join.NumMismatches {
				c.Whys[whyOf(m)] += j.UnmatchedBy[m]
			}
		}
		s.Streams[event.Conversions].Whys[telemetry.NoImpression] += r.Join.Streams[event.Conversions].Unmatched
	}
	return s, err
}

// Ready implements api.Pipeline.
func (p *pipeline) Ready() bool { return p.consumer.Ready() }

// Lag implements api.Pipeline.
func (p *pipeline) Lag() []telemetry.PartitionLag {
	var out []telemetry.PartitionLag
	for _, l := range p.consumer.Lag() {
		out = append(out, telemetry.PartitionLag{Stream: l.Stream, Partition: l.Partition, Records: l.Records()})
	}
	return out
}
