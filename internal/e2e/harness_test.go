package e2e

import (
	"encoding/json"
	"hash/fnv"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/recount"
)

// record is one record on its way to a topic.
type record struct {
	stream event.Stream
	key    string
	timeMs int64
	value  [2][]byte // by event.Format
}

func newRecord(t testing.TB, m proto.Message) record {
	t.Helper()
	var r record
	switch m := m.(type) {
	case *eventpb.Prediction:
		r.stream, r.key, r.timeMs = event.Predictions, m.AuctionId, m.EventTimeMs
	case *eventpb.Impression:
		r.stream, r.key, r.timeMs = event.Impressions, m.AuctionId, m.EventTimeMs
	case *eventpb.Conversion:
		r.stream, r.key, r.timeMs = event.Conversions, m.AuctionId, m.EventTimeMs
	}
	var err error
	if r.value[event.Protobuf], err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if r.value[event.JSON], err = protojson.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return r
}

func newRecords(t testing.TB, messages []proto.Message) []record {
	t.Helper()
	out := make([]record, len(messages))
	for i, m := range messages {
		out[i] = newRecord(t, m)
	}
	return out
}

// pipeline says how records become numbers. What of it may change the numbers
// is join and aggregator; the rest must not.
type pipeline struct {
	join        join.Options
	aggregator  aggregator.Options
	format      event.Format
	partitions  int // at least 1
	batch       int // most records handed in at once; 0: one
	commitEvery int // records of all partitions between commits; 0: at the end only
}

func newPipeline() pipeline {
	return pipeline{
		join: join.Options{Window: 10 * time.Minute, AttributionWindow: 24 * time.Hour, MemoryBytes: 1 << 30},
		aggregator: aggregator.Options{
			Levels: aggregator.DefaultLevels(), Windows: []time.Duration{5 * time.Minute, time.Hour}, EachDimension: true,
			AttributionWindow: 24 * time.Hour,
		},
		partitions: 1,
		batch:      100,
	}
}

// recountOptions are the options under which a recount must agree.
func (p pipeline) recountOptions() recount.Options {
	return recount.Options{
		Window: p.join.Window, AttributionWindow: p.join.AttributionWindow, ConversionTypes: p.join.ConversionTypes,
		Levels: recount.Levels{
			Fine: p.aggregator.Levels.Fine, FineFor: p.aggregator.Levels.FineFor, MinuteFor: p.aggregator.Levels.MinuteFor,
			Retention: p.aggregator.Levels.Retention,
		},
	}
}

// outcome is what a pipeline made of its records.
type outcome struct {
	merged  *aggregator.Merged
	reports []partition.Report
	letters []letter
}

type letter struct {
	partition int32
	consumer.DeadLetter
}

// lettersOf receives the dead letters of one partition.
type lettersOf struct {
	out       *outcome
	partition int32
}

func (l lettersOf) Send(d consumer.DeadLetter) {
	d.Key, d.Value = slices.Clone(d.Key), slices.Clone(d.Value)
	l.out.letters = append(l.out.letters, letter{l.partition, d})
}

// clockMs is later than every event time of the tests.
const clockMs = 4_102_444_800_000

// run hands the records in, in their order, and commits at the end until no
// partition is behind the newest event of all.
func (p pipeline) run(t testing.TB, records []record) *outcome {
	t.Helper()
	out := &outcome{merged: aggregator.NewMerged(p.aggregator), reports: make([]partition.Report, p.partitions)}
	cores := make([]*partition.Core, p.partitions)
	for i := range cores {
		var err error
		cores[i], err = partition.Open(partition.Options{
			Partition:  int32(i),
			Formats:    [event.NumStreams]event.Format{p.format, p.format, p.format},
			Join:       p.join,
			Aggregator: p.aggregator,
			NowMs:      func() int64 { return clockMs },
			NewestMs:   out.merged.NewestMs,
			Letters:    lettersOf{out, int32(i)},
			Publish:    out.merged.Publish,
			Report:     func(source int32, r partition.Report) { out.reports[source] = r },
		}, partition.NewMemory())
		if err != nil {
			t.Fatal(err)
		}
	}
	commit := func() {
		for _, c := range cores {
			if err := c.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := make([][event.NumStreams]int64, p.partitions)
	waiting := make([][]consumer.Record, p.partitions)
	stream := make([]event.Stream, p.partitions)
	handIn := func(i int) {
		if len(waiting[i]) == 0 {
			return
		}
		if err := cores[i].Handle(stream[i], waiting[i]); err != nil {
			t.Fatal(err)
		}
		waiting[i] = waiting[i][:0]
	}
	for n, r := range records {
		i := p.partitionOf(r.key)
		if stream[i] != r.stream || len(waiting[i]) >= max(p.batch, 1) {
			handIn(i)
		}
		stream[i] = r.stream
		waiting[i] = append(waiting[i], consumer.Record{
			Offset: next[i][r.stream], TimestampMs: r.timeMs, Key: []byte(r.key), Value: r.value[p.format],
		})
		next[i][r.stream]++
		if p.commitEvery > 0 && (n+1)%p.commitEvery == 0 {
			for i := range cores {
				handIn(i)
			}
			commit()
		}
	}
	for i := range cores {
		handIn(i)
	}
	commit()
	commit()
	return out
}

func (p pipeline) partitionOf(key string) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % uint32(p.partitions))
}

