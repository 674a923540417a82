package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/app"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/eventfile"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// patience bounds waits for real sockets; nothing waits that long when it works.
const patience = 2 * time.Minute

const servicePartitions = 3

// startBroker starts an embedded broker with the topics of a configuration,
// and returns the configuration.
func startBroker(t testing.TB, f event.Format) config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.State.Dir = t.TempDir()
	setFormat(&cfg, f)
	cfg.Web.Listen = "127.0.0.1:0"
	cfg.Aggregation.CommitInterval = 100 * time.Millisecond
	var topics []string
	for s := range event.NumStreams {
		topics = append(topics, cfg.Topics.Input(s).Name)
	}
	b, err := kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{
		Topics: append(topics, cfg.Topics.DeadLetters.Name), Partitions: servicePartitions,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	cfg.Kafka.Brokers = b.Brokers()
	return cfg
}

func setFormat(cfg *config.Config, f event.Format) {
	cfg.Topics.Predictions.Format, cfg.Topics.Impressions.Format, cfg.Topics.Conversions.Format = f, f, f
}

// startService runs the whole service in this process until the test ends.
func startService(t testing.TB, cfg config.Config, now func() time.Time) server {
	t.Helper()
	s, stop := runService(t, cfg, now)
	t.Cleanup(stop)
	return s
}

// runService runs the whole service in this process until it is stopped.
func runService(t testing.TB, cfg config.Config, now func() time.Time) (s server, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan *app.Service, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- app.Run(ctx, app.Options{
			Config: cfg, EachDimension: true, Now: now,
			Logger:  slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			Started: func(s *app.Service) { started <- s },
		})
	}()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the service ended with %v", err)
		}
	}
	select {
	case s := <-started:
		return server{t, s.Addr, s.Merged}, stop
	case err := <-ended:
		cancel()
		t.Fatalf("the service did not start: %v", err)
		return server{}, nil
	}
}

// server is a running service, asked over HTTP.
type server struct {
	t      testing.TB
	addr   string
	merged *aggregator.Merged // nil: it is known by its address alone
}

// get returns the body of an answer, which must be good.
func (s server) get(path string) []byte {
	s.t.Helper()
	status, body, err := s.try(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if status != http.StatusOK {
		s.t.Fatalf("GET %s: %d: %s", path, status, body)
	}
	return body
}

func (s server) try(path string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+path, nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// streamStatus is what /api/v1/status says of one stream.
type streamStatus struct {
	Consumed, Duplicate, Dead, Unmatched, Late int64
	DeadBy                                     map[string]int64 `json:"dead_by"`
}

type status struct {
	CaughtUp   bool  `json:"caught_up"`
	LagRecords int64 `json:"lag_records"`
	Records    map[string]streamStatus
	Budgets    struct {
		JoinMemoryBytes int64 `json:"join_memory_bytes"`
		StateDiskBytes  int64 `json:"state_disk_bytes"`
		OverDisk        bool  `json:"over_disk"`
	}
}

func (s server) status() (st status, err error) {
	s.t.Helper()
	code, body, err := s.try("/api/v1/status")
	switch {
	case err != nil:
		return st, err
	case code != http.StatusOK:
		return st, fmt.Errorf("status: %d: %s", code, body)
	}
	if err := json.Unmarshal(body, &st); err != nil {
		s.t.Fatalf("status: %v: %s", err, body)
	}
	return st, nil
}

// caughtUp waits until everything on the topics is in the numbers.
func (s server) caughtUp() status {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		st, err := s.status()
		if err == nil && st.CaughtUp {
			return st
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not caught up within %s: %v: %+v", patience, err, st)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// summaryPath asks for an experiment by one dimension.
func summaryPath(experiment, slice string) string {
	return fmt.Sprintf("/api/v1/experiments/%s/summary?slice=%s", url.PathEscape(experiment), url.QueryEscape(slice))
}

// parseSummary brings an answer into the form that tests compare.
func parseSummary(t testing.TB, body []byte) worlds.Summary {
	t.Helper()
	var answer struct {
		FromMs int64 `json:"from_ms"`
		ToMs   int64 `json:"to_ms"`
		Arms   map[string]struct {
			RampPercents []float64 `json:"ramp_percents"`
			aggregator.Reading
			Slices []struct {
				Labels map[string]string `json:"labels"`
				aggregator.Reading
			} `json:"slices"`
		} `json:"arms"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("summary: %v: %s", err, body)
	}
	out := worlds.Summary{FromMs: answer.FromMs, ToMs: answer.ToMs}
	for _, name := range slices.Sorted(maps.Keys(answer.Arms)) {
		a := answer.Arms[name]
		arm := worlds.Arm{Arm: name, RampPercents: a.RampPercents, Total: a.Reading}
		for _, row := range a.Slices {
			r := worlds.Row{Row: row.Reading}
			for _, k := range slices.Sorted(maps.Keys(row.Labels)) {
				r.Labels = append(r.Labels, aggregator.Label{Name: k, Value: row.Labels[k]})
			}
			arm.Slices = append(arm.Slices, r)
		}
		out.Arms = append(out.Arms, arm)
	}
	return out
}

// produceFiles does what the produce command does.
func produceFiles(t testing.TB, cfg config.Config, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := eventfile.Produce(ctx, eventfile.ProduceOptions{
		Dir: dir, Kafka: cfg.Kafka, Topics: cfg.Topics, Partitions: servicePartitions, KeptForever: true,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}); err != nil {
		t.Fatal(err)
	}
}

// produced is where a record ended up.
type produced struct {
	stream    event.Stream
	partition int32
	offset    int64
}

// produceRecords puts records on the topics in the order that they have. The
// empty key goes to partition 0.
func produceRecords(t testing.TB, cfg config.Config, records []record) []produced {
	t.Helper()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cfg.Kafka.Brokers...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedRecords(len(records)+1),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := pipeline{partitions: servicePartitions}
	sent := make([]*kgo.Record, len(records))
	failed := make([]error, len(records))
	for i, r := range records {
		in := cfg.Topics.Input(r.stream)
		sent[i] = &kgo.Record{
			Topic: in.Name, Key: []byte(r.key), Value: r.value[in.Format], Timestamp: time.UnixMilli(r.timeMs),
			Partition: int32(p.partitionOf(r.key)),
		}
		client.Produce(ctx, sent[i], func(_ *kgo.Record, err error) { failed[i] = err })
	}
	if err := client.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	out := make([]produced, len(records))
	for i, r := range sent {
		if failed[i] != nil {
			t.Fatal(failed[i])
		}
		out[i] = produced{records[i].stream, r.Partition, r.Offset}
	}
	return out
}
