package app

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// newTestCores has no brokers behind it: the consumer is only asked how many
// partitions there are.
func newTestCores(t *testing.T) *cores {
	t.Helper()
	cfg := config.Default()
	for _, in := range []*config.Input{&cfg.Topics.Predictions, &cfg.Topics.Impressions, &cfg.Topics.Conversions} {
		in.Format = event.JSON
	}
	o := &Options{Config: cfg, Now: func() time.Time { return time.UnixMilli(1_800_000_000_000) }}
	m := aggregator.NewMerged(aggregatorOptions(&o.Config, false))
	p := newPipeline(m, telemetry.New(), o.Now)
	opts := consumer.DefaultOptions()
	opts.Brokers = []string{"127.0.0.1:1"}
	c := newCores(o, m, p)
	opts.NewHandler, opts.Held = c.open, c.held
	in, err := consumer.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	p.consumer = in
	return c
}

// letterBox counts what is refused.
type letterBox struct{ n int }

func (b *letterBox) Send(consumer.DeadLetter) { b.n++ }

func open(t *testing.T, c *cores, number int32, dead consumer.DeadLetters) consumer.Handler {
	t.Helper()
	h, err := c.open(t.Context(), consumer.Assignment{Partition: number, Letters: dead})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// feed hands one auction in, and commits.
func feed(t *testing.T, h consumer.Handler, offset int64, value string) {
	t.Helper()
	if err := h.Handle(event.Predictions, []consumer.Record{{Offset: offset, Key: []byte("k"), Value: []byte(value)}}); err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func closeHandler(t *testing.T, h consumer.Handler) {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func auction(id string) string {
	return fmt.Sprintf(`{"auctionId":%q,"eventTimeMs":"1790000000000","assignments":[{"experiment":"x","arm":"control"}],`+
		`"candidates":{"itemIds":["1"],"predictions":[0.25]}}`, id)
}

// candidates is how many candidates are in the numbers.
func (c *cores) candidates(t *testing.T) int64 {
	t.Helper()
	s, err := c.merged.Summary(aggregator.Query{Experiment: "x"})
	if err != nil {
		return 0
	}
	return s.Arms[0].Total.Read().Candidates.Count
}

func (c *cores) wantState(t *testing.T, when string, held []int32, candidates, consumed int64) {
	t.Helper()
	if d := cmp.Diff(held, c.held()); d != "" {
		t.Errorf("%s: held (-want +got):\n%s", when, d)
	}
	if n := c.candidates(t); n != candidates {
		t.Errorf("%s: %d candidates, want %d", when, n, candidates)
	}
	var n int64
	c.pipeline.mu.Lock()
	for _, r := range c.pipeline.reports {
		n += r.Consumed[event.Predictions]
	}
	c.pipeline.mu.Unlock()
	if n != consumed {
		t.Errorf("%s: %d records reported, want %d", when, n, consumed)
	}
}

func TestCoresAreParkedReclaimedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCores(t)
		first, second := &letterBox{}, &letterBox{}
		three, five := open(t, c, 3, first), open(t, c, 5, first)
		feed(t, three, 0, auction("a"))
		feed(t, five, 0, auction("b"))
		feed(t, five, 1, auction("c"))
		c.wantState(t, "both read", []int32{3, 5}, 3, 3)

		closeHandler(t, five)
		time.Sleep(parkFor - time.Millisecond)
		synctest.Wait()
		c.wantState(t, "parked", []int32{3, 5}, 3, 3)

		five = open(t, c, 5, second)
		if got := five.Offsets()[event.Predictions]; got != 2 {
			t.Errorf("reclaimed: goes on at offset %d, want 2", got)
		}
		time.Sleep(2 * parkFor)
		synctest.Wait()
		feed(t, five, 2, "not JSON")
		if first.n != 0 || second.n != 1 {
			t.Errorf("reclaimed: %d dead letters to the generation before, %d to this one; want 0 and 1", first.n, second.n)
		}
		c.wantState(t, "reclaimed", []int32{3, 5}, 3, 4)

		// Parked anew, the 30 s begin anew.
		closeHandler(t, five)
		time.Sleep(parkFor - time.Millisecond)
		synctest.Wait()
		c.wantState(t, "parked again", []int32{3, 5}, 3, 4)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		c.wantState(t, "forgotten", []int32{3}, 1, 1)

		five = open(t, c, 5, second)
		if got := five.Offsets()[event.Predictions]; got != consumer.Earliest {
			t.Errorf("opened after it was forgotten: begins at offset %d, want the oldest", got)
		}
		feed(t, five, 0, auction("b"))
		c.wantState(t, "read anew", []int32{3, 5}, 2, 2)
	})
}

// What is parked when the service ends is neither forgotten nor removed from
// the numbers, which are read until the last.
func TestCoresCloseKeepsTheNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestCores(t)
		parked, read := open(t, c, 1, &letterBox{}), open(t, c, 2, &letterBox{})
		feed(t, parked, 0, auction("a"))
		feed(t, read, 0, auction("b"))
		closeHandler(t, parked)
		c.close()
		closeHandler(t, read)
		time.Sleep(2 * parkFor)
		synctest.Wait()
		c.wantState(t, "closed", []int32{1, 2}, 2, 2)
	})
}
