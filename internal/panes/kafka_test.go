//go:build kafka

package panes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// On a real broker whose cleaner runs all the time: two owners of one source,
// of which the first does not know that it is one no more, readers from the
// start and a late one, a broker that crashes in between.
func TestKafka(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	broker, err := kafkatest.StartReal(ctx, kafkatest.RealOptions{Properties: map[string]string{
		"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := broker.Stop(); err != nil {
			t.Error(err)
		}
	}()
	w := &world{t: t, brokers: broker.Brokers(), dial: func(*consumer.Options) {}}
	defer w.end()
	options := func() Options {
		o := w.options()
		o.Settings = map[string]string{
			"segment.ms": "500", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0",
			"max.compaction.lag.ms": "1000", "delete.retention.ms": "200",
		}
		return o
	}
	a, b := w.start(options()), w.start(options())
	first := a.own(0, 1, nil)
	other := b.own(1, 1, nil)
	w.eventually("synced", func() bool { return first.synced.Load() && other.synced.Load() })
	events := auctions(21, 900, 5*time.Hour)
	step := func(o *owner, from, to int) {
		for i := from; i < to; i += 10 {
			o.count(events[i:min(i+10, to)])
			o.commit()
			time.Sleep(30 * time.Millisecond)
		}
	}
	step(first, 0, 300)
	step(other, 300, 500)
	w.settle([]*instance{a, b}, first, other)

	// The broker crashes while commits go on.
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	step(first, 500, 560)
	if err := broker.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	w.settle([]*instance{a, b}, first, other)
	wantSame(t, "after a crash of the broker", alone(t, first, other), text(t, b.merged))

	// The second owner begins with what the first stored; the first goes on.
	second := b.own(0, 2, first.state)
	w.eventually("synced", second.synced.Load)
	step(second, 560, 700)
	zombie := &Source{t: a.Topic, number: 0, epoch: 1, ctx: context.Background()}
	zombie.reconciled.Store(true)
	first.Source.Close()
	first.Source = zombie
	for i := 560; i < 640; i += 10 {
		first.count(events[i : i+10])
		zombie.Publish(first.NewestMs(), first.Flush())
		time.Sleep(30 * time.Millisecond)
	}
	if err := a.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	step(second, 700, 900)
	w.settle([]*instance{a, b}, second, other)
	want := alone(t, second, other)
	wantSame(t, "the zombie's instance", want, text(t, a.merged))
	wantSame(t, "its successor's", want, text(t, b.merged))
	w.wantTopic("after the zombie", second, other)

	// Until the cleaner has been over it: a commit rolls the segments.
	read := func() int64 {
		late := w.start(options())
		w.eventually("a late instance is ready", late.Ready)
		w.settle([]*instance{late})
		wantSame(t, "a late instance", alone(t, second, other), text(t, late.merged))
		late.stop()
		return late.Stats().Read.Load()
	}
	all := a.Stats().Read.Load()
	var got int64
	w.eventually(fmt.Sprintf("fewer than half of %d records are left", all), func() bool {
		for _, o := range []*owner{second, other} {
			o.Republish()
			o.commit()
		}
		time.Sleep(700 * time.Millisecond)
		w.settle([]*instance{a, b}, second, other)
		got = read()
		return got < all/2
	})
	t.Logf("a late instance read %d records of %d and more", got, all)
}
