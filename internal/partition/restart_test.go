package partition_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// life is a partition whose process may be killed.
type life struct {
	t      *testing.T
	opts   partition.Options
	state  *partition.Memory
	log    []consumer.Record // predictions
	merged *aggregator.Merged
	report partition.Report
	core   *partition.Core
}

func newLife(t *testing.T) *life {
	l := &life{t: t, state: partition.NewMemory()}
	l.opts = benchOptions(nil)
	l.opts.Formats = [event.NumStreams]event.Format{event.JSON, event.JSON, event.JSON}
	l.opts.Publish = func(source int32, newest int64, us []aggregator.Upsert) { l.merged.Publish(source, newest, us) }
	l.opts.Report = func(_ int32, r partition.Report) { l.report = r }
	l.opts.Reread = func(_ context.Context, first, last int64, f func([]consumer.Record) error) error {
		return f(l.log[first:min(last+1, int64(len(l.log)))])
	}
	l.start()
	return l
}

// start begins a new process with a new epoch; what the last one had not
// committed is lost.
func (l *life) start() {
	l.t.Helper()
	l.opts.Epoch++
	l.merged = aggregator.NewMerged(l.opts.Aggregator)
	c, err := partition.Open(l.opts, l.state)
	if err != nil {
		l.t.Fatal(err)
	}
	c.Republish()
	l.core = c
	from := c.Offsets()[event.Predictions]
	if from < 0 {
		from = 0
	}
	if from < int64(len(l.log)) {
		handle(l.t, c, event.Predictions, l.log[from:]...)
	}
}

func (l *life) prediction(id string, atSeconds int) {
	l.t.Helper()
	ms := atMs + int64(atSeconds)*1000
	value := fmt.Sprintf(`{"auctionId":%q,"eventTimeMs":"%d","assignments":[{"experiment":"x","arm":"control"}],`+
		`"candidates":{"itemIds":["1"],"predictions":[0.25]}}`, id, ms)
	l.log = append(l.log, consumer.Record{Offset: int64(len(l.log)), TimestampMs: ms, Key: []byte(id), Value: []byte(value)})
	handle(l.t, l.core, event.Predictions, l.log[len(l.log)-1])
}

func (l *life) impression(offset int64, auction string, atSeconds int) {
	l.t.Helper()
	value := fmt.Sprintf(`{"impressionId":"i-%s","auctionId":%q,"itemId":"1","eventTimeMs":"%d"}`, auction, auction, atMs+int64(atSeconds)*1000)
	handle(l.t, l.core, event.Impressions, consumer.Record{Offset: offset, Key: []byte(auction), Value: []byte(value)})
}

func (l *life) commit() {
	l.t.Helper()
	commit(l.t, l.core)
}

func (l *life) counts() string {
	l.t.Helper()
	s, err := l.merged.Summary(aggregator.Query{Experiment: "x"})
	if err != nil {
		l.t.Fatal(err)
	}
	r := s.Arms[0].Total.Read(nil)
	w := l.report.Join.Streams[event.Impressions]
	return fmt.Sprintf("%d candidates, %d winners; impressions: %d waiting, %d unmatched; predictions: %d duplicate, %d late, next %v",
		r.Candidates.Count, r.Winners.Count, w.Waiting, w.Unmatched,
		l.report.Join.Streams[event.Predictions].Duplicate, l.report.Join.Streams[event.Predictions].Late, l.core.Offsets())
}

func (l *life) want(want string) {
	l.t.Helper()
	l.commit()
	if d := cmp.Diff(want, l.counts()); d != "" {
		l.t.Errorf("(-want +got):\n%s", d)
	}
}

// The window of these tests is 10 s, and buckets are 1.25 s.

func TestRestart(t *testing.T) {
	l := newLife(t)
	l.prediction("old", 0)
	l.prediction("a", 100)
	l.prediction("b", 101)
	l.impression(0, "a", 102)
	l.impression(1, "nowhere", 102)
	l.want("3 candidates, 1 winners; impressions: 1 waiting, 0 unmatched; predictions: 0 duplicate, 0 late, next [3 2 -2]")
	l.start()
	if got := l.core.Offsets()[event.Predictions]; got != 3 {
		t.Errorf("predictions are taken up to %d, want 3", got)
	}
	l.want("3 candidates, 1 winners; impressions: 1 waiting, 0 unmatched; predictions: 0 duplicate, 0 late, next [3 2 -2]")
	l.impression(2, "b", 103)    // its auction is in memory again
	l.prediction("a", 100)       // what was counted before is known
	l.prediction("nowhere", 101) // for the one that waits
	l.want("4 candidates, 3 winners; impressions: 0 waiting, 0 unmatched; predictions: 1 duplicate, 0 late, next [5 3 -2]")
}

