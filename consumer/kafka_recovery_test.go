//go:build kafka

package consumer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
)

func (w *kafkaWorld) restart() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := realBroker.Restart(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// handed counts the records that a partition of a stream was handed.
func (w *kafkaWorld) handed(p int32, s event.Stream) int { return len(w.values(p, s)) }

// The broker is killed while records are produced and read, and comes back.
// The handler refuses an offset that it has had, so Run would return an error.
func TestKafkaBrokerKilled(t *testing.T) {
	const partitions, perPartition = 4, 6000
	w := onKafka(t, partitions)
	p := w.client(kgo.RecordRetries(1<<20), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	o := w.options()
	// The member that joins again waits until the group gives its former self up.
	o.SessionTimeout = 6 * time.Second
	c := w.run(o)
	var acked sync.WaitGroup
	var failed error
	send := func(from, to int) {
		for i := from; i < to; i++ {
			for part := range int32(partitions) {
				acked.Add(1)
				r := &kgo.Record{Topic: w.topics[event.Predictions], Partition: part, Value: fmt.Appendf(nil, "p%d", i)}
				p.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
					if err != nil {
						failed = err // callbacks come one after the other
					}
					acked.Done()
				})
			}
		}
	}
	send(0, perPartition/3)
	eventually(t, "some records handed in", func() bool { return w.handed(partitions-1, event.Predictions) > 100 })
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		send(perPartition/3, perPartition)
	}()
	if err := realBroker.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a warning", func() bool { return w.log.count("level=WARN") > 0 })
	w.restart()
	<-sent
	acked.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
	c.caughtUp()
	for part := range int32(partitions) {
		wantValues(t, fmt.Sprintf("predictions/%d", part), w.values(part, event.Predictions), sequence("p", 0, perPartition))
		// Others might have been quicker to come back: the handler begins anew, once.
		if got := w.parts[part].closed; got > 1 {
			t.Errorf("partition %d: the handler was closed %d times, want at most once", part, got)
		}
	}
	if got := w.log.count("level=WARN"); got > 7 {
		t.Errorf("warnings for one outage: got %d, want 7 at most", got)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

// A compacted topic has gaps between offsets, within batches and between them.
func TestKafkaCompactionGaps(t *testing.T) {
	w := onKafka(t, 0)
	set := func(v string) *string { return &v }
	w.create(1, map[string]*string{
		"cleanup.policy": set("compact"), "segment.ms": set("1000"), "min.cleanable.dirty.ratio": set("0.0"), "min.compaction.lag.ms": set("0"),
	}, w.topics[event.Predictions])
	w.create(1, nil, w.topics[event.Impressions], w.topics[event.Conversions])
	p := w.client()
	const batches, keys = 40, 10
	start := time.Now().Add(-time.Hour)
	for b := range batches {
		var records []*kgo.Record
		for k := range keys {
			// Each batch replaces the keys of the one before but for the last,
			// which stays.
			key := fmt.Sprintf("key %d", k)
			if k == keys-1 {
				key = fmt.Sprintf("once %d", b)
			}
			// A segment ends by the records' times, so no time needs to pass.
			records = append(records, &kgo.Record{Topic: w.topics[event.Predictions], Key: []byte(key),
				Value: fmt.Appendf(nil, "b%d k%d", b, k), Timestamp: start.Add(time.Duration(b) * 2 * time.Second)})
		}
		if err := p.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var left []*kgo.Record
	eventually(t, "compacted", func() bool {
		left = w.fetchAll(w.topics[event.Predictions], 0)
		return len(left) < batches*keys/3
	})
	c := w.run(w.options())
	c.caughtUp()
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	// The cleaner may have gone on before and after the consumer read.
	got := w.values(0, event.Predictions)
	before, after := valuesOf(left), valuesOf(w.fetchAll(w.topics[event.Predictions], 0))
	wantValues(t, "those of the values before", among(before, got), got)
	wantValues(t, "those of the values after", among(got, after), after)
	if got := c.Stats().CorruptBatches.Load(); got != 0 {
		t.Errorf("corrupt batches: got %d, want none", got)
	}
}

func valuesOf(records []*kgo.Record) []string {
	var values []string
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

// among lists the values that are in set.
func among(values, set []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !slices.Contains(set, v) })
}

// The second of two members of a group leaves, and the first takes over.
func TestKafkaTwoConsumers(t *testing.T) {
	w := onKafka(t, 4)
	p := w.client()
	produced := 0
	more := func() {
		for part := range int32(4) {
			for _, topic := range w.topics {
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
	share := func(c *running, n int) (got []int32) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d partitions assigned", n), func() bool {
			got = c.Assigned()
			return len(got) == n
		})
		return got
	}
	more()
	a := w.run(w.options())
	a.caughtUp()
	share(a, 4)
	b := w.run(w.options())
	kept, given := share(a, 2), share(b, 2)
	both := append(slices.Clone(kept), given...)
	if slices.Sort(both); !slices.Equal(both, []int32{0, 1, 2, 3}) {
		t.Errorf("assigned: %v stayed, %v went", kept, given)
	}
	more()
	a.caughtUp() // each of them speaks for the whole group
	b.caughtUp()
	check("two members")
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	share(a, 4)
	more()
	a.caughtUp()
	check("one left")
	for _, part := range kept {
		if got := w.parts[part].closed; got != 0 {
			t.Errorf("partition %d stayed, but its handler was closed", part)
		}
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
}
