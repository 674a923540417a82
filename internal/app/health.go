package app

import (
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// health is what the rules about the service itself read.
type health struct {
	pipeline *pipeline
	merged   *aggregator.Merged
	lag      func() int64 // records that are still to be read

	newest             map[string]int64 // event times of experiments, as of lookedUp
	lookedUp           time.Time
	consumed           int64     // when it was last looked at
	came               time.Time // when it had last grown
	began              time.Time
	unmatched, records [event.NumStreams]int64 // at began
}

// progressingFor is how long after a record more of them are taken to come.
const progressingFor = 30 * time.Second

// unmatchedOver is how long a share of unmatched records is over, at least.
const unmatchedOver = 5 * time.Minute

// of is called from one goroutine.
func (h *health) of(experiment string) alerts.Health {
	now := h.pipeline.now()
	if experiment != "" {
		return alerts.Health{NewestMs: h.newestMs(experiment, now)}
	}
	out := alerts.Health{WatermarkMs: h.merged.NewestMs(), LagRecords: h.lag()}
	consumed, unmatched := h.pipeline.grown()
	all := int64(0)
	for _, n := range consumed {
		all += n
	}
	if all > h.consumed {
		h.consumed, h.came = all, now
	}
	out.Progressing = now.Sub(h.came) < progressingFor
	if h.began.IsZero() || now.Sub(h.began) >= 2*unmatchedOver {
		h.began, h.unmatched, h.records = now, unmatched, consumed
	}
	if now.Sub(h.began) >= unmatchedOver {
		for st := range event.NumStreams {
			n := float64(consumed[st] - h.records[st])
			if st != event.Predictions && n > 0 {
				out.Unmatched = append(out.Unmatched, alerts.Share{Metric: alerts.MetricUnmatched, Key: st.String(), K: float64(unmatched[st] - h.unmatched[st]), N: n, Clusters: n})
			}
		}
	}
	return out
}

// lagging is how many records the partitions here still have to read.
func (p *pipeline) lagging() (records int64) {
	for _, l := range p.Lag() {
		records += l.Records
	}
	return records
}

// behind is how far event time may be from the clock, with records still to be
// read, before the service cannot say that an experiment has no data.
const behind = time.Minute

// newestMs is the newest event of an experiment, 0 while it is not known
// because what has come has not been read. Experiments are looked up once for
// all that ask at the same time.
func (h *health) newestMs(experiment string, now time.Time) int64 {
	if now.Sub(time.UnixMilli(h.merged.NewestMs())) > behind && h.lag() > 0 {
		return 0
	}
	if h.newest == nil || now.Sub(h.lookedUp).Abs() >= time.Second/2 {
		h.newest, h.lookedUp = map[string]int64{}, now
		for _, e := range h.merged.Experiments() {
			h.newest[e.Name] = e.LastMs
		}
	}
	return h.newest[experiment]
}

// grown is how many records this process has taken in, and how many more of
// them found no partner. What a partition had counted elsewhere is not in it.
func (p *pipeline) grown() (consumed, unmatched [event.NumStreams]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grownConsumed, p.grownUnmatched
}
