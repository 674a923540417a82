//go:build kafka

package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// realBroker is the Apache Kafka that all tests of this tag share. A test that
// ends it starts it again.
var realBroker *kafkatest.Real

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	var err error
	realBroker, err = kafkatest.StartReal(ctx, kafkatest.RealOptions{SASL: true, TLS: true, Properties: map[string]string{
		// The controller refuses a broker that was killed until its old session is over.
		"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500",
	}})
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := realBroker.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// kafkaWorld is a world on realBroker, with topics and a group of its own.
type kafkaWorld struct {
	*world
	topics [event.NumStreams]string
	prefix string
}

// onKafka makes a world; partitions 0 leaves the topics to be created.
func onKafka(t *testing.T, partitions int32) *kafkaWorld {
	t.Helper()
	w := &kafkaWorld{
		world:  &world{t: t, parts: make(map[int32]*recorder), open: make(map[int32]int), owner: make(map[int32]*recording)},
		prefix: fmt.Sprintf("t%d.", time.Now().UnixNano()),
	}
	for i, name := range topicNames {
		w.topics[i] = w.prefix + name
	}
	if partitions > 0 {
		w.create(partitions, nil, w.topics[:]...)
	}
	t.Cleanup(func() {
		for _, stop := range w.stops {
			stop()
		}
		if t.Failed() {
			w.log.mu.Lock()
			defer w.log.mu.Unlock()
			t.Logf("log:\n%s", w.log.b.String())
		}
	})
	return w
}

// client is a franz-go client that ends with the test.
func (w *kafkaWorld) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(realBroker.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics(),
	}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *kafkaWorld) admin() *kadm.Client { return kadm.NewClient(w.client()) }

func (w *kafkaWorld) create(partitions int32, configs map[string]*string, topics ...string) {
	w.t.Helper()
	admin := w.admin()
	res, err := admin.CreateTopics(context.Background(), partitions, 1, configs, topics...)
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	// The broker answers before its own metadata has the topics.
	eventually(w.t, "created", func() bool {
		known, err := admin.ListTopics(context.Background(), topics...)
		return err == nil && known.Error() == nil
	})
}

func (w *kafkaWorld) options() Options {
	o := w.world.options()
	o.Dial = nil
	o.Brokers = realBroker.Brokers()
	o.Topics = w.topics
	o.Group = w.prefix + "group"
	o.DeadLetterTopic = w.prefix + "dead"
	o.Logger = slog.New(slog.NewTextHandler(&w.log, nil))
	return o
}

// fetchAll reads a partition from its start to the end that it has now, with
// franz-go: the oracle of what a reader gets.
func (w *kafkaWorld) fetchAll(topic string, partition int32) []*kgo.Record {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends, err := w.admin().ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, partition)
	c := w.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}))
	var all []*kgo.Record
	for next := int64(0); next < end.Offset; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
		})
	}
	return all
}

// eventually waits against real processes until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within a minute: not %s", what)
		}
	}
}

func TestKafkaAllCodecs(t *testing.T) {
	w := onKafka(t, 2)
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		p := w.client(kgo.ProducerBatchCompression(codec))
		w.produce(p, w.topics[event.Predictions], 0, sequence("p", 1000*i, 1000*i+1000)...)
		w.produce(p, w.topics[event.Impressions], 1, sequence("i", 1000*i, 1000*i+1000)...)
	}
	w.produce(w.client(), w.topics[event.Conversions], 0, "good", "bad")
	c := w.run(w.options())
	c.caughtUp()
	wantValues(t, "predictions/0", w.values(0, event.Predictions), sequence("p", 0, 5000))
	wantValues(t, "impressions/1", w.values(1, event.Impressions), sequence("i", 0, 5000))
	if err := c.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	// The topic of the dead letters did not exist before.
	wantValues(t, "dead letters", valuesOf(w.fetchAll(w.prefix+"dead", 0)), []string{"bad"})
	offsets, err := w.admin().FetchOffsets(context.Background(), w.prefix+"group")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := offsets.Lookup(w.topics[event.Predictions], 0); at.At != 5000 {
		t.Errorf("group offset of predictions/0: got %d, want 5000", at.At)
	}
}

func TestKafkaTransactions(t *testing.T) {
	w := onKafka(t, 1)
	tx, plain := w.client(kgo.TransactionalID(w.prefix+"tx")), w.client()
	topic := w.topics[event.Predictions]
	var want []string
	for i := range 20 {
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		values := sequence(fmt.Sprintf("t%d-", i), 0, 5)
		w.produce(tx, topic, 0, values...)
		w.produce(plain, topic, 0, fmt.Sprint("plain", i))
		if i%2 == 0 {
			want = append(want, values...)
		}
		want = append(want, fmt.Sprint("plain", i))
		if err := tx.EndTransaction(context.Background(), kgo.TransactionEndTry(i%2 == 0)); err != nil {
			t.Fatal(err)
		}
	}
	// One more is still open when the consumer has caught up.
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	w.produce(tx, topic, 0, "open")
	c := w.run(w.options())
	// The broker answers the end of a transaction before its marker is there.
	markers := func(n uint64) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d markers read", n), func() bool { return c.Stats().ControlBatches.Load() >= n })
		c.caughtUp()
	}
	markers(20)
	wantValues(t, "one open", w.values(0, event.Predictions), want)
	if got := c.Stats().AbortedBatches.Load(); got != 10 {
		t.Errorf("aborted batches: got %d, want 10", got)
	}
	if err := tx.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	markers(21)
	wantValues(t, "none open", w.values(0, event.Predictions), append(want, "open"))
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}
