package telemetry

import (
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// eventToMetricBounds are the upper bounds of the delay histogram, in seconds:
// fine where a live pipeline should be, coarse up to a day for one that reads a
// backlog.
var eventToMetricBounds = []float64{0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400}

// Counters counts what the service does. Every series of it exists from the
// start, at zero, because a rate misses the first step of a series that was
// absent. It is safe for concurrent use; its Add methods do not allocate.
type Counters struct {
	set           *metrics.Set
	records       [event.NumStreams][NumOutcomes]*metrics.Counter // nil: not possible
	unmatched     [NumWhys]*metrics.Counter
	dead          [event.NumStreams][event.NumReasons]*metrics.Counter
	candidates    *metrics.Counter
	expired       *metrics.Counter
	evictedEarly  *metrics.Counter
	eventToMetric *metrics.PrometheusHistogram
	checkpoints   map[bool]*metrics.Counter // by whether they were made
	checkpointed  *metrics.Counter          // bytes
}

// New returns counters at zero, in a set of their own: two services in one
// process do not share them.
func New() *Counters {
	// Without metadata the text would not say which lines make up a histogram.
	// The switch is global to the library, but only adds comment lines.
	metrics.ExposeMetadata(true)
	c := &Counters{set: metrics.NewSet()}
	for s := range event.NumStreams {
		for o := range NumOutcomes {
			if possible(s, o) {
				c.records[s][o] = c.set.NewCounter(fmt.Sprintf("%s{topic=%q,outcome=%q}", recordsName, s, o))
			}
		}
		for r := event.ReasonNone + 1; r < event.NumReasons; r++ {
			c.dead[s][r] = c.set.NewCounter(fmt.Sprintf("%s{topic=%q,reason=%q}", deadName, s, r))
		}
	}
	for w := range NumWhys {
		c.unmatched[w] = c.set.NewCounter(fmt.Sprintf("%s{topic=%q,reason=%q}", unmatchedName, w.Stream(), w))
	}
	c.candidates = c.set.NewCounter(candidatesName)
	c.expired = c.set.NewCounter(expiredName)
	c.evictedEarly = c.set.NewCounter(evictedEarlyName)
	c.eventToMetric = c.set.NewPrometheusHistogramExt(eventToMetricName, eventToMetricBounds)
	c.checkpoints = map[bool]*metrics.Counter{
		true:  c.set.NewCounter(checkpointsName + `{outcome="made"}`),
		false: c.set.NewCounter(checkpointsName + `{outcome="failed"}`),
	}
	c.checkpointed = c.set.NewCounter(checkpointBytesName)
	return c
}

// Add counts n records of s with outcome o. Dead and unmatched records have
// methods of their own, which also count why.
func (c *Counters) Add(s event.Stream, o Outcome, n int) {
	counter := c.records[s][o]
	if counter == nil {
		panic(fmt.Sprintf("BUG: no record of %s ends as %s", s, o))
	}
	counter.Add(n)
}

// AddConsumed counts n records of s that were handed in.
func (c *Counters) AddConsumed(s event.Stream, n int) { c.records[s][Consumed].Add(n) }

// AddDead counts n records of s refused for reason r, which is not ReasonNone.
func (c *Counters) AddDead(s event.Stream, r event.Reason, n int) {
	if r == event.ReasonNone {
		panic("BUG: a dead letter without a reason")
	}
	c.records[s][Dead].Add(n)
	c.dead[s][r].Add(n)
}

// AddUnmatched counts n records that stay unmatched for the reason w.
func (c *Counters) AddUnmatched(w Why, n int) {
	c.records[w.Stream()][Unmatched].Add(n)
	c.unmatched[w].Add(n)
}

// Grow counts what is new in after since before, two reports of one partition of
// s. A count that has fallen, because a partner came after all, adds nothing:
// counters only grow.
func (c *Counters) Grow(s event.Stream, before, after *StreamCounts) {
	totals := func(t *StreamCounts) [NumOutcomes]int64 {
		return [NumOutcomes]int64{
			Consumed: t.Consumed, Duplicate: t.Duplicate, Conflicting: t.Conflicting, Dead: t.Dead,
			Unmatched: t.Unmatched, Late: t.Late, Outside: t.Outside,
		}
	}
	was, is := totals(before), totals(after)
	for o, counter := range c.records[s] {
		grow(counter, was[o], is[o])
	}
	for r, counter := range c.dead[s] {
		grow(counter, before.DeadBy[r], after.DeadBy[r])
	}
	for w, counter := range c.unmatched {
		if Why(w).Stream() == s {
			grow(counter, before.UnmatchedBy[w], after.UnmatchedBy[w])
		}
	}
}

func grow(counter *metrics.Counter, was, is int64) {
	if counter != nil && is > was {
		counter.AddInt64(is - was)
	}
}

// AddCandidates counts n candidates taken into the numbers.
func (c *Counters) AddCandidates(n int) { c.candidates.Add(n) }

// AddExpired counts n contributions whose pane was gone.
func (c *Counters) AddExpired(n int) { c.expired.Add(n) }

// AddEvictedEarly counts n buckets of auctions dropped while impressions could
// still come for them.
func (c *Counters) AddEvictedEarly(n int) { c.evictedEarly.Add(n) }

// AddCheckpoint counts a checkpoint that was made, and the bytes sent for it, or
// one that failed.
func (c *Counters) AddCheckpoint(made bool, sentBytes int64) {
	c.checkpoints[made].Inc()
	c.checkpointed.AddInt64(sentBytes)
}

// ObserveEventToMetric records how long an event took from its event time to
// the numbers that queries see. A delay below zero, from a clock that is ahead,
// counts as zero.
func (c *Counters) ObserveEventToMetric(d time.Duration) {
	c.eventToMetric.Update(max(0, d.Seconds()))
}

// Records is how many records of s were counted with outcome o since the start
// of the process.
func (c *Counters) Records(s event.Stream, o Outcome) int64 {
	if counter := c.records[s][o]; counter != nil {
		return int64(counter.Get())
	}
	return 0
}

// WriteText writes the set in the Prometheus text format, with TYPE lines.
func (c *Counters) WriteText(w io.Writer) { c.set.WritePrometheus(w) }
