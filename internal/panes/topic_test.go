package panes

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
)

// A topic that keeps no panes for good is refused in one line.
func TestTopicNotCompacted(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		if err := w.cluster.CreateTopic(topicName, 2, map[string]string{"cleanup.policy": "delete"}); err != nil {
			t.Fatal(err)
		}
		i := w.start(w.options())
		err := <-i.result
		if !errors.Is(err, consumer.ErrNotCompacted) || !strings.Contains(err.Error(), topicName) || !strings.Contains(err.Error(), "cleanup.policy=delete") {
			t.Errorf("Run = %v, want ErrNotCompacted that names the topic and its policy", err)
		}
	})
}

// Where the broker does not tell the settings, one line says what to look at.
func TestSettingsUnknown(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.cluster.ControlKey(int16(kmsg.DescribeConfigs), func(req kmsg.Request) (kmsg.Response, error, bool) {
			w.cluster.KeepControl()
			res := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ErrorCode, r.ResourceType, r.ResourceName = kerr.TopicAuthorizationFailed.Code, kmsg.ConfigResourceTypeTopic, topicName
			res.Resources = append(res.Resources, r)
			return res, nil, true
		})
		i := w.start(w.options())
		w.eventually("ready", i.Ready)
		if n := w.log.count("cleanup.policy=compact"); n != 1 {
			t.Errorf("%d lines say that the policy is not known, want 1", n)
		}
	})
}

// Records that cannot be read are counted, named once and passed over; their
// owner replaces those of its panes.
func TestUndecodable(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		a := w.start(w.options())
		own := a.own(0, 1, nil)
		w.eventually("synced", own.synced.Load)
		own.count(auctions(13, 50, 10*time.Minute))
		own.commit()
		w.settle([]*instance{a}, own)
		before := text(t, a.merged)
		var paneKey []byte
		for k := range own.state {
			if paneKey = []byte(k); k[1] == 1 {
				break
			}
		}
		c := w.client()
		defer c.Close()
		lane := int32(0)
		d := aggregator.NewDecoder(testOptions().Levels)
		if k, err := d.Key(paneKey); err == nil {
			lane = aggregator.Home(k.Key.Experiment, len(a.lanes))
		}
		for _, r := range []*kgo.Record{
			{Key: []byte("hello"), Value: []byte("world")}, {Key: []byte{9, 1, 2}, Value: []byte{1}}, {Key: nil, Value: nil},
			{Key: []byte{9, 1, 2}, Value: []byte{2}},
			{Key: paneKey, Value: []byte{9, 9}}, {Key: paneKey, Value: []byte{1, 1}}, {Key: paneKey},
			{Key: aggregator.AppendPaneKey(nil, 0, aggregator.Key{Experiment: "x"}, aggregator.Pane{StartMs: 0, WidthMs: 7000}), Value: []byte{1}},
		} {
			r.Topic, r.Partition = topicName, lane
			if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		w.settle([]*instance{a}, own)
		wantSame(t, "numbers", before, text(t, a.merged))
		w.eventually("8 are counted", func() bool { return a.Stats().Undecodable.Load() == 8 })
		if n := w.log.count("a record is skipped"); n != 4 {
			t.Errorf("%d lines about them, want 4: format, malformed, no version, width", n)
		}
		w.settle([]*instance{a}, own)
		last := w.last()
		if got := last[string(paneKey)]; got == nil || string(got.value) != string(own.state[string(paneKey)]) {
			t.Errorf("the pane was not published again: %v", got)
		}
		// One of the owner's epoch whose sums nobody can read.
		r := &kgo.Record{Topic: topicName, Partition: lane, Key: paneKey, Value: []byte{1, 1, 200, 1, 0, 9}}
		if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		w.eventually("the owner asks for a commit", own.Asks)
	})
}

// What waits is replaced by what is newer, in order, and debts are kept right.
func TestLane(t *testing.T) {
	topic := &Topic{}
	l := newLane(topic, 0)
	s, other := &Source{number: 1, epoch: 1}, &Source{number: 1, epoch: 2}
	put := func(source *Source, epoch, sequence uint64, key, value string) {
		w := &waiting{source: source, version: aggregator.Version{Epoch: epoch, Sequence: sequence}}
		w.message.Key = []byte(key)
		if value != "" {
			w.message.Value = []byte(value)
		}
		source.last = sequence
		l.put([]*waiting{w})
	}
	put(s, 1, 1, "fine", "f1")
	put(s, 1, 1, "other", "o1")
	put(s, 1, 2, "minute", "m2")
	put(s, 1, 2, "fine", "")
	put(s, 1, 3, "other", "o3")
	put(s, 1, 2, "other", "o2") // older than what waits
	put(s, 1, 4, "minute", "m4")
	if v, _ := s.Published(); v.Sequence != 0 {
		t.Errorf("published up to %v, want 0", v)
	}
	put(other, 2, 5, "minute", "m5")
	mark := l.mark()
	var got []string
	batch := l.take()
	for _, w := range batch {
		got = append(got, string(w.message.Key)+"="+string(w.message.Value))
	}
	if s := strings.Join(got, " "); s != "other=o3 minute=m5 fine=" {
		t.Errorf("the batch is %q", s)
	}
	if v, _ := other.Published(); v != (aggregator.Version{Epoch: 2, Sequence: 4}) {
		t.Errorf("of the new owner, published up to %v, want 2.4", v)
	}
	for _, w := range batch {
		w.source.paid(w.since)
	}
	l.left += uint64(len(batch))
	if !l.drained(mark) {
		t.Error("not drained after all is acknowledged")
	}
	if v, _ := s.Published(); v != (aggregator.Version{Epoch: 1, Sequence: 4}) || len(s.debts)+len(other.debts) != 0 {
		t.Errorf("published up to %v, debts %v and %v", v, s.debts, other.debts)
	}
	if len(l.byKey) != 0 {
		t.Errorf("%d keys are left", len(l.byKey))
	}
}
