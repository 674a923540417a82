package panes

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

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
			for range 20 {
				if ok, _ := b.CaughtUp(context.Background()); ok && second.Asks() {
					t.Fatal("caught up, though the zombie's panes are to be corrected")
				}
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

// A zombie says of a source how far it was, behind its successor, who says it
// again: it may be all that a later reader gets to know of the newest event.
func TestZombieTellsHowFarItWas(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a, b := w.start(w.options()), w.start(w.options())
		own := b.own(0, 2, nil)
		w.eventually("synced", own.synced.Load)
		own.count(auctions(5, 20, time.Minute))
		own.commit()
		own.Observe(own.NewestMs() + 60_000) // an event that changes no pane
		own.commit()
		w.settle([]*instance{a, b}, own)
		zombie := &owner{Partition: aggregator.NewPartition(testOptions())}
		zombie.SetEpoch(1)
		zombie.Observe(startMs)
		late := &Source{t: a.Topic, number: 0, epoch: 1, ctx: context.Background()}
		late.reconciled.Store(true)
		late.Publish(zombie.NewestMs(), zombie.Flush())
		if err := a.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.settle([]*instance{a, b}, own)
		u := aggregator.Upsert{Progress: true}
		v, err := aggregator.ValueVersion(w.last()[string(u.AppendKey(nil, 0))].value)
		if err != nil || v.Epoch != 2 {
			t.Errorf("the last to say how far the source is was %v, %v; want its owner, of epoch 2", v, err)
		}
	})
}

// A zombie's records are the last of their keys, nobody is there to correct
// them, and then it owns the partition again: what it holds is on the topic, and
// yet older than what all readers have.
func TestZombieOwnsAgain(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a, b := w.start(w.options()), w.start(w.options())
		first := a.own(0, 1, nil)
		w.eventually("synced", first.synced.Load)
		events := auctions(5, 300, 50*time.Minute)
		first.count(events[:200])
		first.commit()
		w.settle([]*instance{a, b}, first)

		second := b.own(0, 2, first.state)
		for i := 200; i < 250; i += 2 { // it has not come to the others yet
			second.count(events[i : i+1])
		}
		second.count(events[250:])
		w.eventually("synced", second.synced.Load)
		second.commit()
		w.settle([]*instance{a, b}, second)
		second.Close()

		zombie := a.own(0, 1, first.state)
		late := &Source{t: a.Topic, number: 0, epoch: 1, ctx: context.Background()}
		late.reconciled.Store(true)
		zombie.Source = late
		zombie.count(events[200:250])
		zombie.commit()
		if err := a.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}

		third := a.own(0, 3, zombie.state)
		w.eventually("synced", third.synced.Load)
		third.count(events[250:])
		third.commit()
		w.settle([]*instance{a, b}, third)
		want := alone(t, third)
		wantSame(t, "the zombie's instance", want, text(t, a.merged))
		wantSame(t, "the other one", want, text(t, b.merged))
		w.wantTopic("after the zombie", third)
	})
}

// A write that was given up and tried again may reach the topic late. The owner
// sees that its older record is the last of the key, and writes it again.
func TestOvertaken(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a := w.start(w.options())
		own := a.own(0, 1, nil)
		w.eventually("synced", own.synced.Load)
		events := auctions(23, 100, time.Minute)
		own.count(events[:50])
		own.commit()
		w.settle([]*instance{a}, own)
		old := a.own(7, 1, own.state) // only to have the records as they are
		old.Close()
		own.count(events[50:])
		own.commit()
		w.settle([]*instance{a}, own)
		before := own.Version()
		late := &Source{t: a.Topic, number: 0, epoch: 1, ctx: context.Background()}
		late.reconciled.Store(true)
		p := old.Partition
		p.Republish()
		records := p.Flush()
		for i := range records {
			records[i].Version = aggregator.Version{Epoch: 1, Sequence: before.Sequence - 1}
		}
		late.Publish(p.NewestMs(), records)
		if err := a.Flush(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.eventually("the owner asks for a commit", own.Asks)
		w.settle([]*instance{a}, own)
		wantSame(t, "numbers", alone(t, own), text(t, a.merged))
		w.wantTopic("after the late write", own)
		if !before.Less(own.Version()) {
			t.Error("nothing was published again")
		}
	})
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
