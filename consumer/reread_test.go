package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// asking is a handler whose commit does something with its assignment, once.
type asking struct {
	Handler
	Assignment
	ask *func(ctx context.Context, a Assignment) error
}

func (h *asking) Commit(ctx context.Context) error {
	if ask := *h.ask; ask != nil {
		*h.ask = nil
		if err := ask(ctx, h.Assignment); err != nil {
			return err
		}
	}
	return h.Handler.Commit(ctx)
}

// withAsking has the handlers of o ask when they commit next.
func withAsking(o *Options, ask *func(ctx context.Context, a Assignment) error) {
	open := o.NewHandler
	o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
		h, err := open(ctx, a)
		return &asking{Handler: h, Assignment: a, ask: ask}, err
	}
}

// again collects what a range of the predictions gives.
func again(ctx context.Context, a Assignment, first, last int64) (values []string, err error) {
	at := first
	err = a.Reread(ctx, event.Predictions, first, last, func(records []Record) error {
		for _, r := range records {
			if r.Offset < at || r.Offset > last {
				return fmt.Errorf("offset %d, want from %d to %d", r.Offset, at, last)
			}
			at = r.Offset + 1
			values = append(values, string(r.Value))
		}
		return nil
	})
	return values, err
}

func TestReread(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		ctx := context.Background()
		p, lz4 := w.producer(), w.producer(kgo.ProducerBatchCompression(kgo.Lz4Compression()))
		tx := w.producer(kgo.TransactionalID("t"))
		defer p.Close()
		defer lz4.Close()
		defer tx.Close()
		w.produce(p, "predictions", 0, sequence("p", 0, 40)...)    // 0 to 39
		w.produce(lz4, "predictions", 0, sequence("p", 40, 80)...) // 40 to 79
		transaction := func(how kgo.TransactionEndTry, values ...string) {
			if err := tx.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			w.produce(tx, "predictions", 0, values...)
			if err := tx.EndTransaction(ctx, how); err != nil {
				t.Fatal(err)
			}
		}
		transaction(kgo.TryAbort, "a", "b")                      // 80, 81, and a marker
		transaction(kgo.TryCommit, "c", "d")                     // 83, 84, and a marker
		w.produce(p, "predictions", 0, sequence("p", 80, 90)...) // 86 to 95
		var ask func(ctx context.Context, a Assignment) error
		o := w.options()
		withAsking(&o, &ask)
		c := w.run(o)
		c.caughtUp()
		bytes, records := c.Stats().Bytes.Load(), c.Stats().Records[event.Predictions].Load()
		if err := w.cluster.DeleteRecords("predictions", 0, 10); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			first, last int64
			want        []string
		}{
			{20, 29, sequence("p", 20, 30)},
			{35, 44, sequence("p", 35, 45)},
			{79, 87, []string{"p79", "c", "d", "p80", "p81"}},
			{80, 82, nil},
			{95, 95, []string{"p89"}},
			{0, 12, []string{"p10", "p11", "p12"}}, // retention has taken the first ones
			{0, 5, nil},
			{30, 29, nil},
		} {
			done := make(chan error, 1)
			ask = func(ctx context.Context, a Assignment) error {
				got, err := again(ctx, a, tc.first, tc.last)
				wantValues(t, fmt.Sprintf("from %d to %d", tc.first, tc.last), got, tc.want)
				done <- err
				return nil
			}
			w.produce(p, "impressions", 0, "i")
			if err := <-done; err != nil {
				t.Errorf("from %d to %d: %v", tc.first, tc.last, err)
			}
		}
		c.caughtUp()
		if got := c.Stats().Records[event.Predictions].Load(); got != records {
			t.Errorf("predictions counted as handed in: %d, want %d as before", got, records)
		}
		if got := c.Stats().Bytes.Load() - bytes; got > 10<<10 || c.Stats().RereadBytes.Load() == 0 {
			t.Errorf("bytes: %d more as first read, %d as read again", got, c.Stats().RereadBytes.Load())
		}
		if got := c.Stats().OffsetResets.Load(); got != 0 {
			t.Errorf("offset resets: got %d, want 0: nothing was lost unread", got)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A reread outlasts a broker's absence and much more than StuckAfter, and
// takes no more than its share.
func TestRereadIsPaced(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer(kgo.ProducerBatchCompression(kgo.NoCompression()))
		defer p.Close()
		value := strings.Repeat("x", 10<<10)
		const n = 400 // 4 MB
		for range n {
			w.produce(p, "predictions", 0, value)
		}
		o := w.options()
		o.StuckAfter, o.RereadBytesPerSecond = 20*time.Second, 80<<10
		var took time.Duration
		count := 0
		ask := func(ctx context.Context, a Assignment) error {
			start := time.Now()
			w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "predictions", Err: kerr.NotLeaderForPartition, Count: 40})
			got, err := again(ctx, a, 0, n-1)
			took, count = time.Since(start), len(got)
			return err
		}
		withAsking(&o, &ask)
		c := w.run(o)
		time.Sleep(3 * time.Minute)
		c.caughtUp()
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		if count != n || took < 45*time.Second || took > 2*time.Minute {
			t.Errorf("got %d records in %s, want %d in about %s", count, took, n, 50*time.Second)
		}
	})
}

