//go:build kafka

package consumer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// The coordinator confirms a seat, and refuses those of others and of the past.
func TestKafkaCurrent(t *testing.T) {
	w := onKafka(t, 1)
	c := w.run(w.options())
	c.caughtUp()
	ctx := context.Background()
	w.mu.Lock()
	h := w.owner[0]
	w.mu.Unlock()
	for _, next := range [][event.NumStreams]int64{{-1, -1, -1}, {0, 7, 0}} {
		if err := h.Current(ctx, next); err != nil {
			t.Errorf("with offsets %d: %v", next, err)
		}
	}
	offsets, err := w.admin().FetchOffsets(ctx, w.prefix+"group")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := offsets.Lookup(w.topics[event.Impressions], 0); at.At != 7 {
		t.Errorf("group offset of impressions/0: got %d, want 7", at.At)
	}
	now := c.worker(0)
	seated := *now.seat.Load()
	for _, s := range []seat{{seated.member, seated.generation - 1}, {seated.member, seated.generation + 1}, {"somebody", seated.generation}} {
		for _, offsets := range []map[string][]kafka.OffsetCommit{nil, {w.topics[0]: {{Partition: 0, Offset: 1}}}} {
			if err := c.client.current(ctx, w.prefix+"group", s, offsets); !errors.Is(err, ErrFenced) {
				t.Errorf("%v, in place of %v, with %d offsets: got %v, want %v", s, seated, len(offsets), err, ErrFenced)
			}
		}
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

// What retention has deleted is skipped and counted; what is read again comes
// as it came first; a topic that is made anew is not taken for the one before.
func TestKafkaOffsets(t *testing.T) {
	w := onKafka(t, 1)
	topic := w.topics[event.Predictions]
	p := w.client(kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	for i := range 10 {
		w.produce(p, topic, 0, sequence("p", 100*i, 100*i+100)...)
	}
	deleted := kadm.Offsets{}
	deleted.Add(kadm.Offset{Topic: topic, Partition: 0, At: 250})
	if res, err := w.admin().DeleteRecords(context.Background(), deleted); err != nil || res.Error() != nil {
		t.Fatal(err, res.Error())
	}
	w.parts[0] = &recorder{next: [event.NumStreams]int64{120, 0, 0}}
	o := w.options()
	var ask func(ctx context.Context, a Assignment) error
	withAsking(&o, &ask)
	got := make(chan []string, 1)
	ask = func(ctx context.Context, a Assignment) error {
		values, err := again(ctx, a, 200, 399)
		got <- values
		return err
	}
	c := w.run(o)
	c.caughtUp()
	wantValues(t, "predictions", w.values(0, event.Predictions), sequence("p", 250, 1000))
	wantValues(t, "predictions read again", <-got, sequence("p", 250, 400))
	if got := c.Stats().RecordsLost[event.Predictions].Load(); got != 130 {
		t.Errorf("records lost: got %d, want 130", got)
	}
	admin := w.admin()
	if _, err := admin.DeleteTopic(context.Background(), topic); err != nil {
		t.Fatal(err)
	}
	eventually(t, "deleted", func() bool {
		known, err := admin.ListTopics(context.Background(), topic)
		return err == nil && known.Error() != nil
	})
	w.create(1, nil, topic)
	select {
	case err := <-c.result:
		if !errors.Is(err, ErrOffsetBeyondEnd) || !strings.Contains(err.Error(), "offset 1000 is to be read next, but the topic ends at 0") {
			t.Errorf("Run: got %v, want %v", err, ErrOffsetBeyondEnd)
		}
	case <-time.After(2 * time.Minute):
		t.Error("Run goes on with a topic that was made anew")
	}
}
