package consumer

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
)

func TestConsumeAllCodecs(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
		for i, codec := range codecs {
			p := w.producer(kgo.ProducerBatchCompression(codec))
			w.produce(p, "predictions", 0, sequence("p", 100*i, 100*i+100)...)
			w.produce(p, "impressions", 1, sequence("i", 100*i, 100*i+100)...)
			p.Close()
		}
		c := w.run(w.options())
		c.caughtUp()
		wantValues(t, "predictions/0", w.values(0, event.Predictions), sequence("p", 0, 500))
		wantValues(t, "impressions/1", w.values(1, event.Impressions), sequence("i", 0, 500))
		if err := c.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if got := c.Stats().Records[event.Predictions].Load(); got != 500 {
			t.Errorf("predictions counted: got %d, want 500", got)
		}
		for p, r := range w.parts {
			if r.closed != 1 {
				t.Errorf("handler of partition %d closed %d times, want once", p, r.closed)
			}
		}
	})
}

// A backlog is taken in event-time order across the streams, whatever the
// order in which it was produced.
func TestEventTimeOrder(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		var want []string
		for _, s := range []event.Stream{event.Conversions, event.Impressions, event.Predictions} {
			for i := range 50 {
				w.produce(p, s.String(), 0, fmt.Sprintf("%d,%s", 1000+100*i+10*int(s), s))
			}
		}
		for i := range 50 {
			for s := range event.NumStreams {
				want = append(want, fmt.Sprintf("%s:%d,%s", s, 1000+100*i+10*int(s), s))
			}
		}
		c := w.run(w.options())
		c.caughtUp()
		if got := w.parts[0].order; !slices.Equal(got, want) {
			t.Errorf("got %.2000q\nwant %.2000q", got, want)
		}
		// A stream without anything new holds up none of the others.
		for i := range 20 {
			w.produce(p, "conversions", 0, fmt.Sprintf("%d,late", 9000+i))
		}
		c.caughtUp()
		if got := len(w.values(0, event.Conversions)); got != 70 {
			t.Errorf("conversions: got %d, want 70", got)
		}
		c.stop()
	})
}

func TestResumeWhereTheHandlerSays(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer(kgo.ProducerBatchCompression(kgo.Lz4Compression()))
		defer p.Close()
		w.produce(p, "predictions", 0, sequence("p", 0, 100)...) // one batch
		w.parts[0] = &recorder{next: [event.NumStreams]int64{42, Earliest, 0}}
		c := w.run(w.options())
		c.caughtUp()
		wantValues(t, "from the middle of a batch", w.values(0, event.Predictions), sequence("p", 42, 100))
		c.stop()
		w.produce(p, "predictions", 0, sequence("p", 100, 110)...)
		c = w.run(w.options())
		c.caughtUp()
		wantValues(t, "after a restart", w.values(0, event.Predictions), sequence("p", 42, 110))
		c.stop()
	})
}

func TestTransactions(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		ctx := context.Background()
		plain := w.producer()
		tx := w.producer(kgo.TransactionalID("t"))
		defer plain.Close()
		defer tx.Close()
		begin := func(values ...string) {
			if err := tx.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			w.produce(tx, "predictions", 0, values...)
		}
		end := func(how kgo.TransactionEndTry) {
			if err := tx.EndTransaction(ctx, how); err != nil {
				t.Fatal(err)
			}
		}
		begin("a1", "a2")
		w.produce(plain, "predictions", 0, "p1")
		end(kgo.TryAbort)
		begin("c1", "c2")
		end(kgo.TryCommit)
		c := w.run(w.options())
		c.caughtUp() // the last offset is a marker's
		wantValues(t, "aborted and committed", w.values(0, event.Predictions), []string{"p1", "c1", "c2"})

		begin("c3")
		w.produce(plain, "predictions", 0, "p2")
		time.Sleep(time.Second)
		c.caughtUp() // an open transaction hides itself and what follows it
		wantValues(t, "while it is open", w.values(0, event.Predictions), []string{"p1", "c1", "c2"})
		end(kgo.TryCommit)
		c.caughtUp()
		wantValues(t, "once committed", w.values(0, event.Predictions), []string{"p1", "c1", "c2", "c3", "p2"})
		begin("a3")
		end(kgo.TryAbort)
		c.caughtUp()
		wantValues(t, "aborted at the end", w.values(0, event.Predictions), []string{"p1", "c1", "c2", "c3", "p2"})
		if got := c.Stats().AbortedBatches.Load(); got < 2 {
			t.Errorf("aborted batches: got %d, want at least 2", got)
		}
		c.stop()
	})
}