func TestRestartReadsOnlyWhatIsJoinable(t *testing.T) {
	l := newLife(t)
	for i := range 100 {
		l.prediction(fmt.Sprint(i), i)
	}
	l.commit()
	c, err := partition.Open(l.opts, l.state)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Offsets()[event.Predictions], int64(99-20-1); got < want || got > want+2 {
		t.Errorf("predictions are read again from %d on, want %d: two windows", got, want)
	}
}

// What comes too late for memory is looked up in the topic.
func TestLateBeyondMemory(t *testing.T) {
	l := newLife(t)
	l.prediction("a", 0)
	l.prediction("b", 1)
	for i := range 40 {
		l.prediction(fmt.Sprint(i), 100+i)
	}
	l.commit()
	l.start() // memory holds two windows from now on
	l.impression(0, "a", 2)
	l.impression(1, "nowhere", 2)
	l.prediction("b", 1)
	l.prediction("c", 1)
	l.impression(2, "c", 3)
	l.prediction("c", 1)
	l.want("43 candidates, 2 winners; impressions: 0 waiting, 1 unmatched; predictions: 2 duplicate, 0 late, next [45 3 -2]")
	l.start()
	l.prediction("c", 1)
	l.prediction("nowhere", 1)
	l.want("44 candidates, 3 winners; impressions: 0 waiting, 0 unmatched; predictions: 3 duplicate, 0 late, next [47 3 -2]")
}

func TestOpenRefuses(t *testing.T) {
	l := newLife(t)
	l.prediction("a", 0)
	l.commit()
	older := l.opts
	older.Epoch--
	if _, err := partition.Open(older, l.state); !errors.Is(err, partition.ErrFenced) {
		t.Errorf("an older epoch: %v, want ErrFenced", err)
	}
	other := l.opts
	other.Join.AttributionWindow += time.Second
	if _, err := partition.Open(other, l.state); !errors.Is(err, partition.ErrSettings) {
		t.Errorf("another attribution window: %v, want ErrSettings", err)
	}
	if err := l.state.Commit([]byte(`{"Format":3}`), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := partition.Open(l.opts, l.state); !errors.Is(err, partition.ErrFormat) {
		t.Errorf("a newer format: %v, want ErrFormat", err)
	}
}

// A bucket may be dropped again before all of it was read again. An impression
// that came between finds its auction nevertheless.
func TestRestartWithoutMemory(t *testing.T) {
	l := newLife(t)
	l.opts.Join.MemoryBytes = 1
	l.prediction("a", 0)
	l.prediction("b", 0)
	l.prediction("c", 5)
	l.commit()
	log := l.log
	l.log = nil
	l.start()
	l.log = log
	for i, auction := range []string{"a", "b"} {
		l.impression(int64(i), auction, 3)
	}
	handle(t, l.core, event.Predictions, l.log...)
	l.want("3 candidates, 2 winners; impressions: 0 waiting, 0 unmatched; predictions: 0 duplicate, 0 late, next [3 2 -2]")
}

// Nothing is given up as long as predictions are to be read again: where they
// are is known only afterwards.
func TestRestartTwiceBeforeReadingAgain(t *testing.T) {
	l := newLife(t)
	l.prediction("a", 0)
	l.commit()
	log := l.log
	l.log = nil
	l.start()
	l.impression(0, "a", 1)
	l.impression(1, "nowhere", 500) // "a" is out of memory by now
	l.commit()
	l.start()
	l.commit()
	l.log = log
	handle(t, l.core, event.Predictions, l.log...)
	l.want("1 candidates, 1 winners; impressions: 1 waiting, 0 unmatched; predictions: 0 duplicate, 0 late, next [1 2 -2]")
}

// A pane goes with its whole hour, and as long as it is there a record that
// comes again is known, also when its auction is in memory no more.
func TestDuplicateAtTheEndOfTheRetention(t *testing.T) {
	l := newLife(t)
	l.opts.Join.MemoryBytes = 1
	l.opts.Join.Retention = 2 * time.Hour
	l.opts.Aggregator.Levels.Retention = 2 * time.Hour
	l.state = partition.NewMemory()
	l.start()
	l.prediction("a", 0)
	l.prediction("b", 9_000) // half an hour beyond the retention, in the hour that is still there
	l.commit()
	l.prediction("a", 0)
	l.impression(0, "a", 1)
	l.want("2 candidates, 1 winners; impressions: 0 waiting, 0 unmatched; predictions: 1 duplicate, 0 late, next [3 1 -2]")
}