// summaryOf is a summary with every number derived, ready to be compared as text.
type summaryOf struct {
	FromMs, ToMs int64
	Arms         []armOf
}

type armOf struct {
	Arm          string
	RampPercents []float64
	Total        aggregator.Reading
	Slices       []rowOf
}

type rowOf struct {
	Labels []aggregator.Label
	Row    aggregator.Reading
}

func readSummary(s *aggregator.Summary) summaryOf {
	out := summaryOf{FromMs: s.FromMs, ToMs: s.ToMs}
	for _, a := range s.Arms {
		arm := armOf{Arm: a.Arm, RampPercents: a.RampPercents, Total: a.Total.Read()}
		for _, row := range a.Slices {
			arm.Slices = append(arm.Slices, rowOf{row.Labels, row.Sums.Read()})
		}
		out.Arms = append(out.Arms, arm)
	}
	return out
}

// summary asks for a summary and fails the test when there is none.
func (o *outcome) summary(t testing.TB, q aggregator.Query) summaryOf {
	t.Helper()
	s, err := o.merged.Summary(q)
	if err != nil {
		t.Fatal(err)
	}
	return readSummary(s)
}

// answers is all that can be asked of an outcome.
type answers struct {
	Newest      int64
	Experiments []aggregator.Experiment
	Summaries   map[string][]summaryOf // by experiment: the total, then by each slice
	Series      map[string]map[string][]rowAt
	Windows     []windowOf
	Unmatched   [event.NumStreams][3]int64 // unmatched, waiting, outside
}

type windowOf struct {
	Key    aggregator.Key
	Window time.Duration
	Total  aggregator.Reading
}

// text is the answers as JSON.
func (a *answers) text(t testing.TB) string {
	t.Helper()
	b, err := json.MarshalIndent(a, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// difference shows where two answers part, and is empty where they are the
// same to the last bit.
func (a *answers) difference(t testing.TB, want *answers) string {
	t.Helper()
	if reflect.DeepEqual(a, want) {
		return ""
	}
	return firstDifference(a.text(t), want.text(t))
}

// everything asks for all answers.
func (o *outcome) everything(t testing.TB, slices [][]string) *answers {
	t.Helper()
	all := &answers{
		Newest:      o.merged.NewestMs(),
		Experiments: o.merged.Experiments(),
		Summaries:   map[string][]summaryOf{},
		Series:      map[string]map[string][]rowAt{},
	}
	for _, e := range all.Experiments {
		for _, slice := range append([][]string{nil}, slices...) {
			s, err := o.merged.Summary(aggregator.Query{Experiment: e.Name, Slice: slice})
			if err == nil { // a dimension that no auction has is no slice
				all.Summaries[e.Name] = append(all.Summaries[e.Name], readSummary(s))
			}
		}
		all.Series[e.Name] = o.series(t, e.Name)
	}
	for _, w := range o.merged.Windows() {
		all.Windows = append(all.Windows, windowOf{w.Key, w.Window, w.Sums.Read()})
	}
	for _, r := range o.reports {
		for s, c := range r.Join.Streams {
			all.Unmatched[s][0] += c.Unmatched
			all.Unmatched[s][1] += c.Waiting
			all.Unmatched[s][2] += c.Outside
		}
	}
	return all
}

type rowAt struct {
	StartMs int64
	Total   aggregator.Reading
}

func (o *outcome) series(t testing.TB, experiment string) map[string][]rowAt {
	t.Helper()
	points, err := o.merged.Series(aggregator.Query{Experiment: experiment}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]rowAt{}
	for arm, ps := range points {
		for _, p := range ps {
			out[arm] = append(out[arm], rowAt{p.StartMs, p.Sums.Read()})
		}
	}
	return out
}

// firstDifference shows two texts around the place where they part.
func firstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string { return s[max(0, i-300):min(len(s), i+300)] }
	return "…" + cut(a) + "…\n--- instead of ---\n…" + cut(b) + "…"
}
