package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// TestAnyOrderAgreesWithTheRecount runs random worlds in event-time order and
// in disorder. Both must give the same answers bit for bit, and the numbers of
// the batch recount.
func TestAnyOrderAgreesWithTheRecount(t *testing.T) {
	const worlds = 1000
	for shard := range 10 {
		t.Run(fmt.Sprintf("shard=%d", shard), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(shard); seed < worlds; seed += 10 {
				checkWorld(t, seed)
				if t.Failed() {
					return
				}
			}
		})
	}
}

func checkWorld(t *testing.T, seed uint64) {
	t.Helper()
	w := newWorkload(seed)
	records := newRecords(t, w.messages)
	calm := w.pipeline.run(t, inEventTime(records))
	if len(calm.letters) > 0 {
		t.Fatalf("seed %d: dead letter %+v of a workload that keeps the contract", seed, calm.letters[0])
	}
	breakdowns := w.breakdowns()
	want := calm.everything(t, breakdowns)

	rng := rand.New(rand.NewPCG(seed, 2))
	for _, order := range []struct {
		name    string
		records []record
	}{
		{"shuffled with duplicates", shuffled(rng, repeated(rng, records))},
		{"conversions first", streamsInOrder(shuffled(rng, repeated(rng, records)), event.Conversions, event.Impressions, event.Predictions)},
	} {
		p := w.pipeline
		p.partitions = pick(rng, 1, 2, 5)
		p.batch = pick(rng, 1, 7, 1000)
		p.commitEvery = pick(rng, 0, 1, 13)
		p.format = pick(rng, event.Protobuf, event.JSON)
		if d := p.run(t, order.records).everything(t, breakdowns).difference(t, want); d != "" {
			t.Errorf("seed %d: %s, %d partitions, batches of %d, commits every %d: %s", seed, order.name, p.partitions, p.batch, p.commitEvery, d)
		}
	}
	for i, d := range w.compare(t, calm, rng) {
		if i == 10 {
			t.Errorf("seed %d: and more", seed)
			break
		}
		t.Errorf("seed %d: %s", seed, d)
	}
}

// breakdowns are the slices that the pipeline keeps.
func (w *workload) breakdowns() [][]string {
	out := w.pipeline.aggregator.Slices
	if w.pipeline.aggregator.EachDimension {
		out = append(out[:len(out):len(out)], []string{"surface"}, []string{"country"})
	}
	return out
}

// compare holds an outcome against the recount, under several queries.
func (w *workload) compare(t *testing.T, o *outcome, rng *rand.Rand) []string {
	t.Helper()
	r := recount.New(w.pipeline.recountOptions())
	addAll(r, w.messages)
	var out []string
	for _, name := range r.Experiments() {
		for _, q := range w.queries(name, rng) {
			want := r.Summary(recountQuery(q))
			s, err := o.merged.Summary(q)
			if err != nil {
				// Expired altogether, or no auction has the dimension.
				if !unanswerable(q, err, want) {
					t.Fatal(err)
				}
				continue
			}
			for _, d := range compareSummary(readSummary(s), want) {
				out = append(out, fmt.Sprintf("%+v: %s", q, d))
			}
		}
	}
	var d diffs
	unmatched, waiting := r.Unmatched(), [2]int64{}
	waiting[0], waiting[1] = r.Waiting()
	var got [event.NumStreams]struct{ unmatched, waiting int64 }
	for _, report := range o.reports {
		for s, c := range report.Join.Streams {
			got[s].unmatched += c.Unmatched
			got[s].waiting += c.Waiting
		}
	}
	d.count("impressions unmatched", got[event.Impressions].unmatched, unmatched.NoAuction+unmatched.NoItem+unmatched.OutsideWindow)
	d.count("impressions waiting", got[event.Impressions].waiting, waiting[0])
	d.count("conversions unmatched", got[event.Conversions].unmatched, unmatched.NoImpression)
	d.count("conversions waiting", got[event.Conversions].waiting, waiting[1])
	return append(out, d.list...)
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

func addAll(r *recount.Recount, messages []proto.Message) {
	for _, m := range messages {
		switch m := m.(type) {
		case *eventpb.Prediction:
			r.Prediction(m)
		case *eventpb.Impression:
			r.Impression(m)
		case *eventpb.Conversion:
			r.Conversion(m)
		}
	}
}

// queries are the total, and everything that narrows or splits it.
func (w *workload) queries(experiment string, rng *rand.Rand) []aggregator.Query {
	ramp := pick(rng, 0, 20, 33.5, 100)
	from := w.startMs + rng.Int64N(w.spanMs)
	out := []aggregator.Query{
		{Experiment: experiment},
		{Experiment: experiment, RampPercent: &ramp},
		{Experiment: experiment, FromMs: from},
		{Experiment: experiment, FromMs: from, ToMs: from + 1 + rng.Int64N(w.spanMs)},
	}
	for _, names := range w.breakdowns() {
		out = append(out, aggregator.Query{Experiment: experiment, Slice: names})
		if len(names) == 1 {
			out = append(out, aggregator.Query{Experiment: experiment, Where: []aggregator.Label{{Name: names[0], Value: pick(rng, "home", "de", "")}}})
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
