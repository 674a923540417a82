package e2e

import (
	"hash/fnv"
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
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
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

// summary asks for a summary and fails the test when there is none.
func (o *outcome) summary(t testing.TB, q aggregator.Query) worlds.Summary {
	t.Helper()
	s, err := o.merged.Summary(q)
	if err != nil {
		t.Fatal(err)
	}
	return worlds.Read(s)
}

// everything asks for all answers.
func (o *outcome) everything(t testing.TB, slices [][]string) *worlds.Answers {
	t.Helper()
	counts := make([]join.Counts, len(o.reports))
	for i := range o.reports {
		counts[i] = o.reports[i].Join
	}
	all, err := worlds.Ask(o.merged, slices, counts)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
