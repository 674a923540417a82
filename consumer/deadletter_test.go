package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/consumer/event"
)

const deadTopic = "rampgauge.dead-letters"

// letters reads n dead letters back, each as "key=value header=value …".
func (w *world) letters(n int) []string {
	w.t.Helper()
	c := w.producer(kgo.ConsumeTopics(deadTopic))
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all []string
	for len(all) < n && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			headers := make(map[string]string)
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			line := fmt.Sprintf("%.40s=%.40s", r.Key, r.Value)
			for _, k := range slices.Sorted(maps.Keys(headers)) {
				line += fmt.Sprintf(" %s=%s", k, headers[k])
			}
			all = append(all, line)
		})
	}
	return all
}

func TestDeadLetters(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "conversions", 1, "good", "bad", "good")
		w.produce(p, "predictions", 0, "bad")
		c := w.run(w.options())
		c.caughtUp()
		got := w.letters(2)
		slices.Sort(got)
		want := []string{
			"k=bad detail=field 3 offset=0 partition=0 reason=malformed topic=predictions",
			"k=bad detail=field 3 offset=1 partition=1 reason=malformed topic=conversions",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if n := c.Stats().DeadLetters[event.Conversions][event.ReasonMalformed].Load(); n != 1 {
			t.Errorf("counted: got %d, want 1", n)
		}
		c.stop()
	})
}

// A batch that a broker holds damaged becomes one letter; the records around
// it are read.
func TestCorruptBatchIsOneLetter(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		for i := range 3 {
			w.produce(p, "predictions", 0, sequence("p", 10*i, 10*i+10)...)
		}
		w.cluster.ControlKey(int16(kmsg.Fetch), damage(w, 10))
		c := w.run(w.options())
		c.caughtUp()
		wantValues(t, "predictions", w.values(0, event.Predictions), append(sequence("p", 0, 10), sequence("p", 20, 30)...))
		got := w.letters(1)
		if len(got) != 1 || !strings.Contains(got[0], "last_offset=19 offset=10 partition=0 reason=corrupt_batch topic=predictions") {
			t.Errorf("letters: got %q", got)
		}
		if n := c.Stats().Refetches.Load(); n != refetches {
			t.Errorf("refetches: got %d, want %d", n, refetches)
		}
		c.stop()
	})
}

// damage answers fetches of predictions/0 itself, with three batches of ten
// records of which the one at the given offset is damaged.
func damage(w *world, at int64) func(kmsg.Request) (kmsg.Response, error, bool) {
	var set []byte
	starts := make(map[int64]int)
	for base := int64(0); base < 30; base += 10 {
		var records []Record
		for _, v := range sequence("p", int(base), int(base)+10) {
			records = append(records, Record{Value: []byte(v)})
		}
		raw := batchSpec{base: base, records: records, producer: -1}.build(w.t)
		if base == at {
			raw[len(raw)-1] ^= 1
		}
		starts[base] = len(set)
		set = append(set, raw...)
	}
	return func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := kreq.(*kmsg.FetchRequest)
		res := req.ResponseKind().(*kmsg.FetchResponse)
		damaged := false
		for _, rt := range req.Topics {
			t := kmsg.NewFetchResponseTopic()
			t.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				part := kmsg.NewFetchResponseTopicPartition()
				part.Partition = rp.Partition
				if rt.Topic == "predictions" {
					part.HighWatermark, part.LastStableOffset = 30, 30
					if start, ok := starts[rp.FetchOffset/10*10]; ok {
						part.RecordBatches, damaged = set[start:], true
					}
				}
				t.Partitions = append(t.Partitions, part)
			}
			res.Topics = append(res.Topics, t)
		}
		return res, nil, damaged
	}
}

// While letters cannot be written, nothing is committed and reading stops; in
// the end none is missing.
func TestDeadLetterTopicOut(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		const n = 300
		for i := range n {
			w.produce(p, "predictions", 0, "bad", fmt.Sprint(i))
		}
		fault := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.NotEnoughReplicas, Count: -1})
		o := w.options()
		o.DeadLetterBytes = 16 << 10 // about 60 letters
		c := w.run(o)
		time.Sleep(2*o.StuckAfter + time.Minute) // waiting for room is not being stuck
		if ok, _, _ := c.CaughtUp(context.Background()); ok {
			t.Error("caught up although letters are not written")
		}
		if got := w.parts[0].commits; got != 0 {
			t.Errorf("commits: got %d, want 0", got)
		}
		if got := w.log.count("dead letters cannot be written"); got != 1 {
			t.Errorf("warnings: got %d, want 1", got)
		}
		if got := c.Stats().DeadLetters[event.Predictions][event.ReasonMalformed].Load(); got > 100 {
			t.Errorf("letters waiting: %d, the buffer is for about 60", got)
		}
		fault.Remove()
		c.caughtUp()
		if got := len(w.letters(n)); got != n {
			t.Errorf("letters: got %d, want %d", got, n)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A consumer that must stop while letters cannot be written does so in time,
// and does not count their records as done.
func TestStopWhileDeadLettersAreBlocked(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		for range 300 {
			w.produce(p, "predictions", 0, "bad")
		}
		w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: deadTopic, Err: kerr.NotEnoughReplicas, Count: -1})
		o := w.options()
		o.DeadLetterBytes = 16 << 10
		c := w.run(o)
		time.Sleep(5 * time.Second)
		start := time.Now()
		err := c.stop()
		if err == nil {
			t.Error("Run: got no error although nothing was committed")
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("Run took %v to return, want at most 10 s", d)
		}
		if r := w.parts[0]; r.commits != 0 || r.closed != 1 {
			t.Errorf("got %d commits, closed %d times; want 0, 1", r.commits, r.closed)
		}
	})
}

func TestDeadLetterTooLarge(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		o := w.options()
		o.DeadLetterRecord = 2000
		if err := w.cluster.CreateTopic(deadTopic, 3, map[string]string{"max.message.bytes": "1000"}); err != nil {
			t.Fatal(err)
		}
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { c.letters.run(ctx); close(done) }()
		l := newLetters(c.letters, 4, func() {})
		l.Send(DeadLetter{Stream: event.Impressions, Offset: 8, LastOffset: 8, Reason: event.ReasonKey, Key: []byte("key"), Value: []byte(strings.Repeat("v", 5000))})
		l.Send(DeadLetter{Stream: event.Impressions, Offset: 9, LastOffset: 9, Reason: event.ReasonKey, Value: []byte("short")})
		if err := l.flush(ctx); err != nil {
			t.Fatal(err)
		}
		got := w.letters(2)
		slices.Sort(got)
		want := []string{
			"=short offset=9 partition=4 reason=" + event.ReasonKey.String() + " topic=impressions",
			"key=" + strings.Repeat("v", 40) + " offset=8 partition=4 reason=" + event.ReasonKey.String() + " topic=impressions truncated=true",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		cancel()
		<-done
		c.client.close()
	})
}
