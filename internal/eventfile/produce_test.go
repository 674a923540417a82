package eventfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// broker starts an embedded one.
func broker(t *testing.T, extra ...kfake.Opt) []string {
	t.Helper()
	b, err := kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{Extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b.Brokers()
}

func options(dir string, brokers []string) (ProduceOptions, *bytes.Buffer) {
	var log bytes.Buffer
	c := config.Default()
	c.Kafka.Brokers = brokers
	return ProduceOptions{
		Dir: dir, Kafka: c.Kafka, Topics: c.Topics, Partitions: 3,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, &log
}

// consume reads n records of the topics from their beginning.
func consume(t *testing.T, brokers []string, n int, topics ...string) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("got %d of %d records: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func TestProduce(t *testing.T) {
	dir := t.TempDir()
	const auctions = 500
	var predictions, impressions []proto.Message
	for i := range auctions {
		id := fmt.Sprintf("auction-%d", i)
		at := int64(1_574_553_663_979 + i)
		predictions = append(predictions, auction(id, at))
		impressions = append(impressions, &eventpb.Impression{ImpressionId: id + "-i", AuctionId: id, ItemId: 1, EventTimeMs: at + 200})
	}
	future := time.Now().Add(100 * time.Hour).UnixMilli()
	predictions = append(predictions, auction("from the future", future))
	write(t, dir, "predictions.ndjson.gz", append(encode(t, ".ndjson", predictions...), "broken\n"...))
	write(t, dir, "impressions.pb.zst", encode(t, ".pb", impressions...))

	brokers := broker(t)
	o, log := options(dir, brokers)
	var last Progress
	o.Progress = func(p Progress) { last = p }
	counts, err := Produce(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := Counts{
		Records:     [event.NumStreams]int64{auctions + 2, auctions, 0},
		Undecodable: [event.NumStreams]int64{1, 0, 0},
		Bytes:       counts.Bytes,
	}
	if counts != want || counts.Bytes < auctions*40 || last.Counts != counts || last.Read != last.Size || last.Size == 0 {
		t.Errorf("got %+v, want %+v; last progress %+v", counts, want, last)
	}
	if !strings.Contains(log.String(), "created topics") {
		t.Errorf("log: %s", log)
	}

	partitions := map[string]int32{}
	for _, r := range consume(t, brokers, auctions*2+2, "predictions", "impressions") {
		key := string(r.Key)
		if p, seen := partitions[key]; seen && p != r.Partition {
			t.Errorf("%s: in partitions %d and %d", key, p, r.Partition)
		}
		partitions[key] = r.Partition
		switch key {
		case undecodableKey:
			if string(r.Value) != "broken" {
				t.Errorf("the broken record became %q", r.Value)
			}
		case "from the future":
			if r.Timestamp.After(time.Now()) {
				t.Errorf("timestamp %v lies ahead of the broker's clock", r.Timestamp)
			}
		default:
			d := event.NewDecoder(event.Options{})
			var at int64
			if r.Topic == "predictions" {
				p, reason := d.DecodePrediction(event.Protobuf, r.Value, farFuture)
				if reason != event.ReasonNone {
					t.Fatalf("%s: %v", key, reason)
				}
				at = p.EventTimeMs
			} else {
				i, reason := d.DecodeImpression(event.Protobuf, r.Value, farFuture)
				if reason != event.ReasonNone {
					t.Fatalf("%s: %v", key, reason)
				}
				at = i.EventTimeMs
			}
			if r.Timestamp.UnixMilli() != at {
				t.Errorf("%s: timestamp %d, want the event time %d", key, r.Timestamp.UnixMilli(), at)
			}
		}
	}
	used := map[int32]bool{}
	for _, p := range partitions {
		used[p] = true
	}
	if len(used) != 3 {
		t.Errorf("%d partitions hold records, want the 3 asked for", len(used))
	}
}

func TestProduceIntoExistingTopics(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "conversions.ndjson", encode(t, ".ndjson", sample.conversions...))

	brokers := broker(t, kfake.SeedTopics(5, "predictions"), kfake.SeedTopics(4, "impressions"))
	o, _ := options(dir, brokers)
	want := "topic impressions: has 4 partitions, predictions has 5: the three topics need the same number"
	if _, err := Produce(t.Context(), o); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	o.Topics.Impressions.Name = "impressions-2"
	if _, err := Produce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	// conversions was created with as many partitions as predictions has: 5.
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "conversions", Partition: 4}).FirstErr(); err != nil {
		t.Errorf("partition 4 of conversions: %v", err)
	}
}

func TestProduceWithoutBroker(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "conversions.ndjson", encode(t, ".ndjson", sample.conversions...))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o, log := options(dir, []string{address})
	o.Connect = 300 * time.Millisecond
	_, err = Produce(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), address+": no broker answers within 300ms") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "waiting for a broker") {
		t.Errorf("log: %s", log)
	}
}

func TestProduceCancelled(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "predictions.ndjson", encode(t, ".ndjson", auction("a", 1000), auction("b", 1000+3_600_000)))
	o, _ := options(dir, broker(t))
	o.Speed = 1
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(p Progress) {
		if p.Counts.Total() == 1 {
			cancel() // while the second record waits for its hour
		}
	}
	counts, err := Produce(ctx, o)
	if !errors.Is(err, context.Canceled) || counts.Total() != 1 {
		t.Errorf("got %+v, %v", counts, err)
	}
}

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pacer{speed: 2}
		start := time.Now()
		for _, step := range []struct {
			timeMs int64
			want   time.Duration // since the start
		}{{10_000, 0}, {14_000, 2 * time.Second}, {12_000, 2 * time.Second}, {0, 2 * time.Second}, {20_000, 5 * time.Second}} {
			if err := p.wait(t.Context(), step.timeMs); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != step.want {
				t.Errorf("event time %d: returned after %v, want %v", step.timeMs, got, step.want)
			}
		}
	})
}