// A reread ends when its handler says so, when its context is done, and when
// the partition goes elsewhere.
func TestRereadEnds(t *testing.T) {
	errEnough := errors.New("enough")
	for _, tc := range []struct {
		name string
		ask  func(w *world, ctx context.Context, a Assignment) error
		want error
	}{
		{"error of the handler", func(_ *world, ctx context.Context, a Assignment) error {
			return a.Reread(ctx, event.Predictions, 0, 9, func([]Record) error { return errEnough })
		}, errEnough},
		{"deadline while no leader is there", func(w *world, ctx context.Context, a Assignment) error {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "predictions", Err: kerr.NotLeaderForPartition, Count: -1})
			return a.Reread(ctx, event.Predictions, 0, 9, func([]Record) error { return nil })
		}, context.DeadlineExceeded},
		{"beyond the end", func(_ *world, ctx context.Context, a Assignment) error {
			_, err := again(ctx, a, 5, 10)
			return err
		}, ErrOffsetBeyondEnd},
		{"far beyond the end", func(_ *world, ctx context.Context, a Assignment) error {
			_, err := again(ctx, a, 50, 60)
			return err
		}, ErrOffsetBeyondEnd},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(w *world) {
				p := w.producer()
				w.produce(p, "predictions", 0, sequence("p", 0, 10)...)
				p.Close()
				o := w.options()
				ask := func(ctx context.Context, a Assignment) error { return tc.ask(w, ctx, a) }
				withAsking(&o, &ask)
				c := w.run(o)
				if err := <-c.result; !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "partition 0: commit") {
					t.Errorf("Run: got %v, want %v", err, tc.want)
				}
			})
		})
	}
}

// A member that is stopped while it reads again leaves in time.
func TestStopWhileRereading(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer(kgo.ProducerBatchCompression(kgo.NoCompression()))
		for range 100 {
			w.produce(p, "predictions", 0, strings.Repeat("x", 10<<10))
		}
		p.Close()
		o := w.options()
		o.RereadBytesPerSecond = 1 << 10
		ask := func(ctx context.Context, a Assignment) error {
			_, err := again(ctx, a, 0, 99)
			return err
		}
		withAsking(&o, &ask)
		c := w.run(o)
		time.Sleep(10 * time.Second)
		start := time.Now()
		if err := c.stop(); err == nil {
			t.Error("Run: got nil, want that the last commit was not made")
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("left after %s, want at most 10s", took)
		}
		if got := w.parts[0].closed; got != 1 {
			t.Errorf("handlers closed: got %d, want 1", got)
		}
	})
}
