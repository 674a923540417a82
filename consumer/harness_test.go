package consumer

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// world is an embedded cluster on a virtual network, with the state that all
// consumers of a test share: what was handed in, by partition.
type world struct {
	t       *testing.T
	net     kfake.VirtualNetwork
	cluster *kafkatest.Embedded
	log     syncBuffer
	stops   []func() // cancel every Run

	mu    sync.Mutex
	parts map[int32]*recorder
	open  map[int32]int        // handlers open now, by partition
	owner map[int32]*recording // the handler opened last, by partition
}

// recorder is the durable part of a partition's state.
type recorder struct {
	records [event.NumStreams][]Record // handed in, in this order
	order   []string                   // "stream:value" of each record, across the streams
	next    [event.NumStreams]int64
	opened  []int32 // the generations in which it was
	commits int
	closed  int
	stale   int // commits refused, of handlers that another has followed

	durable *recorderState // as of the last commit; nil: never opened
}

// recorderState is as much of a recorder as a handler that is opened finds.
type recorderState struct {
	records [event.NumStreams]int
	order   int
	next    [event.NumStreams]int64
}

func (r *recorder) commit() {
	r.durable = &recorderState{order: len(r.order), next: r.next}
	for s := range r.records {
		r.durable.records[s] = len(r.records[s])
	}
}

// rollBack forgets what was not committed.
func (r *recorder) rollBack() {
	if r.durable == nil {
		r.commit()
	}
	d := r.durable
	r.order, r.next = r.order[:d.order], d.next
	for s := range r.records {
		r.records[s] = r.records[s][:d.records[s]]
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Count(s.b.Bytes(), []byte(text))
}

var topicNames = []string{"predictions", "impressions", "conversions"}

// inBubble runs f on a virtual clock with a cluster of that many brokers.
func inBubble(t *testing.T, brokers int, partitions int32, f func(w *world), extra ...kfake.Opt) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, parts: make(map[int32]*recorder), open: make(map[int32]int), owner: make(map[int32]*recording)}
		w.start(brokers, partitions, extra...)
		defer func() {
			for _, stop := range w.stops {
				stop()
			}
			w.cluster.Stop()
		}()
		f(w)
		if t.Failed() {
			t.Logf("log:\n%s", w.log.b.String())
		}
	})
}

func (w *world) start(brokers int, partitions int32, extra ...kfake.Opt) {
	ports := make([]int, brokers)
	for i := range ports {
		ports[i] = 9092 + i
	}
	opts := append([]kfake.Opt{kfake.ListenFn(w.net.Listen), kfake.Ports(ports...)}, extra...)
	var names []string
	if partitions > 0 {
		names = topicNames
	}
	var err error
	w.cluster, err = kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{Brokers: brokers, Topics: names, Partitions: partitions, Extra: opts})
	if err != nil {
		w.t.Fatal(err)
	}
}

// options are those of a consumer in this world.
func (w *world) options() Options {
	o := DefaultOptions()
	o.Brokers = []string{"127.0.0.1:9092"}
	o.Dial = w.net.DialContext
	o.Logger = slog.New(slog.NewTextHandler(&w.log, nil))
	o.NewHandler = func(_ context.Context, a Assignment) (Handler, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		p := a.Partition
		r := w.parts[p]
		if r == nil {
			r = &recorder{next: [event.NumStreams]int64{Earliest, Earliest, Earliest}}
			w.parts[p] = r
		}
		r.rollBack()
		r.opened = append(r.opened, a.Generation)
		// The last owner may still be closing its handler, but uses it no more.
		w.open[p]++
		w.owner[p] = &recording{Assignment: a, world: w, recorder: r}
		return w.owner[p], nil
	}
	return o
}

// recording is a Handler that keeps what it gets.
type recording struct {
	Assignment
	world    *world
	recorder *recorder
}

func (h *recording) Offsets() [event.NumStreams]int64 { return h.recorder.next }

// EventTimeMs reads values of the form "time,…".
func (h *recording) EventTimeMs(_ event.Stream, value []byte) (int64, bool) {
	var ms int64
	n, _ := fmt.Sscanf(string(value), "%d,", &ms)
	return ms, n == 1
}

func (h *recording) Handle(s event.Stream, records []Record) error {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	if h.world.owner[h.Partition] != h {
		return fmt.Errorf("partition %d: handed to a handler that another has followed", h.Partition)
	}
	for _, r := range records {
		if r.Offset < h.recorder.next[s] {
			return fmt.Errorf("%s: offset %d again, next is %d", s, r.Offset, h.recorder.next[s])
		}
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		h.recorder.records[s] = append(h.recorder.records[s], r)
		h.recorder.order = append(h.recorder.order, fmt.Sprintf("%s:%s", s, r.Value))
		h.recorder.next[s] = r.Offset + 1
		if string(r.Value) == "bad" {
			h.Letters.Send(DeadLetter{Stream: s, Offset: r.Offset, LastOffset: r.Offset, Reason: event.ReasonMalformed, Detail: "field 3", Key: r.Key, Value: r.Value})
		}
	}
	return nil
}

func (h *recording) Advance(s event.Stream, next int64) {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	if h.world.owner[h.Partition] == h {
		h.recorder.next[s] = next
	}
}

func (h *recording) Commit(context.Context) error {
	h.world.mu.Lock()
	defer h.world.mu.Unlock()
	if h.world.owner[h.Partition] != h {
		h.recorder.stale++
		return fmt.Errorf("partition %d: commit of a handler that another has followed: %w", h.Partition, ErrFenced)
	}
	h.recorder.commits++
	h.recorder.commit()
	return nil
}

func (h *recording) Unfinished() bool { return false }

func (h *recording) Close() error {
	h.world.mu.Lock()
	h.recorder.closed++
	h.world.open[h.Partition]--
	h.world.mu.Unlock()
	return nil
}

// running is a consumer whose Run is under way.
type running struct {
	*Consumer
	t      *testing.T
	cancel context.CancelFunc
	result chan error
}

func (w *world) run(o Options) *running {
	w.t.Helper()
	c, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Consumer: c, t: w.t, cancel: cancel, result: make(chan error, 1)}
	w.stops = append(w.stops, cancel)
	go func() { r.result <- c.Run(ctx) }()
	return r
}

// stop ends Run and returns its error.
func (r *running) stop() error {
	r.cancel()
	return <-r.result
}

// caughtUp waits on the virtual clock until the consumer has caught up.
func (r *running) caughtUp() {
	r.t.Helper()
	var lag int64
	var err error
	for range 1200 {
		var ok bool
		if ok, lag, err = r.CaughtUp(context.Background()); ok {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.t.Fatalf("not caught up after a minute: lag %d, error %v", lag, err)
}

// producer is a franz-go client in this world.
func (w *world) producer(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(w.net.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.DisableClientMetrics(),
	}, opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// produce writes values to one partition, as one batch.
func (w *world) produce(c *kgo.Client, topic string, partition int32, values ...string) {
	w.t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Key: []byte("k"), Value: []byte(v)})
	}
	if err := c.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// values lists what one partition of one stream was handed.
func (w *world) values(p int32, s event.Stream) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var values []string
	if r := w.parts[p]; r != nil {
		for _, rec := range r.records[s] {
			values = append(values, string(rec.Value))
		}
	}
	return values
}

func sequence(prefix string, from, to int) []string {
	var values []string
	for i := from; i < to; i++ {
		values = append(values, fmt.Sprintf("%s%d", prefix, i))
	}
	return values
}

func wantValues(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d values %.300q, want %d %.300q", what, len(got), got, len(want), want)
	}
}
