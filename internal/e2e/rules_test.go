package e2e

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/recount"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// The rules run with a window of 10 minutes and an attribution window of a day.
const (
	t0     = int64(1_772_323_200_000) // 2026-03-01 00:00 UTC
	second = int64(1000)
	minute = 60 * second
	window = 10 * minute
	day    = 24 * 60 * minute
)

// auction is one auction at t0 in arm "control" of experiment "x".
func auction(id string, items ...uint64) *eventpb.Prediction {
	p := &eventpb.Prediction{
		AuctionId:   id,
		EventTimeMs: t0,
		Assignments: []*eventpb.Assignment{{Experiment: "x", Arm: "control", RampPercent: 80}},
		Candidates:  &eventpb.Candidates{},
	}
	for _, item := range items {
		p.Candidates.ItemIds = append(p.Candidates.ItemIds, item)
		p.Candidates.Predictions = append(p.Candidates.Predictions, 0.25)
		p.Candidates.References = append(p.Candidates.References, 0.5)
	}
	return p
}

// change returns the message after f has changed it.
func change[M any](m M, f func(M)) M {
	f(m)
	return m
}

func impression(id, auction string, item uint64, after int64) *eventpb.Impression {
	return &eventpb.Impression{ImpressionId: id, AuctionId: auction, ItemId: item, EventTimeMs: t0 + after, CostMicros: 100}
}

func conversion(id, impression string, after int64) *eventpb.Conversion {
	return &eventpb.Conversion{
		ConversionId: id, ImpressionId: impression, AuctionId: "a", EventTimeMs: t0 + after, ConversionType: "buy", ValueMicros: 7,
	}
}

func retraction(id, impression string, after int64) *eventpb.Conversion {
	return change(conversion(id, impression, after), func(c *eventpb.Conversion) { c.Retracted = true })
}

// tick moves the newest event time on: an auction of another experiment.
func tick(after int64) *eventpb.Prediction {
	return change(auction("tick"), func(p *eventpb.Prediction) {
		p.EventTimeMs = t0 + after
		p.Assignments[0].Experiment = "tick"
	})
}

// counts are the whole numbers that a rule decides.
type counts struct {
	candidates, winners, conversions int64
	value                            float64
	unmatched, waiting               int64 // impressions and conversions
}

type rule struct {
	name     string
	messages []proto.Message
	want     counts
	check    func(t *testing.T, o *outcome) // what the counts do not show
	conflict bool                           // the records contradict each other: no recount
}

// TestRules holds one named rule of the contract at a time against numbers
// written by hand, and against the recount, in several orders.
func TestRules(t *testing.T) {
	for _, group := range [][]rule{joinRules(), labelRules(), auctionRules(), columnRules()} {
		for _, r := range group {
			t.Run(r.name, func(t *testing.T) {
				checkRule(t, r)
			})
		}
	}
}

func checkRule(t *testing.T, r rule) {
	t.Helper()
	p := newPipeline()
	p.join.ConversionTypes = []string{"buy"}
	forward := newRecords(t, r.messages)
	for _, order := range []struct {
		name    string
		records []record
	}{
		{"as written", forward},
		{"conversions first", streamsInOrder(forward, event.Conversions, event.Impressions, event.Predictions)},
		{"predictions first", streamsInOrder(forward, event.Predictions, event.Impressions, event.Conversions)},
	} {
		for _, commitEvery := range []int{0, 1} {
			p.commitEvery = commitEvery
			o := p.run(t, order.records)
			if len(o.letters) > 0 {
				t.Fatalf("%s: dead letter %+v", order.name, o.letters[0])
			}
			if got := o.counts(t); got != r.want {
				t.Errorf("%s: got %+v, want %+v", order.name, got, r.want)
			}
			if r.check != nil {
				r.check(t, o)
			}
			if r.conflict {
				continue
			}
			oracle := recount.New(p.recountOptions())
			addAll(oracle, r.messages)
			s := o.summary(t, aggregator.Query{Experiment: "x"})
			for _, d := range worlds.Compare(s, oracle.Summary(recount.Query{Experiment: "x"})) {
				t.Errorf("%s: %s", order.name, d)
			}
		}
	}
}

