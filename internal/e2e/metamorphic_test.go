package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/recount"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

// TestLogInAnyOrder feeds the bundled log in orders that no day brings, with
// every record once to three times: the answers must not change by a bit.
func TestLogInAnyOrder(t *testing.T) {
	slot := [][]string{{"slot"}}
	for _, l := range logs(t) {
		if l.name != "men" && testing.Short() {
			continue
		}
		records := l.records(t, event.Protobuf)
		p := newPipeline()
		want := p.run(t, records).everything(t, slot)
		rng := rand.New(rand.NewPCG(3, 3))
		for _, tc := range []struct {
			name    string
			records func() []record
		}{
			{"shuffled across topics", func() []record { return shuffled(rng, repeated(rng, records)) }},
			{"conversions first, predictions last", func() []record {
				return streamsInOrder(shuffled(rng, repeated(rng, records)), event.Conversions, event.Impressions, event.Predictions)
			}},
			{"impressions last", func() []record {
				return streamsInOrder(repeated(rng, records), event.Predictions, event.Conversions, event.Impressions)
			}},
		} {
			t.Run(l.name+"/"+tc.name, func(t *testing.T) {
				if d := p.run(t, tc.records()).everything(t, slot).Difference(want); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

// simulated is a short ramp of the demo's scenario, in which one of three winners
// was shown by chance.
func simulated(t testing.TB) (records []record, messages []proto.Message, truth simulate.Truth) {
	t.Helper()
	o := simulate.DefaultOptions()
	o.AuctionsPerSecond = 2
	o.ConversionScale = 5
	o.Steps = []simulate.Step{{TreatmentPercent: 20, Duration: 3 * time.Minute}, {TreatmentPercent: 70, Duration: 3 * time.Minute}}
	g := simulate.New(o)
	shown := 0
	g.Run(func(e simulate.Event) bool {
		if i, ok := e.Message.(*eventpb.Impression); ok {
			shown++
			i.Propensity = []float32{0, 1, 0.2, 0, 0.003, 1}[shown%6]
		}
		messages = append(messages, e.Message)
		records = append(records, newRecord(t, e.Message))
		return true
	})
	return records, messages, g.Truth()
}

// TestHowItIsRunDoesNotMatter varies everything that may not change a number.
func TestHowItIsRunDoesNotMatter(t *testing.T) {
	records, messages, truth := simulated(t)
	// Some attribution windows are closed at the end, others are not.
	end := records[0].timeMs + 6*minute
	messages = slices.DeleteFunc(messages, func(m proto.Message) bool { return newRecord(t, m).timeMs > end })
	records = slices.DeleteFunc(records, func(r record) bool { return r.timeMs > end })
	base := newPipeline()
	base.join.AttributionWindow, base.aggregator.AttributionWindow = 4*time.Minute, 4*time.Minute
	breakdowns := [][]string{{"surface"}, {"segment"}, {"log_source"}}
	want := base.run(t, records).everything(t, breakdowns)

	r := recount.New(base.recountOptions())
	addAll(r, messages)
	for _, d := range worlds.CompareCurves(want.Curves[truth.Experiment], r.Curves(truth.Experiment)) {
		t.Error(d)
	}
	for arm, a := range r.Summary(recount.Query{Experiment: truth.Experiment}) {
		w := &a.Total.Winners
		if m := w.LabelMaturity; !(m.Value > 0.1 && m.Value < 0.9) || w.Conversions < 10 || !w.CalibrationByPropensity.OK {
			t.Errorf("%s: label maturity %v, %d conversions, by propensity %v: too plain to tell anything apart", arm, m, w.Conversions, w.CalibrationByPropensity)
		}
	}
	for i, slice := range append([][]string{nil}, breakdowns...) {
		for _, d := range worlds.Compare(want.Summaries[truth.Experiment][i], r.Summary(recount.Query{Experiment: truth.Experiment, Slice: slice})) {
			t.Errorf("by %v: %s", slice, d)
		}
	}
	for _, partitions := range []int{1, 3, 8} {
		for _, commitEvery := range []int{1, 100, 0} {
			for _, batch := range []int{1, 1000} {
				t.Run(fmt.Sprintf("partitions=%d,commit=%d,batch=%d", partitions, commitEvery, batch), func(t *testing.T) {
					p := base
					p.partitions, p.commitEvery, p.batch = partitions, commitEvery, batch
					if d := p.run(t, records).everything(t, breakdowns).Difference(want); d != "" {
						t.Error(d)
					}
				})
			}
		}
	}
}

// TestPaneWidthDoesNotMatter compares totals; what depends on panes by its
// definition, the bounds used and label_maturity, is left out.
func TestPaneWidthDoesNotMatter(t *testing.T) {
	records, _, truth := simulated(t)
	totals := func(fine time.Duration) worlds.Summary {
		p := newPipeline()
		p.aggregator.Levels.Fine = fine
		s := p.run(t, records).summary(t, aggregator.Query{Experiment: truth.Experiment, Slice: []string{"surface"}})
		s.FromMs, s.ToMs = 0, 0
		for a := range s.Arms {
			s.Arms[a].Total.Winners.LabelMaturity = aggregator.Number{}
			for i := range s.Arms[a].Slices {
				s.Arms[a].Slices[i].Row.Winners.LabelMaturity = aggregator.Number{}
			}
		}
		return s
	}
	want := fmt.Sprintf("%+v", totals(10*time.Second))
	for _, fine := range []time.Duration{time.Second, 30 * time.Second, time.Minute, 20 * time.Minute} {
		t.Run(fine.String(), func(t *testing.T) {
			if got := fmt.Sprintf("%+v", totals(fine)); got != want {
				t.Error(worlds.FirstDifference(got, want))
			}
		})
	}
}
