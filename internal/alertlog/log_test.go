package alertlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
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

	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

const topicName = "rampgauge.alerts"

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// world is a cluster in this process on a virtual clock, with instances on it.
type world struct {
	t       *testing.T
	cluster *kafkatest.Embedded
	net     kfake.VirtualNetwork
	log     syncBuffer
	stops   []func()
}

func inBubble(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t}
		var err error
		w.cluster, err = kafkatest.StartEmbedded(kafkatest.EmbeddedOptions{Extra: []kfake.Opt{kfake.ListenFn(w.net.Listen), kfake.Ports(9092)}})
		if err != nil {
			t.Fatal(err)
		}
		defer w.cluster.Stop()
		defer func() {
			for _, stop := range w.stops {
				stop()
			}
			if t.Failed() {
				t.Logf("log:\n%s", w.log.String())
			}
		}()
		f(w)
	})
}

// instance is a running Log.
type instance struct {
	*Log
	result chan error
	stop   func()
}

func (w *world) start() *instance {
	k := consumer.DefaultOptions()
	k.Brokers, k.Dial = []string{"127.0.0.1:9092"}, w.net.DialContext
	i := &instance{Log: New(Options{Kafka: k, Topic: topicName, Logger: slog.New(slog.NewTextHandler(&w.log, nil))}), result: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	i.stop = func() { cancel(); <-done }
	w.stops = append(w.stops, i.stop)
	go func() {
		defer close(done)
		i.result <- i.Run(ctx)
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

func (i *instance) holds(experiment string, v Version, state string) func() bool {
	return func() bool {
		got, s, ok := i.Get(experiment)
		return ok && got == v && string(s) == state
	}
}

func (w *world) flush(i *instance) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := i.Flush(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) client() *kgo.Client {
	c, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:9092"), kgo.Dialer(w.net.DialContext), kgo.DisableClientMetrics(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) produce(records ...*kgo.Record) {
	w.t.Helper()
	c := w.client()
	defer c.Close()
	for _, r := range records {
		r.Topic = topicName
		if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// refuse has the broker answer with an error to writes of the sizes that are bad.
func (w *world) refuse(code *kerr.Error, bad func(size int) bool) {
	w.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		r := req.(*kmsg.ProduceRequest)
		if !bad(len(r.Topics[0].Partitions[0].Records)) {
			return nil, nil, false
		}
		res := r.ResponseKind().(*kmsg.ProduceResponse)
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = r.Topics[0].Topic
		rp := kmsg.NewProduceResponseTopicPartition()
		rp.ErrorCode = code.Code
		rt.Partitions = append(rt.Partitions, rp)
		res.Topics = append(res.Topics, rt)
		return res, nil, true
	})
}

// What one instance puts, all get: those that run and those that start later.
func TestInstancesAgree(t *testing.T) {
	inBubble(t, func(w *world) {
		a, b := w.start(), w.start()
		w.eventually("ready", func() bool { return a.Ready() && b.Ready() })
		for i := range uint64(5) {
			a.Put("x", Version{1, i + 1}, fmt.Appendf(nil, "x%d", i+1))
			b.Put("", Version{1, i + 1}, []byte("of the service"))
			b.Put("y", Version{1, i + 1}, fmt.Appendf(nil, "y%d", i+1))
		}
		w.flush(a)
		w.flush(b)
		for _, i := range []*instance{a, b, w.start()} {
			w.eventually("x", i.holds("x", Version{1, 5}, "x5"))
			w.eventually("y", i.holds("y", Version{1, 5}, "y5"))
			w.eventually("the service's", i.holds("", Version{1, 5}, "of the service"))
			w.eventually("caught up", func() bool {
				ok, err := i.CaughtUp(context.Background())
				return ok && err == nil
			})
			all := map[string]Version{}
			for name, v := range i.All() {
				all[name] = v
			}
			if len(all) != 3 || all["x"] != (Version{1, 5}) {
				t.Errorf("All yields %v", all)
			}
		}
		if n := a.Stats().Rewritten.Load() + b.Stats().Rewritten.Load(); n != 0 {
			t.Errorf("%d states were written again for nothing", n)
		}
	})
}

// A new owner's state outlives what its predecessor still writes, for readers
// that come when only the last record of each key is left as well.
func TestZombie(t *testing.T) {
	inBubble(t, func(w *world) {
		owner := w.start()
		w.eventually("ready", owner.Ready)
		owner.Put("x", Version{3, 7}, []byte("new"))
		w.flush(owner)
		w.eventually("read back", func() bool { return owner.Stats().Read.Load() == 1 })
		w.produce(&kgo.Record{Key: []byte("experiment/x"), Value: AppendValue(nil, Version{2, 99}, []byte("old"))})
		w.eventually("written again", func() bool { return owner.Stats().Rewritten.Load() == 1 && owner.Stats().Read.Load() == 3 })
		if !owner.holds("x", Version{3, 7}, "new")() {
			t.Error("the owner took over a zombie's state")
		}
		// A zombie with a Log of its own is told, and its Put does nothing.
		zombie := w.start()
		w.eventually("ready", zombie.Ready)
		zombie.Put("x", Version{2, 100}, []byte("older"))
		w.flush(zombie)
		if !zombie.holds("x", Version{3, 7}, "new")() || zombie.Stats().Written.Load() != 0 {
			t.Error("a zombie's state was taken")
		}
		c := w.start()
		w.eventually("ready", c.Ready)
		w.eventually("the owner's state", c.holds("x", Version{3, 7}, "new"))
	})
}

// Writes that fail are tried until they succeed, with the newest state alone.
func TestWriteFails(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.start()
		w.eventually("ready", a.Ready)
		var healed atomic.Bool
		w.refuse(kerr.NotEnoughReplicas, func(int) bool { return !healed.Load() })
		a.Put("x", Version{1, 1}, []byte("x1"))
		w.eventually("a failure", func() bool { return a.Stats().WriteErrors.Load() > 2 })
		a.Put("x", Version{1, 2}, []byte("x2"))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := a.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 states not written") {
			t.Errorf("Flush = %v, want that a state is not written", err)
		}
		cancel()
		healed.Store(true)
		w.flush(a)
		b := w.start()
		w.eventually("x2", b.holds("x", Version{1, 2}, "x2"))
		if n := strings.Count(w.log.String(), "states wait to be written"); n != 1 {
			t.Errorf("%d lines about it, want 1", n)
		}
	})
}

