package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/recount"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// TestAnyOrderAgreesWithTheRecount runs random worlds in event-time order and
// in disorder. Both must give the same answers bit for bit, and the numbers of
// the batch recount.
func TestAnyOrderAgreesWithTheRecount(t *testing.T) {
	const seeds = 1000
	for shard := range 10 {
		t.Run(fmt.Sprintf("shard=%d", shard), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(shard); seed < seeds; seed += 10 {
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
	records := newRecords(t, w.Messages)
	calm := w.pipeline.run(t, inEventTime(records))
	if len(calm.letters) > 0 {
		t.Fatalf("seed %d: dead letter %+v of a workload that keeps the contract", seed, calm.letters[0])
	}
	breakdowns := w.Breakdowns()
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
		p.partitions = worlds.Pick(rng, 1, 2, 5)
		p.batch = worlds.Pick(rng, 1, 7, 1000)
		p.commitEvery = worlds.Pick(rng, 0, 1, 13)
		p.format = worlds.Pick(rng, event.Protobuf, event.JSON)
		if d := p.run(t, order.records).everything(t, breakdowns).Difference(want); d != "" {
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

// compare holds an outcome against the recount, under several queries.
func (w *workload) compare(t *testing.T, o *outcome, rng *rand.Rand) []string {
	t.Helper()
	r := w.Recount()
	diffs, err := w.Check(o.merged, r, rng)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]join.Counts, len(o.reports))
	for i := range o.reports {
		counts[i] = o.reports[i].Join
	}
	return append(diffs, worlds.CheckCounts(counts, r)...)
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
