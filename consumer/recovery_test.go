package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/consumer/event"
)

func TestLeaderChange(t *testing.T) {
	inBubble(t, 3, 4, func(w *world) {
		p := w.producer()
		defer p.Close()
		c := w.run(w.options())
		for round := range 10 {
			for part := range int32(4) {
				w.produce(p, "predictions", part, sequence("p", round*10, round*10+10)...)
				if err := w.cluster.MoveTopicPartition("predictions", part, int32(round+int(part))%3); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(200 * time.Millisecond)
		}
		c.caughtUp()
		for part := range int32(4) {
			wantValues(t, fmt.Sprintf("predictions/%d", part), w.values(part, event.Predictions), sequence("p", 0, 100))
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The broker goes away for two minutes and comes back with its data.
func TestBrokerRestart(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		w.produce(p, "predictions", 0, sequence("p", 0, 100)...)
		p.Close()
		c := w.run(w.options())
		c.caughtUp()
		w.cluster.Stop()
		time.Sleep(2 * time.Minute)
		if got := w.log.count("level=WARN"); got == 0 || got > 6 {
			t.Errorf("got %d warnings for one outage, want from 1 to 6", got)
		}
		w.start(1, 1, kfake.DataDir(dir))
		p = w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, sequence("p", 100, 200)...)
		c.caughtUp()
		wantValues(t, "predictions", w.values(0, event.Predictions), sequence("p", 0, 200))
		// Others might have been quicker to come back: the handler begins anew, once.
		if got := w.parts[0].closed; got > 1 {
			t.Errorf("the handler was closed %d times, want at most once", got)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	}, kfake.DataDir(dir))
}

func TestOffsetOutOfRange(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		for i := range 10 {
			w.produce(p, "predictions", 0, sequence("p", 10*i, 10*i+10)...)
		}
		if err := w.cluster.DeleteRecords("predictions", 0, 50); err != nil {
			t.Fatal(err)
		}
		w.parts[0] = &recorder{next: [event.NumStreams]int64{20, 0, 0}}
		c := w.run(w.options())
		c.caughtUp()
		wantValues(t, "predictions", w.values(0, event.Predictions), sequence("p", 50, 100))
		if got := c.Stats().OffsetResets.Load(); got != 1 {
			t.Errorf("resets: got %d, want 1", got)
		}
		if got := c.Stats().RecordsLost[event.Predictions].Load(); got != 30 {
			t.Errorf("records lost: got %d, want 30", got)
		}
		line := "reading from the oldest record\" topic=predictions partition=0 first_lost=20 last_lost=49"
		if got := w.log.count(line); got != 1 || w.log.count("level=ERROR") != 1 {
			t.Errorf("lines with %q: got %d, want 1, and no other error", line, got)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A state that is ahead of its topic belongs to another topic: counting on
// would mix the two, and counting anew would count twice.
func TestOffsetBeyondEnd(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, sequence("p", 0, 10)...)
		w.produce(p, "impressions", 0, "i")
		w.parts[0] = &recorder{next: [event.NumStreams]int64{20, 0, 0}}
		c := w.run(w.options())
		start := time.Now()
		var err error
		select {
		case err = <-c.result:
		case <-time.After(5 * time.Minute):
		}
		want := "predictions/0: offset 20 is to be read next, but the topic ends at 10"
		if !errors.Is(err, ErrOffsetBeyondEnd) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Run: got %v\nwant %v with %q, on one line", err, ErrOffsetBeyondEnd, want)
		}
		if took := time.Since(start); took < beyondPatience || took > beyondPatience+15*time.Second {
			t.Errorf("ended after %s, want soon after %s", took, beyondPatience)
		}
		if got := w.values(0, event.Predictions); len(got) != 0 {
			t.Errorf("handed in although the state is ahead: %q", got)
		}
	})
}

// A topic that is made anew while it is read ends in the same way.
func TestTopicMadeAnew(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, sequence("p", 0, 10)...)
		c := w.run(w.options())
		c.caughtUp()
		w.cluster.DeleteTopic("predictions")
		time.Sleep(5 * time.Second)
		w.cluster.CreateTopic("predictions", 1, nil)
		select {
		case err := <-c.result:
			if !errors.Is(err, ErrOffsetBeyondEnd) || !strings.Contains(err.Error(), "offset 10 is to be read next, but the topic ends at 0") {
				t.Errorf("Run: got %v, want %v", err, ErrOffsetBeyondEnd)
			}
		case <-time.After(5 * time.Minute):
			t.Error("Run goes on")
		}
	})
}

