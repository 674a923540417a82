package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/panes"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// newTestCores has a broker behind it for the panes topic alone: the consumer is
// only asked how many partitions there are. Two of them over one directory are
// two processes, one after the other.
func newTestCores(t *testing.T, dir string) *cores {
	t.Helper()
	broker, err := kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	cfg := config.Default()
	cfg.State.Dir = dir
	for _, in := range []*config.Input{&cfg.Topics.Predictions, &cfg.Topics.Impressions, &cfg.Topics.Conversions} {
		in.Format = event.JSON
	}
	o := &Options{
		Config: cfg, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(1_800_000_000_000) },
	}
	m := aggregator.NewMerged(aggregatorOptions(&o.Config, false))
	opts := consumer.DefaultOptions()
	opts.Brokers, opts.Logger = broker.Brokers(), o.Logger
	topic := panes.New(panes.Options{Kafka: opts, Topic: "panes", Merged: m, Levels: aggregatorOptions(&cfg, false).Levels, Logger: o.Logger})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error)
	go func() { ended <- topic.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	p := newPipeline(m, topic, telemetry.New(), o.Now)
	c := newCores(o, m, topic, p, nil)
	opts.NewHandler, opts.Held = c.handler, c.held
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

// errZombie is what the coordinator of the tests says to whom it knows no more.
var errZombie = errors.New("not the group's generation")

func open(t *testing.T, c *cores, number, generation int32) (consumer.Handler, error) {
	t.Helper()
	return c.handler(t.Context(), consumer.Assignment{
		Partition: number, Generation: generation, Letters: &letterBox{}, Alive: func() {}, Wake: func() {},
		Current: func(context.Context, [event.NumStreams]int64) error { return errZombie },
	})
}

func mustOpen(t *testing.T, c *cores, number, generation int32) consumer.Handler {
	t.Helper()
	h, err := open(t, c, number, generation)
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
	return s.Arms[0].Total.Read(nil).Candidates.Count
}

// consumed is how many predictions the open partitions have reported.
func (c *cores) consumed() (n int64) {
	c.pipeline.mu.Lock()
	defer c.pipeline.mu.Unlock()
	for _, r := range c.pipeline.reports {
		n += r.Consumed[event.Predictions]
	}
	return n
}

func (c *cores) wantState(t *testing.T, when string, held []int32, candidates, consumed int64, committing ...consumer.Handler) {
	t.Helper()
	if d := cmp.Diff(held, c.held()); d != "" {
		t.Errorf("%s: held (-want +got):\n%s", when, d)
	}
	for end := time.Now().Add(10 * time.Second); c.candidates(t) != candidates; {
		if time.Now().After(end) {
			t.Errorf("%s: %d candidates, want %d", when, c.candidates(t), candidates)
			break
		}
		// A real broker's way there and back; and a source begins to publish with
		// the commit after it was compared with the topic.
		for _, h := range committing {
			if err := h.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n := c.consumed(); n != consumed {
		t.Errorf("%s: %d records reported, want %d", when, n, consumed)
	}
}

// feedLog hands in what a log of predictions holds beyond the handler's offset.
func feedLog(t *testing.T, h consumer.Handler, log ...string) {
	t.Helper()
	from := max(0, h.Offsets()[event.Predictions])
	for i, value := range log[from:] {
		feed(t, h, from+int64(i), value)
	}
}

func TestCoresGoOnWhereTheirStateEnds(t *testing.T) {
	dir := t.TempDir()
	c := newTestCores(t, dir)
	three, five := mustOpen(t, c, 3, 1), mustOpen(t, c, 5, 1)
	feedLog(t, three, auction("a"))
	log := []string{auction("b"), auction("c")}
	feedLog(t, five, log...)
	c.wantState(t, "both read", []int32{3, 5}, 3, 3, three, five)

	closeHandler(t, five)
	c.wantState(t, "given away: the state stays", []int32{3, 5}, 3, 1)
	five = mustOpen(t, c, 5, 2)
	if at := five.Offsets()[event.Predictions]; at != 0 {
		t.Errorf("predictions are read again from %d on, want 0: an impression may come for all of them", at)
	}
	log = append(log, "not JSON")
	feedLog(t, five, log...)
	c.wantState(t, "given back", []int32{3, 5}, 3, 4, three, five)
	closeHandler(t, five)
	closeHandler(t, three)

	c = newTestCores(t, dir)
	c.wantState(t, "another process", []int32{3, 5}, 0, 0)
	five = mustOpen(t, c, 5, 3)
	if n := c.consumed(); n != 3 {
		t.Errorf("%d records counted by the process before, want 3", n)
	}
	feedLog(t, five, append(log, auction("b"))...)
	c.wantState(t, "another process, one partition", []int32{3, 5}, 2, 4, five)
	closeHandler(t, five)
}

func TestCoresAreFenced(t *testing.T) {
	dir := t.TempDir()
	c := newTestCores(t, dir)
	closeHandler(t, mustOpen(t, c, 1, 7))
	if _, err := open(t, c, 1, 6); !errors.Is(err, errZombie) {
		t.Errorf("an older generation: %v, want what the coordinator says", err)
	}
	closeHandler(t, mustOpen(t, c, 1, 8))
}

func TestClaim(t *testing.T) {
	yes, no := func() error { return nil }, func() error { return errZombie }
	for _, tc := range []struct {
		name       string
		seen       uint64
		generation int32
		current    func() error
		want       uint64
		err        error
	}{
		{"nothing seen", 0, 1, no, 1, nil},
		{"the next generation", 7, 8, no, 8, nil},
		{"the same generation", 7, 7, no, 7, nil},
		{"an older one, of a zombie", 7, 6, no, 0, errZombie},
		{"an older one, of a group that counts anew", 7, 1, yes, 1<<32 | 1, nil},
		{"the next one of that group", 1<<32 | 1, 2, no, 1<<32 | 2, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := claim(tc.seen, tc.generation, tc.current)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("claim(%#x, %d) = %#x, %v, want %#x, %v", tc.seen, tc.generation, got, err, tc.want, tc.err)
			}
		})
	}
}

// A directory that cannot be used ends the partition with a line that names it.
func TestCoresNameTheDirectory(t *testing.T) {
	dir := t.TempDir()
	c := newTestCores(t, dir)
	file := filepath.Join(dir, "partition-00002")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, c, 2, 1); err == nil || !contains(err, file) {
		t.Errorf("a file where a directory should be: %v, want an error that names %s", err, file)
	}
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }
