package panes

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// Every instance answers for all sources, those of other instances and those
// that were there before it started, from a compacted topic as well.
func TestAllInstancesHaveTheSame(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		a, b := w.start(w.options()), w.start(w.options())
		owners := []*owner{a.own(0, 1, nil), a.own(1, 1, nil), b.own(2, 1, nil)}
		events := auctions(1, 600, 5*time.Hour)
		for i := range events {
			owners[i%3].count(events[i : i+1])
			if i%40 == 0 {
				owners[i%3].commit()
				time.Sleep(time.Second)
			}
			if i == 300 {
				// The leaders move while the records flow.
				for p := range int32(4) {
					if err := w.cluster.MoveTopicPartition(topicName, p, p%2); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for _, o := range owners {
			o.commit()
		}
		w.settle([]*instance{a, b}, owners...)
		want := alone(t, owners...)
		wantSame(t, "instance a", want, text(t, a.merged))
		wantSame(t, "instance b", want, text(t, b.merged))
		w.wantTopic("as written", owners...)

		time.Sleep(2 * time.Hour) // the cleaner leaves what is new alone
		w.cluster.Compact()
		late := w.start(w.options())
		w.eventually("the late one is ready", late.Ready)
		w.settle([]*instance{late})
		wantSame(t, "an instance that starts late", want, text(t, late.merged))
		if read, all := late.Stats().Read.Load(), a.Stats().Read.Load(); read >= all {
			t.Errorf("the late instance read %d records, the first one %d: nothing was compacted", read, all)
		}
		for _, o := range owners {
			if v, ok := o.Published(); !ok || v != o.Version() {
				t.Errorf("source %d: published is %v, %v, want %v", o.number, v, ok, o.Version())
			}
		}
	})
}

// A zombie's records reach the topic after its successor's. Nobody is misled,
// whenever they start, and the topic is repaired.
func TestZombie(t *testing.T) {
	for seed := range uint64(6) {
		inBubble(t, 1, func(w *world) {
			a, b := w.start(w.options()), w.start(w.options())
			first := a.own(0, 1, nil)
			w.eventually("synced", first.synced.Load)
			events := auctions(seed, 400, 5*time.Hour)
			first.count(events[:200])
			first.commit()
			w.settle([]*instance{a, b}, first)

			second := b.own(0, 2, first.state)
			second.count(events[200:260])
			w.eventually("synced", second.synced.Load)
			second.commit()
			second.count(events[260:])
			second.commit()
			// The zombie's own instance hears of its successor too late: it is
			// taken off the topic, and its records are put there later.
			zombie := aggregator.NewPartition(testOptions())
			d := aggregator.NewDecoder(testOptions().Levels)
			for k, v := range first.state {
				if err := zombie.Restore(d, []byte(k), v); err != nil {
					t.Fatal(err)
				}
			}
			zombie.SetEpoch(1)
			z := &owner{Partition: zombie}
			z.count(events[200:min(200+50*seed, 400)])
			w.settle([]*instance{a, b}, second)
			late := &Source{t: a.Topic, number: 0, epoch: 1, ctx: context.Background()}
			late.reconciled.Store(true)
			late.Publish(zombie.NewestMs(), zombie.Flush())
			if err := a.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.settle([]*instance{a, b}, second)
			want := alone(t, second)
			for name, i := range map[string]*instance{"the zombie's": a, "its successor's": b} {
				wantSame(t, name, want, text(t, i.merged))
			}
			w.wantTopic("after the zombie", second)
			fresh := w.start(w.options())
			w.eventually("ready", fresh.Ready)
			w.settle([]*instance{fresh})
			wantSame(t, "a new one", want, text(t, fresh.merged))
			if !first.Fenced() {
				t.Error("the first owner has seen its successor and is not fenced")
			}
			first.count(events[:1])
			first.commit()
			if err := a.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			w.settle([]*instance{a, b}, second)
			wantSame(t, "after the fenced one's commit", want, text(t, b.merged))
		})
	}
}

// A new owner with nothing keeps what its predecessor published until it has
// caught up; then what it cannot account for is taken off the topic.
func TestLostDisk(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a := w.start(w.options())
		first := a.own(3, 1, nil)
		w.eventually("synced", first.synced.Load)
		events := auctions(7, 300, 3*time.Hour)
		first.count(events[:200])
		first.commit()
		w.settle([]*instance{a}, first)
		before := text(t, a.merged)

		caughtUp := false
		o := w.options()
		o.CaughtUp = func(int32) bool { return caughtUp }
		b := w.start(o)
		w.eventually("ready", b.Ready)
		second := b.own(3, 2, nil)
		w.eventually("synced", second.synced.Load)
		for i := 40; i < len(events); i += 20 { // the oldest records of the input are gone
			second.count(events[i : i+20])
			second.commit()
		}
		if err := b.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		wantSame(t, "while the new owner catches up", before, text(t, b.merged))
		if ok, _ := b.CaughtUp(context.Background()); ok {
			t.Error("caught up, though nothing of the new owner is published")
		}
		caughtUp = true
		w.settle([]*instance{a, b}, second)
		wantSame(t, "once it has caught up", alone(t, second), text(t, b.merged))
		w.wantTopic("once it has caught up", second)
	})
}

// After a crash between store and topic, the next owner publishes the rest.
func TestStoredAndNotPublished(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a := w.start(w.options())
		first := a.own(0, 1, nil)
		w.eventually("synced", first.synced.Load)
		events := auctions(9, 200, 2*time.Hour)
		first.count(events[:100])
		first.commit()
		first.hold = true
		first.count(events[100:])
		first.commit()
		w.settle([]*instance{a})
		first.Close()
		second := a.own(0, 2, first.state)
		w.settle([]*instance{a}, second)
		wantSame(t, "after the crash", alone(t, second), text(t, a.merged))
		w.wantTopic("after the crash", second)
		corrected := a.Stats().Corrected.Load()
		second.Close()
		third := a.own(0, 3, second.state)
		w.settle([]*instance{a}, third)
		if n := a.Stats().Corrected.Load(); n != corrected {
			t.Errorf("%d panes are published again though nothing was missing", n-corrected)
		}
	})
}

// While the brokers take nothing, cores go on and nothing is lost: what does
// not fit in the queue is found by comparing.
func TestBrokersDown(t *testing.T) {
	for _, queue := range []int{0, 10_000} {
		inBubble(t, 1, func(w *world) {
			o := w.options()
			o.QueueBytes = queue
			a := w.start(o)
			w.eventually("ready", a.Ready)
			own := a.own(0, 1, nil)
			w.eventually("synced", own.synced.Load)
			events := auctions(11, 300, 3*time.Hour)
			own.count(events[:100])
			own.commit()
			w.settle([]*instance{a}, own)
			published, _ := own.Published()

			down := w.refuseProduce()
			for i := 100; i < 300; i += 20 {
				own.count(events[i : i+20])
				own.commit()
				time.Sleep(time.Second)
			}
			if v, _ := own.Published(); published.Less(v) {
				t.Errorf("published up to %v while nothing could be written, had %v", v, published)
			}
			if n := a.queued.Load(); queue > 0 && n > int64(queue)+batchBytes {
				t.Errorf("%d bytes are queued, at most %d may", n, queue)
			}
			if n := w.log.count("panes wait to be written"); n != 1 {
				t.Errorf("%d lines say that panes wait, want 1", n)
			}
			down.Store(false)
			w.settle([]*instance{a}, own)
			wantSame(t, "after the brokers are back", alone(t, own), text(t, a.merged))
			w.wantTopic("after the brokers are back", own)
			if v, ok := own.Published(); !ok || v.Less(own.Version()) && queue == 0 {
				t.Errorf("published up to %v, %v, want %v", v, ok, own.Version())
			}
		})
	}
}

// A topic that keeps no panes for good is refused in one line.
func TestTopicNotCompacted(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		if err := w.cluster.CreateTopic(topicName, 2, map[string]string{"cleanup.policy": "delete"}); err != nil {
			t.Fatal(err)
		}
		i := w.start(w.options())
		err := <-i.result
		if !errors.Is(err, ErrNotCompacted) || !strings.Contains(err.Error(), topicName) || !strings.Contains(err.Error(), "cleanup.policy=delete") {
			t.Errorf("Run = %v, want ErrNotCompacted that names the topic and its policy", err)
		}
	})
}