// A state that the topic does not take holds up no other.
func TestTooLarge(t *testing.T) {
	inBubble(t, func(w *world) {
		w.refuse(kerr.MessageTooLarge, func(size int) bool { return size > 4000 })
		a := w.start()
		big := make([]byte, 5000)
		r := rand.New(rand.NewPCG(1, 1))
		for i := range big {
			big[i] = byte(r.Uint32()) // snappy finds nothing in it
		}
		a.Put("big", Version{1, 1}, big)
		a.Put("x", Version{1, 1}, []byte("x1"))
		b := w.start()
		w.eventually("the small one", b.holds("x", Version{1, 1}, "x1"))
		if n := a.Stats().TooLarge.Load(); n != 1 || !strings.Contains(w.log.String(), `experiment \"big\" has 5017 bytes`) {
			t.Errorf("%d states are too large, want 1 that is named", n)
		}
		a.Put("big", Version{1, 2}, []byte("now small"))
		w.eventually("its next version", b.holds("big", Version{1, 2}, "now small"))
	})
}

// A topic that keeps no states for good is refused in one line.
func TestNotCompacted(t *testing.T) {
	inBubble(t, func(w *world) {
		if err := w.cluster.CreateTopic(topicName, 1, map[string]string{"cleanup.policy": "delete"}); err != nil {
			t.Fatal(err)
		}
		err := <-w.start().result
		if !errors.Is(err, consumer.ErrNotCompacted) || !strings.Contains(err.Error(), `topics.alerts: "rampgauge.alerts" has cleanup.policy=delete`) {
			t.Errorf("Run = %v", err)
		}
	})
}

// Records that are none of ours are counted, named once and passed over.
func TestUndecodable(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.start()
		w.eventually("ready", a.Ready)
		a.Put("x", Version{1, 1}, []byte("x1"))
		w.flush(a)
		w.produce(&kgo.Record{Key: []byte("experiment/x"), Value: []byte("hello")}, &kgo.Record{Key: []byte("experiment/x"), Value: []byte{}},
			&kgo.Record{Key: []byte("x"), Value: []byte{1}}, &kgo.Record{Key: []byte("experiment/y")}, &kgo.Record{Key: []byte("experiment/x"), Value: []byte{format, 0}})
		w.eventually("read", func() bool { return a.Stats().Read.Load() == 6 })
		if n := a.Stats().Undecodable.Load(); n != 4 || !a.holds("x", Version{1, 1}, "x1")() {
			t.Errorf("%d records are undecodable, want 4", n)
		}
		if n := strings.Count(w.log.String(), "a record is skipped"); n != 2 {
			t.Errorf("%d lines about them, want 2: format, malformed", n)
		}
	})
}

// Once the topic has been made anew, the owner writes what it holds again.
func TestTopicMadeAnew(t *testing.T) {
	inBubble(t, func(w *world) {
		a := w.start()
		w.eventually("ready", a.Ready)
		for i := range uint64(3) {
			a.Put("x", Version{1, i + 1}, []byte("x"))
			w.flush(a)
		}
		w.eventually("read back", func() bool { return a.Stats().Read.Load() == 3 })
		c := w.client()
		defer c.Close()
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TopicNames = []string{topicName}
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = kmsg.StringPtr(topicName)
		req.Topics = append(req.Topics, rt)
		req.TimeoutMillis = 1000
		if _, err := req.RequestWith(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		if err := w.cluster.CreateTopic(topicName, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		w.eventually("written again", func() bool { return a.Stats().Rewritten.Load() == 1 })
		b := w.start()
		w.eventually("the state", b.holds("x", Version{1, 3}, "x"))
	})
}
