package panes

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

const (
	topicName = "rampgauge.panes"
	startMs   = 1_790_000_012_345
)

func testOptions() aggregator.Options {
	return aggregator.Options{
		Levels:            aggregator.Levels{Fine: 10 * time.Second, FineFor: 6 * time.Minute, MinuteFor: 130 * time.Minute, Retention: 4 * time.Hour},
		Windows:           []time.Duration{5 * time.Minute, time.Hour},
		Slices:            [][]string{{"surface"}},
		MaxSeries:         1000,
		AttributionWindow: 20 * time.Minute,
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

// world is a cluster, in this process or a real one, with instances on it.
type world struct {
	t       *testing.T
	brokers []string
	dial    func(*consumer.Options)
	client  func(...kgo.Opt) *kgo.Client
	cluster *kafkatest.Embedded
	log     syncBuffer
	stops   []func()
}

// inBubble runs f on a virtual clock with a cluster in this process.
func inBubble(t *testing.T, brokers int, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, brokers: []string{"127.0.0.1:9092"}}
		var net kfake.VirtualNetwork
		ports := make([]int, brokers)
		for i := range ports {
			ports[i] = 9092 + i
		}
		var err error
		w.cluster, err = kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{Brokers: brokers, Extra: []kfake.Opt{kfake.ListenFn(net.Listen), kfake.Ports(ports...)}})
		if err != nil {
			t.Fatal(err)
		}
		w.dial = func(o *consumer.Options) { o.Dial = net.DialContext }
		w.client = func(opts ...kgo.Opt) *kgo.Client {
			c, err := kgo.NewClient(append([]kgo.Opt{
				kgo.SeedBrokers(w.brokers...), kgo.Dialer(net.DialContext), kgo.DisableClientMetrics(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			}, opts...)...)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		defer w.end()
		defer w.cluster.Stop()
		f(w)
	})
}

func (w *world) end() {
	for _, stop := range w.stops {
		stop()
	}
	if w.t.Failed() {
		w.t.Logf("log:\n%s", w.log.b.String())
	}
}

// instance is one Topic with its Merged.
type instance struct {
	*Topic
	w      *world
	merged *aggregator.Merged
	result chan error
	stop   func()
}