func (o *outcome) counts(t *testing.T) counts {
	t.Helper()
	var c counts
	for _, a := range o.summary(t, aggregator.Query{Experiment: "x"}).Arms {
		c.candidates += a.Total.Candidates.Count
		c.winners += a.Total.Winners.Count
		c.conversions += a.Total.Winners.Conversions
		c.value += a.Total.Winners.ValueMicros
	}
	for _, s := range []event.Stream{event.Impressions, event.Conversions} {
		c.unmatched += o.reports[0].Join.Streams[s].Unmatched
		c.waiting += o.reports[0].Join.Streams[s].Waiting
	}
	return c
}

// control is the reading of arm "control" of an experiment.
func (o *outcome) control(t *testing.T, experiment string) aggregator.Reading {
	t.Helper()
	s := o.summary(t, aggregator.Query{Experiment: experiment})
	if len(s.Arms) != 1 || s.Arms[0].Arm != "control" {
		t.Fatalf("%s: got arms %+v, want control only", experiment, s.Arms)
	}
	return s.Arms[0].Total
}

func joinRules() []rule {
	edge := func(after int64, winners int64) rule {
		return rule{messages: []proto.Message{auction("a", 1), impression("i", "a", 1, after)}, want: counts{candidates: 1, winners: winners, unmatched: 1 - winners}}
	}
	named := func(name string, r rule) rule { r.name = name; return r }
	return []rule{
		named("impression at the end of the window", edge(window, 1)),
		named("impression 1 ms behind the window", edge(window+1, 0)),
		named("impression at the begin of the window", edge(-window, 1)),
		named("impression 1 ms before the window", edge(-window-1, 0)),
		{
			name:     "two impressions of one candidate are two winners",
			messages: []proto.Message{auction("a", 1), impression("i", "a", 1, 0), impression("k", "a", 1, 5)},
			want:     counts{candidates: 1, winners: 2},
		},
		{
			name: "the same item in two auctions",
			messages: []proto.Message{
				auction("a", 1),
				change(auction("b", 1), func(p *eventpb.Prediction) { p.Candidates.Predictions[0] = 0.75 }),
				impression("i", "b", 1, 3),
			},
			want: counts{candidates: 2, winners: 1},
			check: func(t *testing.T, o *outcome) {
				if got := o.control(t, "x").Winners.PredictionSum; got != 0.75 {
					t.Errorf("the winner's prediction: got %v, want 0.75", got)
				}
			},
		},
		{
			name:     "an impression whose item is not a candidate",
			messages: []proto.Message{auction("a", 1), impression("i", "a", 2, 0), tick(window + 1)},
			want:     counts{candidates: 1, unmatched: 1},
			check: func(t *testing.T, o *outcome) {
				if got := o.reports[0].Join.Streams[event.Impressions].UnmatchedBy[1]; got != 1 {
					t.Errorf("unmatched with reason no_item: got %d, want 1", got)
				}
			},
		},
		{
			name:     "an impression without prediction waits until its horizon",
			messages: []proto.Message{auction("a", 1), impression("i", "b", 1, 0), tick(window)},
			want:     counts{candidates: 1, waiting: 1},
		},
		{
			name:     "an impression without prediction is unmatched behind its horizon",
			messages: []proto.Message{auction("a", 1), impression("i", "b", 1, 0), tick(window + 1)},
			want:     counts{candidates: 1, unmatched: 1},
		},
		{
			name:     "a conversion without impression waits until its horizon",
			messages: []proto.Message{auction("a", 1), conversion("c", "i", 0), tick(window)},
			want:     counts{candidates: 1, waiting: 1},
		},
		{
			name:     "a conversion without impression is unmatched behind its horizon",
			messages: []proto.Message{auction("a", 1), conversion("c", "i", 0), tick(window + 1)},
			want:     counts{candidates: 1, unmatched: 1},
		},
	}
}

