//go:build kafka && unix

package e2e

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/eventfile"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// TestBrokerKilledInMidRun kills Apache Kafka while the log is produced and
// read, and starts it again: the answer is that of an undisturbed run, byte
// for byte, and every number of expected.json agrees.
func TestBrokerKilledInMidRun(t *testing.T) {
	ctx, broker := startKafka(t, kafkatest.RealOptions{Properties: map[string]string{
		// The controller refuses a broker that was killed until its old session is over.
		"broker.session.timeout.ms": "2000", "broker.heartbeat.interval.ms": "500",
	}})
	l := logs(t)[0]
	want := l.expected(t)
	path := summaryPath(want.Experiment, "slot")

	cfg := configOnKafka(t, broker, "calm")
	produceFiles(t, cfg, l.dir)
	s := startService(t, cfg, nil)
	s.caughtUp()
	calm := s.get(path)

	cfg = configOnKafka(t, broker, "killed")
	// A week in about five seconds, so that the broker dies in the middle.
	produced := make(chan error, 1)
	go func() {
		_, err := eventfile.Produce(ctx, eventfile.ProduceOptions{
			Dir: l.dir, Kafka: cfg.Kafka, Topics: cfg.Topics, Partitions: servicePartitions, Speed: 120_000,
			Logger: slog.New(slog.DiscardHandler),
		})
		produced <- err
	}()
	s = startService(t, cfg, nil)
	known := func() bool { return bytes.Contains(s.get("/api/v1/experiments"), []byte(want.Experiment)) }
	for consumed(t, s) < want.Auctions/4 || !known() {
		if ctx.Err() != nil {
			t.Fatal("too few records read before the broker was to be killed")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	before := consumed(t, s)
	if before >= want.Auctions {
		t.Fatalf("all %d auctions were read before the broker was killed", before)
	}
	// What has been read is still told while the broker is away.
	if body := s.get(path); len(body) == 0 {
		t.Error("no summary while the broker is away")
	}
	if err := broker.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	checkOnce(t, cfg, s.caughtUp())
	got := s.get(path)
	if !bytes.Equal(got, calm) {
		t.Error(worlds.FirstDifference(string(got), string(calm)))
	}
	for _, d := range compareExpected(parseSummary(t, got), want) {
		t.Error(d)
	}
}

// configOnKafka names topics and a group by a prefix of their own.
func configOnKafka(t *testing.T, broker *kafkatest.Real, prefix string) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.State.Dir = t.TempDir()
	setFormat(&cfg, event.Protobuf)
	cfg.Kafka.Brokers, cfg.Kafka.Group = broker.Brokers(), prefix
	for _, name := range []*string{
		&cfg.Topics.Predictions.Name, &cfg.Topics.Impressions.Name, &cfg.Topics.Conversions.Name, &cfg.Topics.DeadLetters.Name, &cfg.Topics.Panes.Name, &cfg.Topics.Alerts.Name,
	} {
		*name = prefix + "." + *name
	}
	cfg.Aggregation.Slices = [][]string{{"slot"}, {"campaign"}}
	cfg.Aggregation.CommitInterval = 100 * time.Millisecond
	cfg.Web.Listen = "127.0.0.1:0"
	return cfg
}

// checkOnce holds the counts against the topics: every offset was handed in
// once. The producer may have written a batch twice, as the broker forgets
// with the crash what it has of a producer whose timestamps are a day old.
func checkOnce(t *testing.T, cfg config.Config, st status) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Kafka.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for s := range event.NumStreams {
		ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), cfg.Topics.Input(s).Name)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
		var total int64
		ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
		if r := st.Records[s.String()]; r.Consumed != total || r.Dead+r.Unmatched != 0 {
			t.Errorf("%s: got %+v, want the %d records of the topic consumed and none dead or unmatched", s, r, total)
		}
	}
}

// consumed is the number of predictions read, as the status says it; the rest
// of the status needs the broker.
func consumed(t *testing.T, s server) int64 {
	t.Helper()
	code, body, err := s.try("/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	if code != http.StatusOK {
		return 0
	}
	var st status
	if err := json.Unmarshal(body, &st); err != nil {
		t.Fatalf("status: %v: %s", err, body)
	}
	return st.Records["predictions"].Consumed
}