// Records that cannot be read are counted, named once and passed over; their
// owner replaces those of its panes.
func TestUndecodable(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a := w.start(w.options())
		own := a.own(0, 1, nil)
		w.eventually("synced", own.synced.Load)
		own.count(auctions(13, 50, 10*time.Minute))
		own.commit()
		w.settle([]*instance{a}, own)
		before := text(t, a.merged)
		var paneKey []byte
		for k := range own.state {
			if paneKey = []byte(k); k[1] == 1 {
				break
			}
		}
		c := w.client()
		defer c.Close()
		lane := int32(0)
		d := aggregator.NewDecoder(testOptions().Levels)
		if k, err := d.Key(paneKey); err == nil {
			lane = aggregator.Home(k.Key.Experiment, len(a.lanes))
		}
		for _, r := range []*kgo.Record{
			{Key: []byte("hello"), Value: []byte("world")}, {Key: []byte{9, 1, 2}, Value: []byte{1}}, {Key: nil, Value: nil},
			{Key: []byte{9, 1, 2}, Value: []byte{2}},
			{Key: paneKey, Value: []byte{9, 9}}, {Key: paneKey, Value: []byte{1, 1}}, {Key: paneKey},
			{Key: aggregator.AppendPaneKey(nil, 0, aggregator.Key{Experiment: "x"}, aggregator.Pane{StartMs: 0, WidthMs: 7000}), Value: []byte{1}},
		} {
			r.Topic, r.Partition = topicName, lane
			if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		w.settle([]*instance{a}, own)
		wantSame(t, "numbers", before, text(t, a.merged))
		w.eventually("8 are counted", func() bool { return a.Stats().Undecodable.Load() == 8 })
		if n := w.log.count("a record is skipped"); n != 4 {
			t.Errorf("%d lines about them, want 4: format, malformed, no version, width", n)
		}
		w.settle([]*instance{a}, own)
		last := w.last()
		if got := last[string(paneKey)]; got == nil || string(got.value) != string(own.state[string(paneKey)]) {
			t.Errorf("the pane was not published again: %v", got)
		}
	})
}

// A topic that is deleted and made anew is filled again by the owners.
func TestTopicMadeAnew(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a := w.start(w.options())
		own := a.own(0, 1, nil)
		w.eventually("synced", own.synced.Load)
		events := auctions(17, 100, 20*time.Minute)
		own.count(events)
		own.commit()
		w.settle([]*instance{a}, own)
		c := w.client()
		defer c.Close()
		admin := kadm.NewClient(c)
		if _, err := admin.DeleteTopics(context.Background(), topicName); err != nil {
			t.Fatal(err)
		}
		if err := w.cluster.CreateTopic(topicName, 4, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		more := auctions(19, 30, 10*time.Minute)
		for _, e := range more {
			e.EventTimeMs += 20 * time.Minute.Milliseconds()
			own.count([]*event.Prediction{e})
			own.commit()
			time.Sleep(time.Second)
		}
		w.settle([]*instance{a}, own)
		wantSame(t, "numbers", alone(t, own), text(t, a.merged))
		w.wantTopic("made anew", own)
	})
}

// What waits is replaced by what is newer, in order, and debts are kept right.
func TestLane(t *testing.T) {
	topic := &Topic{}
	l := newLane(topic, 0)
	s, other := &Source{number: 1, epoch: 1}, &Source{number: 1, epoch: 2}
	put := func(source *Source, epoch, sequence uint64, key, value string) {
		w := &waiting{source: source, version: aggregator.Version{Epoch: epoch, Sequence: sequence}}
		w.message.Key = []byte(key)
		if value != "" {
			w.message.Value = []byte(value)
		}
		source.last = sequence
		l.put([]*waiting{w})
	}
	put(s, 1, 1, "fine", "f1")
	put(s, 1, 1, "other", "o1")
	put(s, 1, 2, "minute", "m2")
	put(s, 1, 2, "fine", "")
	put(s, 1, 3, "other", "o3")
	put(s, 1, 2, "other", "o2") // older than what waits
	put(s, 1, 4, "minute", "m4")
	if v, _ := s.Published(); v.Sequence != 0 {
		t.Errorf("published up to %v, want 0", v)
	}
	put(other, 2, 5, "minute", "m5")
	mark := l.mark()
	var got []string
	batch := l.take()
	for _, w := range batch {
		got = append(got, string(w.message.Key)+"="+string(w.message.Value))
	}
	if s := strings.Join(got, " "); s != "other=o3 minute=m5 fine=" {
		t.Errorf("the batch is %q", s)
	}
	if v, _ := other.Published(); v != (aggregator.Version{Epoch: 2, Sequence: 4}) {
		t.Errorf("of the new owner, published up to %v, want 2.4", v)
	}
	for _, w := range batch {
		w.source.paid(w.since)
	}
	l.left += uint64(len(batch))
	if !l.drained(mark) {
		t.Error("not drained after all is acknowledged")
	}
	if v, _ := s.Published(); v != (aggregator.Version{Epoch: 1, Sequence: 4}) || len(s.debts)+len(other.debts) != 0 {
		t.Errorf("published up to %v, debts %v and %v", v, s.debts, other.debts)
	}
	if len(l.byKey) != 0 {
		t.Errorf("%d keys are left", len(l.byKey))
	}
}
