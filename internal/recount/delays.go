package recount

import (
	"time"

	"github.com/zeebo/xxh3"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// delayEdges are the upper edges of the buckets of delay, each inclusive, that
// the service has below an attribution window.
var delayEdges = []time.Duration{
	10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
	20 * time.Minute, 30 * time.Minute, 45 * time.Minute, time.Hour, 90 * time.Minute, 2 * time.Hour, 150 * time.Minute,
	3 * time.Hour, 4 * time.Hour, 5 * time.Hour, 6 * time.Hour, 7 * time.Hour, 8 * time.Hour, 10 * time.Hour, 12 * time.Hour,
	14 * time.Hour, 16 * time.Hour, 18 * time.Hour, 20 * time.Hour, 22 * time.Hour, 24 * time.Hour, 30 * time.Hour, 36 * time.Hour,
	48 * time.Hour, 72 * time.Hour, 96 * time.Hour, 120 * time.Hour, 168 * time.Hour, 240 * time.Hour, 336 * time.Hour, 504 * time.Hour, 720 * time.Hour,
}

// edgesBelow are those below the attribution window, and its end, in ms.
func edgesBelow(window time.Duration) []int64 {
	var out []int64
	for _, e := range delayEdges {
		if e < window {
			out = append(out, e.Milliseconds())
		}
	}
	return append(out, window.Milliseconds())
}

// bucketOf is the bucket of a delay: how many edges are below it.
func (r *Recount) bucketOf(delayMs int64) int {
	n := 0
	for _, e := range r.edges {
		if e < delayMs {
			n++
		}
	}
	return n
}

// passed is how many buckets of delay have gone by in full for every event of
// t's pane, by the newest event.
func (r *Recount) passed(t int64) int {
	_, end := r.pane(t)
	n := 0
	for _, e := range r.edges {
		if e <= r.newestMs-end {
			n++
		}
	}
	return n
}

// Curve is the distribution of the delay of conversions.
type Curve struct {
	F     []float64 // share that has come by the end of each bucket
	N     int64     // conversions that it rests on
	Known bool      // some are of impressions whose window has closed
	Types map[string]*Curve
	seen  []delayed
}

// delayed is one conversion: the bucket of its delay, and how many buckets have
// passed for its impression.
type delayed struct{ bucket, passed int }

// Curves fits a curve for each optimization type of an experiment, over all arms.
func (r *Recount) Curves(experiment string) map[string]*Curve {
	return r.curves(experiment, r.winners())
}

func (r *Recount) curves(experiment string, winners []winner) map[string]*Curve {
	out := map[string]*Curve{}
	for _, w := range winners {
		t := w.impression.EventTimeMs
		if w.first == nil || t < r.horizon() || !takesPart(w.auction.first, experiment) {
			continue
		}
		d := delayed{r.bucketOf(w.first.EventTimeMs - t), r.passed(t)}
		if d.bucket >= d.passed {
			continue // not yet all that are as late
		}
		c := at(out, w.candidate.optimizationType())
		if c.Types == nil {
			c.Types = map[string]*Curve{}
		}
		c.seen = append(c.seen, d)
		ofType := at(c.Types, w.first.ConversionType)
		ofType.seen = append(ofType.seen, d)
	}
	for _, c := range out {
		c.fit(len(r.edges))
		for _, t := range c.Types {
			t.fit(len(r.edges))
		}
	}
	return out
}

func takesPart(p *eventpb.Prediction, experiment string) bool {
	for _, a := range p.Assignments {
		if a.Experiment == experiment {
			return true
		}
	}
	return false
}

// fit is F(a) = Π over u > a of 1 − d/n: d the conversions in bucket u, n those in
// it or before it, both of impressions for which u has passed.
func (c *Curve) fit(buckets int) {
	c.N = int64(len(c.seen))
	c.F = make([]float64, buckets)
	share := 1.0
	for u := buckets - 1; u >= 0; u-- {
		c.F[u] = share
		d, n := 0.0, 0.0
		for _, s := range c.seen {
			if s.passed <= u || s.bucket > u {
				continue
			}
			n++
			if s.bucket == u {
				d++
			}
		}
		if u == buckets-1 {
			c.Known = n > 0
		}
		if n > 0 {
			share *= 1 - d/n
		}
	}
}

// before orders conversions by time, those of one time by a hash of their ids.
func before(a, b *eventpb.Conversion) bool {
	if a.EventTimeMs != b.EventTimeMs {
		return a.EventTimeMs < b.EventTimeMs
	}
	x, y := xxh3.HashString128(a.ConversionId), xxh3.HashString128(b.ConversionId)
	if x.Hi != y.Hi {
		return x.Hi < y.Hi
	}
	return x.Lo < y.Lo
}

// optimizationType is the candidate's, empty where its record says of none.
func (c candidate) optimizationType() string {
	cols := c.record.Candidates
	if len(cols.OptimizationTypeIndex) == 0 {
		return ""
	}
	return cols.OptimizationTypes[cols.OptimizationTypeIndex[c.index]]
}

// finishMaturity holds the conversions seen against those predicted that have
// had time to come.
func (n *Winners) finishMaturity(curves map[string]*Curve) {
	var expected, matured sum
	for i := range n.rows {
		w := &n.rows[i]
		e := w.weight * w.p
		expected.add(e)
		share, seen := 0.0, w.converted && w.delay < w.passed
		if c := curves[w.optimizationType]; c != nil && c.Known {
			if w.passed > 0 {
				share = c.F[w.passed-1]
			}
		} else if w.closed {
			share = 1
		} else {
			seen = false
		}
		matured.add(e * share)
		if seen {
			n.Matured++
		}
	}
	n.LabelMaturity = ratio(matured.value(), expected.value())
	if n.Conversions > 0 {
		// Conversions seen are not weighted: each is worth the mean weight of all.
		mean := n.labels.value() / float64(n.Conversions)
		if v := matured.value(); v > 0 {
			n.CalibrationAdjusted = ratio(v, mean*float64(n.Matured))
		}
	}
}