// What is handed in is committed soon after the last record, or at the
// interval while records keep coming.
func TestCommitPace(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		commits := func() int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.parts[0].commits
		}
		c := w.run(w.options())
		c.caughtUp()
		before := commits()
		w.produce(p, "predictions", 0, "one")
		time.Sleep(100 * time.Millisecond)
		if got := commits() - before; got != 1 {
			t.Errorf("100 ms after a record: got %d commits, want 1", got)
		}
		before = commits()
		for range 400 { // 4 s of a record every 10 ms
			w.produce(p, "predictions", 0, "again")
			time.Sleep(10 * time.Millisecond)
		}
		if got := commits() - before; got < 3 || got > 6 {
			t.Errorf("4 s of steady records: got %d commits, want 3 to 6", got)
		}
		before = commits()
		time.Sleep(time.Minute)
		if got := commits() - before; got > 1 {
			t.Errorf("a minute of silence: got %d commits, want at most 1", got)
		}
		c.stop()
	})
}

func TestLagAndStatus(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, sequence("p", 0, 30)...)
		c, err := New(w.options())
		if err != nil {
			t.Fatal(err)
		}
		if ok, lag, err := c.CaughtUp(context.Background()); ok || lag != 30 || err != nil {
			t.Errorf("before Run: got %v, lag %d, error %v; want false, 30, nil", ok, lag, err)
		}
		if c.Ready() {
			t.Error("ready before Run")
		}
		c.client.close()
		r := w.run(w.options())
		r.caughtUp()
		time.Sleep(2 * time.Second)
		want := []PartitionLag{
			{Stream: event.Predictions, Topic: "predictions", Position: 30, End: 30},
			{Stream: event.Impressions, Topic: "impressions"}, {Stream: event.Conversions, Topic: "conversions"},
		}
		if got := r.Lag(); !slices.Equal(got, want) {
			t.Errorf("lag: got %+v, want %+v", got, want)
		}
		if !r.Ready() || !slices.Equal(r.Assigned(), []int32{0}) {
			t.Errorf("got ready %v, assigned %v; want true, [0]", r.Ready(), r.Assigned())
		}
		info := w.cluster.GroupInfo("rampgauge")
		if got := info.Commits["predictions"][0].Offset; got != 30 {
			t.Errorf("group offset: got %d, want 30", got)
		}
		// What is committed on leaving is written as well.
		w.produce(p, "predictions", 0, sequence("p", 30, 35)...)
		r.caughtUp()
		r.stop()
		info = w.cluster.GroupInfo("rampgauge")
		if got := info.Commits["predictions"][0].Offset; got != 35 {
			t.Errorf("group offset after leaving: got %d, want 35", got)
		}
	})
}

// A handler that is slow stops the fetching, not the group.
func TestBackPressure(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer(kgo.ProducerBatchCompression(kgo.NoCompression()))
		defer p.Close()
		big := string(make([]byte, 10<<10))
		const n = 400 // 4 MB
		for range n {
			w.produce(p, "predictions", 0, big)
		}
		o := w.options()
		o.QueueBytes, o.FetchBytes = 64<<10, 128<<10
		open := o.NewHandler
		gate := make(chan struct{})
		o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
			h, err := open(ctx, a)
			return &gated{Handler: h, gate: gate}, err
		}
		c := w.run(o)
		time.Sleep(20 * time.Second)
		if got := c.Stats().Bytes.Load(); got > 256<<10 {
			t.Errorf("fetched while the handler stands still: %d bytes, want at most %d", got, 256<<10)
		}
		close(gate)
		c.caughtUp()
		if got := len(w.values(0, event.Predictions)); got != n {
			t.Errorf("got %d records, want %d", got, n)
		}
		if got := c.Stats().Generations.Load(); got != 1 {
			t.Errorf("got %d generations, want 1", got)
		}
		c.stop()
	})
}

type gated struct {
	Handler
	gate chan struct{}
}

func (g *gated) Handle(s event.Stream, records []Record) error {
	<-g.gate
	return g.Handler.Handle(s, records)
}

// A record larger than a fetch is read all the same.
func TestRecordLargerThanFetch(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer(kgo.ProducerBatchCompression(kgo.NoCompression()))
		defer p.Close()
		huge := string(make([]byte, 900<<10))
		w.produce(p, "predictions", 0, "small", huge, "small")
		w.produce(p, "impressions", 0, huge)
		o := w.options()
		o.QueueBytes, o.FetchBytes = 16<<10, 16<<10
		c := w.run(o)
		c.caughtUp()
		if got := w.values(0, event.Predictions); len(got) != 3 || got[1] != huge {
			t.Errorf("predictions: got %d records", len(got))
		}
		if got := len(w.values(0, event.Impressions)); got != 1 {
			t.Errorf("impressions: got %d records, want 1", got)
		}
		c.stop()
	})
}