func (w *world) options() Options {
	k := consumer.DefaultOptions()
	k.Brokers = w.brokers
	w.dial(&k)
	return Options{
		Kafka: k, Topic: topicName, Merged: aggregator.NewMerged(testOptions()), Levels: testOptions().Levels,
		Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

func (w *world) start(o Options) *instance {
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{Topic: New(o), w: w, merged: o.Merged, result: make(chan error, 1)}
	done := make(chan struct{})
	i.stop = func() { cancel(); <-done }
	w.stops = append(w.stops, i.stop)
	go func() {
		i.result <- i.Run(ctx)
		close(done)
	}()
	return i
}

// eventually polls, because what is waited for crosses sockets.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for range 3000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("a minute later still not: %s", what)
}

// owner is the core of one source, as far as its panes go.
type owner struct {
	*aggregator.Partition
	*Source
	state map[string][]byte
	hold  bool // commits are stored, not published
}

// own opens a source on an instance, from a state (nil: a new one).
func (i *instance) own(source int32, epoch uint64, state map[string][]byte) *owner {
	i.w.t.Helper()
	o := &owner{Partition: aggregator.NewPartition(testOptions()), state: map[string][]byte{}}
	maps.Copy(o.state, state)
	d := aggregator.NewDecoder(testOptions().Levels)
	for k, v := range o.state {
		if err := o.Restore(d, []byte(k), v); err != nil {
			i.w.t.Fatal(err)
		}
	}
	o.SetEpoch(epoch)
	o.Source = i.Open(source, epoch, nil)
	return o
}

// commit does what a core does at its commit.
func (o *owner) commit() {
	o.Prepare(o.Partition)
	upserts := o.Flush()
	for i := range upserts {
		u := &upserts[i]
		if v := u.AppendValue(nil, o.NewestMs()); len(v) > 0 {
			o.state[string(u.AppendKey(nil, o.number))] = v
		} else {
			delete(o.state, string(u.AppendKey(nil, o.number)))
		}
	}
	if !o.hold {
		o.Publish(o.NewestMs(), upserts)
	}
}

// settle commits as long as anything is asked for, until the topic has it all.
func (w *world) settle(instances []*instance, owners ...*owner) {
	w.t.Helper()
	w.eventually("settled", func() bool {
		for _, o := range owners {
			if o.Asks() {
				o.commit()
			}
		}
		for _, i := range instances {
			if ok, err := i.CaughtUp(context.Background()); !ok || err != nil {
				return false
			}
		}
		return true
	})
}

// auctions are n auctions of some experiments over a span of event time.
func auctions(seed uint64, n int, span time.Duration) []*event.Prediction {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(names ...string) []byte { return []byte(names[r.IntN(len(names))]) }
	var out []*event.Prediction
	for i := range n {
		e := &event.Prediction{
			EventTimeMs: startMs + int64(i)*span.Milliseconds()/int64(n),
			Assignments: []event.Assignment{{Experiment: pick("x", "y", "z"), Arm: pick("control", "treatment"), RampPercent: 50}},
			Dimensions:  []event.Dimension{{Key: []byte("surface"), Value: pick("home", "search")}},
			TowerCalls:  []event.TowerCall{{Tower: []byte("query"), LatencyUs: 1 + r.Uint32N(5000)}},
		}
		for k := range 1 + r.IntN(4) {
			e.Candidates.ItemIDs = append(e.Candidates.ItemIDs, uint64(k))
			e.Candidates.Predictions = append(e.Candidates.Predictions, 0.01+0.9*r.Float32())
		}
		out = append(out, e)
	}
	return out
}

func (o *owner) count(events []*event.Prediction) {
	for _, e := range events {
		o.Observe(e.EventTimeMs)
		route := o.Route(e)
		o.Candidates(route, e, 1, true)
		o.Calls(route, e)
	}
}

// text is all that can be asked of m.
func text(t *testing.T, m *aggregator.Merged) string {
	t.Helper()
	var b strings.Builder
	experiments := m.Experiments()
	fmt.Fprintf(&b, "%d %+v\n", m.NewestMs(), experiments)
	for _, e := range experiments {
		for _, slice := range append([][]string{nil}, m.Slices(e.Name)...) {
			s, err := m.Summary(aggregator.Query{Experiment: e.Name, Slice: slice})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range s.Arms {
				fmt.Fprintf(&b, "%s %v %d-%d %s %v %+v\n", e.Name, slice, s.FromMs, s.ToMs, a.Arm, a.RampPercents, *a.Total)
				for _, row := range a.Slices {
					fmt.Fprintf(&b, "  %v %+v\n", row.Labels, *row.Sums)
				}
			}
		}
	}
	for _, w := range m.Windows() {
		w.Sums.FirstMs, w.Sums.LastMs = 0, 0 // of what a window has lost they are not told
		fmt.Fprintf(&b, "%+v %v %+v\n", w.Key, w.Window, *w.Sums)
	}
	return b.String()
}

// alone is what the owners hold, published straight to a Merged of its own.
func alone(t *testing.T, owners ...*owner) string {
	t.Helper()
	m := aggregator.NewMerged(testOptions())
	for _, o := range owners {
		p := aggregator.NewPartition(testOptions())
		d := aggregator.NewDecoder(testOptions().Levels)
		for k, v := range o.state {
			if err := p.Restore(d, []byte(k), v); err != nil {
				t.Fatal(err)
			}
		}
		p.SetEpoch(99)
		p.Republish()
		m.Publish(o.number, p.NewestMs(), p.Flush())
	}
	return text(t, m)
}

func wantSame(t *testing.T, what, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Errorf("%s: line %d of %d and %d differs\nwant %.1500s\n got %.1500s", what, i, len(w), len(g),
				strings.Join(w[min(i, len(w)):min(i+1, len(w))], ""), strings.Join(g[min(i, len(g)):min(i+1, len(g))], ""))
			return
		}
	}
}

// record is one on the topic.
type record struct{ value []byte }

// last is the last record of each key on the topic. It is not read by another
// client because kgo's zstd outlives a bubble.
func (w *world) last() map[string]*record {
	w.t.Helper()
	o := w.options()
	o.Kafka.Logger = o.Logger
	topic := consumer.NewTopic(o.Kafka, topicName)
	defer topic.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := map[string]*record{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		topic.Read(ctx, consumer.Reading{Handle: func(_ int32, records []consumer.Record) {
			for _, r := range records {
				out[string(r.Key)] = &record{bytes.Clone(r.Value)}
			}
		}})
	}()
	ends, err := topic.Ends(ctx)
	if err == nil {
		err = topic.Await(ctx, ends)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	cancel()
	<-done
	return out
}

// wantTopic checks that the last value of each key on the topic is what its
// owner's state holds, and that no other key has one.
func (w *world) wantTopic(what string, owners ...*owner) {
	w.t.Helper()
	want := map[string][]byte{}
	for _, o := range owners {
		maps.Copy(want, o.state)
	}
	last := w.last()
	d := aggregator.NewDecoder(testOptions().Levels)
	for key, r := range last {
		k, _ := d.Key([]byte(key))
		switch {
		case k.Progress:
		case r.value == nil && want[key] != nil:
			w.t.Errorf("%s: %+v is a tombstone on the topic, and held", what, k)
		case r.value != nil && !bytes.Equal(r.value, want[key]):
			w.t.Errorf("%s: %+v: the topic has %x, its owner %x", what, k, r.value[:min(8, len(r.value))], want[key][:min(8, len(want[key]))])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if last[key] == nil {
			k, _ := d.Key([]byte(key))
			w.t.Errorf("%s: %+v is held and not on the topic", what, k)
		}
	}
}

// refuseProduce has the brokers refuse every write while it is true.
func (w *world) refuseProduce() *atomic.Bool {
	down := new(atomic.Bool)
	down.Store(true)
	w.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		if !down.Load() {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.(*kmsg.ProduceRequest).Topics {
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.NotEnoughReplicas.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			res.Topics = append(res.Topics, rt)
		}
		return res, nil, true
	})
	return down
}
