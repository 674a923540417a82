package aggregator

import (
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// Cohort is the winners of some panes and one optimization type, with their
// conversions of one bucket of delay. It closes when the last of those impressions
// has had the time of the bucket, and is then reported once: what comes of it later
// is late, and left out. Over time an arm's cohorts have each winner in each bucket
// once, so that both arms are compared at the same ages, whatever the delays.
//
// A conversion that is retracted when its cohort has closed stays counted, and where
// a later one takes its place both are.
type Cohort struct {
	OptimizationType string
	// FromMs and UpToMs bound the delays: above the one, up to the other. The last
	// bucket ends with the attribution window.
	FromMs, UpToMs int64
	Labels         int64   // conversions, without weights
	Expected       float64 // Σwp of the winners: all that they are to bring
	// Matured is what they are to bring in this bucket, Σp·(F(up to) − F(from)), with
	// the curve F learned of all arms; in conversions of the winners' mean weight, as
	// Labels has no weights. It is 0 where no curve is known.
	Matured float64
}

// CohortDelay is how early the conversions of winners came whose attribution
// window has closed, by optimization type.
type CohortDelay struct {
	OptimizationType string
	// EarlyMs is the first edge of a bucket by which at least half of the conversions
	// of all arms come, by the curve that is learned of them; the same in each arm.
	EarlyMs    int64
	Early, All int64 // conversions up to EarlyMs, and all
}

// closingBucket is a bucket of delay of which cohorts can close in a stretch of
// event time.
type closingBucket struct {
	bucket int
	last   bool
	// width is how wide the panes are that close together: as wide as they are when
	// their impressions have had the time of the bucket, and a little longer.
	width int64
	// Panes whose group begins in (after, upTo] close.
	after, upTo int64
}

// closing lists the buckets of which cohorts close in (from, to].
func (m *Merged) closing(from, to int64) []closingBucket {
	edges := edgesOf(m.opts.AttributionWindow)
	out := make([]closingBucket, 0, len(edges))
	for i, edge := range edges {
		width := m.opts.Levels.cohortWidth(edge)
		// A group that begins at g closes at g + width + edge.
		b := closingBucket{bucket: i, last: i == len(edges)-1, width: width, after: from - edge - width, upTo: to - edge - width}
		if floorTo(b.upTo, width) > b.after {
			out = append(out, b)
		}
	}
	return out
}

// cohortWidth is the width of the panes that close together for a delay of edge
// milliseconds. It does not depend on when that is asked, so that a cohort closes at
// one moment whatever has been rolled up by then.
//
// A pane must not be wider when it closes, or some of what it holds closes sooner or
// later than the rest. An eighth of the age at which panes widen is left for that, in
// which a stretch of event time may be asked for later than it ends, and nothing is
// lost. Whoever asks still later finds wider panes, which close with their first
// group: never twice, but what is left of a pane that had begun to close is lost.
func (l Levels) cohortWidth(edge int64) int64 {
	fits := func(wider int64, age time.Duration) bool { return edge+wider <= age.Milliseconds()*7/8 }
	switch {
	case fits(l.minuteWidth(), l.FineFor):
		return l.Fine.Milliseconds()
	case fits(time.Hour.Milliseconds(), l.MinuteFor):
		return l.minuteWidth()
	}
	return time.Hour.Milliseconds()
}

// gatherCohorts notes the panes of a track that close a bucket.
func (m *Merged) gatherCohorts(b *incrementBuilder, k Key, panes []entry, c *closingBucket) {
	i, _ := slices.BinarySearchFunc(panes, c.after+1, startsAt)
	for ; i < len(panes); i++ {
		at := m.opts.Levels.At(panes[i].pane.StartMs, m.newest).StartMs
		switch group := floorTo(at, c.width); {
		case group > c.upTo:
			return
		case group > c.after:
			b.refer(k, &panes[i], c.bucket, c.last)
		}
	}
}

// cohortType is the cohorts of one optimization type, by bucket.
type cohortType struct {
	name    string
	buckets [delayBuckets]cohortSums
}

type cohortSums struct {
	all        Tally
	prediction fixed.Int128
	labels     int64
}

// close adds winners of which a bucket of delays has closed. Beyond the last there
// are none: a conversion counts up to the attribution window.
func (c *incrementCell) close(types []TypeSums, bucket int) {
	for i := range types {
		t := &types[i]
		k := 0
		for k < len(c.types) && c.types[k].name < t.OptimizationType {
			k++
		}
		if k == len(c.types) || c.types[k].name != t.OptimizationType {
			c.types = slices.Insert(c.types, k, cohortType{name: t.OptimizationType})
		}
		to := &c.types[k].buckets[bucket]
		to.all.add(t.All)
		to.prediction = to.prediction.Add(t.Prediction)
		for d := range t.Delays {
			to.labels += t.Delays[d].Counts[bucket]
		}
	}
}

func cohortsOf(types []cohortType, curves *Curves) []Cohort {
	var out []Cohort
	for i := range types {
		t := &types[i]
		curve, known := curves.of(t.name)
		for b, upTo := range curves.EdgesMs {
			s := &t.buckets[b]
			if s.prediction.IsZero() && s.labels == 0 {
				continue
			}
			c := Cohort{OptimizationType: t.name, FromMs: -1, UpToMs: upTo, Labels: s.labels, Expected: s.prediction.Float(fixed.ProbBits)}
			part := 0.0
			if known {
				part = curve.F[b]
			}
			if b > 0 {
				c.FromMs = curves.EdgesMs[b-1]
				if known {
					part -= curve.F[b-1]
				}
			}
			if mean := s.all.Weight() / float64(max(1, s.all.N)); mean > 0 {
				c.Matured = c.Expected * part / mean
			}
			out = append(out, c)
		}
	}
	return out
}

// delaysWithin splits conversions at the middle of the curve of all arms.
func delaysWithin(w *WinnerSums, curves *Curves) []CohortDelay {
	if w == nil {
		return nil
	}
	var out []CohortDelay
	for i := range w.Types {
		t := &w.Types[i]
		curve, known := curves.of(t.OptimizationType)
		if !known {
			continue
		}
		middle := 0
		for middle < len(curve.F)-1 && curve.F[middle] < 0.5 {
			middle++
		}
		d := CohortDelay{OptimizationType: t.OptimizationType, EarlyMs: curves.EdgesMs[middle]}
		for k := range t.Delays {
			for b, n := range t.Delays[k].Counts {
				d.All += n
				if b <= middle {
					d.Early += n
				}
			}
		}
		if d.All > 0 {
			out = append(out, d)
		}
	}
	return out
}