func labelRules() []rule {
	shown := func(conversions ...proto.Message) []proto.Message {
		return append([]proto.Message{auction("a", 1), impression("i", "a", 1, second)}, conversions...)
	}
	edge := func(name string, after, conversions int64) rule {
		return rule{name: name, messages: shown(conversion("c", "i", second+after)),
			want: counts{candidates: 1, winners: 1, conversions: conversions, value: 7 * float64(conversions)}}
	}
	return []rule{
		edge("conversion at the impression's own millisecond", 0, 1),
		edge("conversion 1 ms before its impression", -1, 0),
		edge("conversion at the end of the attribution window", day, 1),
		edge("conversion 1 ms behind the attribution window", day+1, 0),
		{
			name:     "two conversions of one impression are one label",
			messages: shown(conversion("c", "i", 2*second), conversion("d", "i", 3*second)),
			want:     counts{candidates: 1, winners: 1, conversions: 1, value: 14},
			check: func(t *testing.T, o *outcome) {
				w := o.control(t, "x").Winners
				if w.CostMicros != 100 || w.CostPerConversionMicros.Value != 100 || w.Calibration.Value != 0.25 {
					t.Errorf("got cost %v, per conversion %v, calibration %v; want 100, 100, 0.25",
						w.CostMicros, w.CostPerConversionMicros, w.Calibration)
				}
			},
		},
		{
			name: "one conversion id of two impressions is two conversions",
			messages: []proto.Message{auction("a", 1), impression("i", "a", 1, 0), impression("k", "a", 1, 0),
				conversion("c", "i", 5), conversion("c", "k", 5)},
			want: counts{candidates: 1, winners: 2, conversions: 2, value: 14},
		},
		{
			name:     "retraction after its conversion",
			messages: shown(conversion("c", "i", 2*second), retraction("c", "i", 5*second)),
			want:     counts{candidates: 1, winners: 1},
		},
		{
			name:     "retraction before its conversion",
			messages: shown(retraction("c", "i", 5*second), conversion("c", "i", 2*second)),
			want:     counts{candidates: 1, winners: 1},
		},
		{
			name:     "retraction long after the attribution window",
			messages: shown(conversion("c", "i", 2*second), retraction("c", "i", 3*day)),
			want:     counts{candidates: 1, winners: 1},
		},
		{
			name:     "a conversion sent again after its retraction stays cancelled",
			messages: shown(conversion("c", "i", 2*second), retraction("c", "i", 5*second), conversion("c", "i", 2*second)),
			want:     counts{candidates: 1, winners: 1},
		},
		{
			name:     "retraction of one of two conversions",
			messages: shown(conversion("c", "i", 2*second), conversion("d", "i", 3*second), retraction("c", "i", 5*second)),
			want:     counts{candidates: 1, winners: 1, conversions: 1, value: 7},
		},
		{
			name:     "retraction of what never came",
			messages: shown(retraction("c", "i", 2*second)),
			want:     counts{candidates: 1, winners: 1},
		},
		{
			name:     "a conversion of a type that does not count",
			messages: shown(change(conversion("c", "i", 2*second), func(c *eventpb.Conversion) { c.ConversionType = "view" })),
			want:     counts{candidates: 1, winners: 1},
		},
		{
			name:     "labels belong to the impression's pane",
			messages: shown(conversion("c", "i", day/2)),
			want:     counts{candidates: 1, winners: 1, conversions: 1, value: 7},
			check: func(t *testing.T, o *outcome) {
				s := o.summary(t, aggregator.Query{Experiment: "x", FromMs: t0, ToMs: t0 + 2*second})
				if len(s.Arms) != 1 || s.Arms[0].Total.Winners.Conversions != 1 {
					t.Errorf("around the impression: got %+v, want one conversion", s.Arms)
				}
				if s := o.summary(t, aggregator.Query{Experiment: "x", FromMs: t0 + day/2 - 60*minute}); len(s.Arms) != 0 {
					t.Errorf("around the conversion: got %+v, want nothing", s.Arms)
				}
			},
		},
	}
}