// For a while after its leader has changed, a topic may seem shorter than it is.
func TestEndLags(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, sequence("p", 0, 10)...)
		w.parts[0] = &recorder{next: [event.NumStreams]int64{15, 0, 0}}
		c := w.run(w.options())
		time.Sleep(beyondPatience / 2)
		w.produce(p, "predictions", 0, sequence("p", 10, 20)...)
		c.caughtUp()
		wantValues(t, "predictions", w.values(0, event.Predictions), sequence("p", 15, 20))
		if got := c.Stats().OffsetResets.Load(); got != 0 {
			t.Errorf("resets: got %d, want 0", got)
		}
		if got := w.log.count("level=WARN"); got != 1 {
			t.Errorf("warnings: got %d, want 1", got)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// Faults that a broker reports for a while are waited out.
func TestFetchFaults(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.UnknownServerError, kerr.LeaderNotAvailable} {
		t.Run(e.Message, func(t *testing.T) {
			inBubble(t, 1, 1, func(w *world) {
				p := w.producer()
				defer p.Close()
				w.produce(p, "predictions", 0, sequence("p", 0, 10)...)
				fault := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "predictions", Err: e, Count: 7})
				c := w.run(w.options())
				c.caughtUp()
				wantValues(t, "predictions", w.values(0, event.Predictions), sequence("p", 0, 10))
				if fault.Hits() != 7 {
					t.Errorf("faults met: got %d, want 7", fault.Hits())
				}
				c.stop()
			})
		})
	}
}

func TestTwoConsumers(t *testing.T) {
	inBubble(t, 1, 4, func(w *world) {
		p := w.producer()
		defer p.Close()
		produced := 0
		more := func() {
			for part := range int32(4) {
				for _, topic := range topicNames {
					w.produce(p, topic, part, sequence("v", produced, produced+10)...)
				}
			}
			produced += 10
		}
		check := func(when string) {
			t.Helper()
			for part := range int32(4) {
				for s := range event.NumStreams {
					wantValues(t, fmt.Sprintf("%s: %s/%d", when, s, part), w.values(part, s), sequence("v", 0, produced))
				}
			}
		}
		share := func(c *running, n int) []int32 {
			t.Helper()
			for range 600 {
				if got := c.Assigned(); len(got) == n {
					return got
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Fatalf("assigned: got %v, want %d partitions", c.Assigned(), n)
			return nil
		}
		more()
		a := w.run(w.options())
		a.caughtUp()
		share(a, 4)
		b := w.run(w.options())
		kept, given := share(a, 2), share(b, 2)
		if both := append(slices.Clone(kept), given...); !slices.Equal(both, []int32{0, 1, 2, 3}) {
			t.Errorf("assigned: %v stayed, %v went", kept, given)
		}
		more()
		a.caughtUp() // each of them speaks for the whole group
		b.caughtUp()
		check("two members")
		for _, part := range kept {
			if got := w.parts[part].closed; got != 0 {
				t.Errorf("partition %d stayed, but its handler was closed", part)
			}
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
		share(a, 4)
		more()
		a.caughtUp()
		check("one left")
		if err := a.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestHandlerErrorEndsRun(t *testing.T) {
	errDisk := errors.New("disk full")
	for _, tc := range []struct {
		name    string
		handler func(Handler) (Handler, error)
	}{
		{"open", func(Handler) (Handler, error) { return nil, errDisk }},
		{"handle", func(h Handler) (Handler, error) { return failing{Handler: h, handle: errDisk}, nil }},
		{"commit", func(h Handler) (Handler, error) { return failing{Handler: h, commit: errDisk}, nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 2, func(w *world) {
				p := w.producer()
				w.produce(p, "predictions", 1, "v")
				p.Close()
				o := w.options()
				open := o.NewHandler
				o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
					h, err := open(ctx, a)
					if a.Partition != 1 || err != nil {
						return h, err
					}
					return tc.handler(h)
				}
				c := w.run(o)
				start := time.Now()
				if err := <-c.result; !errors.Is(err, errDisk) {
					t.Errorf("Run: got %v, want %v", err, errDisk)
				}
				if d := time.Since(start); d > 15*time.Second {
					t.Errorf("Run took %v to return", d)
				}
				if got := w.open[0]; got != 0 {
					t.Errorf("handlers of partition 0 left open: %d", got)
				}
				c.cancel()
			})
		})
	}
}

type failing struct {
	Handler
	handle, commit error
}

func (f failing) Handle(s event.Stream, r []Record) error {
	return errors.Join(f.handle, f.Handler.Handle(s, r))
}

func (f failing) Commit(ctx context.Context) error {
	return errors.Join(f.commit, f.Handler.Commit(ctx))
}
