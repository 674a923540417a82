package worlds

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// Check holds what was counted against the recount r of the world's records,
// under several queries drawn from rng, and says where they differ.
func (w *World) Check(merged *aggregator.Merged, r *recount.Recount, rng *rand.Rand) ([]string, error) {
	var out []string
	for _, name := range r.Experiments() {
		curves := false // compared
		for _, q := range w.queries(name, rng) {
			want := r.Summary(recountQuery(q))
			s, err := merged.Summary(q)
			if err != nil {
				// Expired altogether, or no auction has the dimension.
				if !unanswerable(q, err, want) {
					return nil, err
				}
				continue
			}
			if !curves {
				curves = true
				for _, d := range CompareCurves(s.Curves, r.Curves(name)) {
					out = append(out, fmt.Sprintf("%s: %s", name, d))
				}
			}
			for _, d := range Compare(Read(s), want) {
				out = append(out, fmt.Sprintf("%+v: %s", q, d))
			}
		}
	}
	return out, nil
}

// CheckCounts holds the counts of all partitions against the recount r.
func CheckCounts(counts []join.Counts, r *recount.Recount) []string {
	unmatched, waiting := r.Unmatched(), [2]int64{}
	waiting[0], waiting[1] = r.Waiting()
	var got [event.NumStreams]struct{ unmatched, waiting int64 }
	for i := range counts {
		for s, c := range counts[i].Streams {
			got[s].unmatched += c.Unmatched
			got[s].waiting += c.Waiting
		}
	}
	var d Diffs
	d.Count("impressions unmatched", got[event.Impressions].unmatched, unmatched.NoAuction+unmatched.NoItem+unmatched.OutsideWindow)
	d.Count("impressions waiting", got[event.Impressions].waiting, waiting[0])
	d.Count("conversions unmatched", got[event.Conversions].unmatched, unmatched.NoImpression)
	d.Count("conversions waiting", got[event.Conversions].waiting, waiting[1])
	return d.List
}

// unanswerable reports whether a query may be refused: nothing of the
// experiment is left, its filter needs a breakdown that is not kept, or no
// auction has the dimension.
func unanswerable(q aggregator.Query, err error, want map[string]*recount.Arm) bool {
	if errors.Is(err, aggregator.ErrUnknownExperiment) {
		return len(want) == 0
	}
	if q.Where != nil {
		return errors.Is(err, aggregator.ErrSliceNotKept)
	}
	for _, arm := range want {
		if len(q.Slice) == 0 || len(arm.Slices) > 0 {
			return false
		}
	}
	return true
}

// queries are the total, and everything that narrows or splits it.
func (w *World) queries(experiment string, rng *rand.Rand) []aggregator.Query {
	ramp := Pick(rng, 0, 20, 33.5, 100)
	from := w.StartMs + rng.Int64N(w.SpanMs)
	out := []aggregator.Query{
		{Experiment: experiment},
		{Experiment: experiment, RampPercent: &ramp},
		{Experiment: experiment, FromMs: from},
		{Experiment: experiment, FromMs: from, ToMs: from + 1 + rng.Int64N(w.SpanMs)},
	}
	for _, names := range w.Breakdowns() {
		out = append(out, aggregator.Query{Experiment: experiment, Slice: names})
		if len(names) == 1 {
			out = append(out, aggregator.Query{Experiment: experiment, Where: []aggregator.Label{{Name: names[0], Value: Pick(rng, "home", "de", "")}}})
		}
	}
	return out
}

func recountQuery(q aggregator.Query) recount.Query {
	out := recount.Query{Experiment: q.Experiment, FromMs: q.FromMs, ToMs: q.ToMs, Slice: q.Slice, RampPercent: q.RampPercent}
	for _, l := range q.Where {
		if out.Where == nil {
			out.Where = map[string]string{}
		}
		out.Where[l.Name] = l.Value
	}
	return out
}
