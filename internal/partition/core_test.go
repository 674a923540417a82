package partition_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// atMs is an event time well before the clock of the cores under test.
const atMs = 1_790_000_000_000

func record(offset int64, key, value string) consumer.Record {
	return consumer.Record{Offset: offset, TimestampMs: atMs, Key: []byte(key), Value: []byte(value)}
}

func auctionJSON(id string) string {
	return fmt.Sprintf(`{"auctionId":%q,"eventTimeMs":"%d","assignments":[{"experiment":"x","arm":"control"}],`+
		`"candidates":{"itemIds":["1"],"predictions":[0.25]}}`, id, atMs)
}

// keeper keeps what leaves a core.
type keeper struct {
	letters []consumer.DeadLetter
	merged  *aggregator.Merged
	report  partition.Report
}

func (k *keeper) Send(d consumer.DeadLetter) { k.letters = append(k.letters, d) }

func jsonCore(t *testing.T) (*partition.Core, *keeper) {
	t.Helper()
	o := benchOptions(nil)
	k := &keeper{merged: aggregator.NewMerged(o.Aggregator)}
	o.Formats = [event.NumStreams]event.Format{event.JSON, event.JSON, event.JSON}
	o.Partition = 7
	o.Letters = k
	o.Publish = k.merged.Publish
	o.Report = func(source int32, r partition.Report) {
		if source == 7 {
			k.report = r
		}
	}
	return open(t, o), k
}

func handle(t *testing.T, c *partition.Core, s event.Stream, records ...consumer.Record) {
	t.Helper()
	if err := c.Handle(s, records); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, c *partition.Core) {
	t.Helper()
	if err := c.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// candidates is how many candidates are in the numbers.
func (k *keeper) candidates(t *testing.T) int64 {
	t.Helper()
	s, err := k.merged.Summary(aggregator.Query{Experiment: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Arms[0].Total.Read(nil).Candidates.Count
}

func TestBadRecordsAreDeadLetters(t *testing.T) {
	c, k := jsonCore(t)
	handle(t, c, event.Predictions,
		record(10, "a", auctionJSON("a")),
		record(11, "", auctionJSON("b")),
		record(12, "c", `{"auctionId":`),
		record(13, "d", `{"auctionId":"d","eventTimeMs":"1790000000000"}`),
		record(14, "e", auctionJSON("e")),
	)
	handle(t, c, event.Impressions, record(3, "a", `{"auctionId":"a","eventTimeMs":"1790000000000"}`))
	handle(t, c, event.Conversions, record(4, "a", `{"conversionId":"c","impressionId":"i","eventTimeMs":"1790000000000","bid":1}`))
	commit(t, c)

	type letter struct {
		Stream     event.Stream
		Offset     int64
		Reason     event.Reason
		Key, Value string
	}
	want := []letter{
		{event.Predictions, 11, event.ReasonKey, "", auctionJSON("b")},
		{event.Predictions, 12, event.ReasonMalformed, "c", `{"auctionId":`},
		{event.Predictions, 13, event.ReasonNoAssignment, "d", `{"auctionId":"d","eventTimeMs":"1790000000000"}`},
		{event.Impressions, 3, event.ReasonMissingID, "a", `{"auctionId":"a","eventTimeMs":"1790000000000"}`},
		{event.Conversions, 4, event.ReasonUnknownField, "a", `{"conversionId":"c","impressionId":"i","eventTimeMs":"1790000000000","bid":1}`},
	}
	var got []letter
	for _, d := range k.letters {
		if d.LastOffset != d.Offset || d.Detail == "" {
			t.Errorf("letter %+v: want its own offset as the last, and a detail", d)
		}
		got = append(got, letter{d.Stream, d.Offset, d.Reason, string(d.Key), string(d.Value)})
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("dead letters (-want +got):\n%s", d)
	}
	if n := k.candidates(t); n != 2 {
		t.Errorf("%d candidates, want the 2 of the good records", n)
	}
	if want := [event.NumStreams]int64{5, 1, 1}; k.report.Consumed != want {
		t.Errorf("Consumed = %v, want %v", k.report.Consumed, want)
	}
	if want := [event.NumStreams]int64{3, 1, 1}; k.report.Dead != want {
		t.Errorf("Dead = %v, want %v", k.report.Dead, want)
	}
	if n := k.report.DeadBy[event.Predictions][event.ReasonKey]; n != 1 {
		t.Errorf("DeadBy[predictions][key] = %d, want 1", n)
	}
}

func TestOffsets(t *testing.T) {
	c, k := jsonCore(t)
	want := [event.NumStreams]int64{consumer.Earliest, consumer.Earliest, consumer.Earliest}
	check := func(when string) {
		t.Helper()
		if got := c.Offsets(); got != want {
			t.Errorf("%s: Offsets = %v, want %v", when, got, want)
		}
	}
	check("at first")
	handle(t, c, event.Predictions, record(5, "a", auctionJSON("a")), record(9, "b", auctionJSON("b")))
	want[event.Predictions] = 10
	check("after records with a gap")
	handle(t, c, event.Predictions, record(10, "", "bad"))
	want[event.Predictions] = 11
	check("after a dead letter")
	c.Advance(event.Predictions, 20)
	want[event.Predictions] = 20
	check("after what can never be")
	c.Advance(event.Predictions, 12)
	check("after an older position")
	c.Advance(event.Conversions, 3)
	want[event.Conversions] = 3
	check("after another stream's")

	// A fetch may begin before what was asked for. Neither a good record nor a
	// bad one is taken again.
	handle(t, c, event.Predictions, record(18, "c", auctionJSON("c")), record(19, "", "bad"), record(20, "d", auctionJSON("d")))
	want[event.Predictions] = 21
	check("after a fetch that began too early")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	check("after Close")
	commit(t, c)
	if n := k.candidates(t); n != 3 {
		t.Errorf("%d candidates, want 3: those at offsets 5, 9 and 20", n)
	}
	if len(k.letters) != 1 {
		t.Errorf("%d dead letters, want the one at offset 10", len(k.letters))
	}
	if got := k.report.Consumed[event.Predictions]; got != 4 {
		t.Errorf("Consumed = %d, want 4", got)
	}
}

// Republish brings everything back to a reader that starts anew, a pane and how
// far the source is, and a commit without news publishes nothing.
func TestRepublish(t *testing.T) {
	o := benchOptions(nil)
	o.Formats = [event.NumStreams]event.Format{event.JSON, event.JSON, event.JSON}
	var published []int
	o.Publish = func(_ int32, _ int64, us []aggregator.Upsert) { published = append(published, len(us)) }
	c := open(t, o)
	handle(t, c, event.Predictions, record(0, "a", auctionJSON("a")))
	commit(t, c)
	commit(t, c)
	c.Republish()
	commit(t, c)
	if d := cmp.Diff([]int{2, 0, 2}, published); d != "" {
		t.Errorf("upserts by commit (-want +got):\n%s", d)
	}
}
